//go:build servers

package chaos_test

import (
	"context"
	"fmt"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
)

// finish lets everything arrive and judges the run.
func (r *rig) finish(ctx context.Context, least chaos.Minimum, patience time.Duration) chaos.Report {
	r.t.Helper()
	r.slow(ctx, 0)
	if r.unsettled = r.settle(ctx, patience); r.unsettled == nil {
		r.unsettled = r.flush(ctx)
	}
	if r.unsettled != nil {
		r.t.Logf("not settled: %v", r.unsettled)
	}
	var over time.Time
	if r.unsettled == nil {
		over = time.Now()
	}
	if err := r.comeBack(ctx); err != nil {
		r.t.Fatal(err)
	}
	h, err := r.collect(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	h.Grace, h.Over, h.Before = r.grace, over, r.past
	report := chaos.Judge(h, least)
	if len(report.Violations) > 0 {
		r.letters(ctx)
	}
	h.Before = nil
	r.past = append(r.past, h)
	return report
}

// letters tells what the gateway has given up on, which is where what is missing may be: no content, and no name.
func (r *rig) letters(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	const script = "local out = {} for _, k in ipairs(redis.call('KEYS', 'p:{*}:dead')) do for _, e in ipairs(redis.call('XRANGE', k, '-', '+')) do " +
		"local f = {} for i = 1, #e[2], 2 do f[e[2][i]] = e[2][i + 1] end " +
		"out[#out + 1] = k .. ' from ' .. f.f .. ', taken at ' .. f.t .. ', dead at ' .. f.d .. ': ' .. f.w end end return out"
	for _, node := range r.Nodes {
		answer, err := node.Do(ctx, "EVAL", script, "0")
		if err != nil {
			r.t.Logf("dead letters: %v", err)
		}
		list, _ := answer.([]any)
		for _, letter := range list {
			r.t.Logf("dead letter: %v", letter)
		}
	}
}

// flush greets every user once more and waits until they see it. What the outbox writes again on a new stream is in no queue, and
// goes before that.
func (r *rig) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	seen := func() (n int) {
		r.hellos.Range(func(any, any) bool { n++; return true })
		return n
	}
	want := seen() + users
	for n := range users {
		chat := r.first + n*people
		if _, err := r.say(ctx, chat, fmt.Sprintf("hello %d", chat)); err != nil {
			return err
		}
	}
	return stand.Poll(ctx, func() error {
		if have := seen(); have < want {
			return fmt.Errorf("%d greetings seen, want %d", have, want)
		}
		return nil
	})
}

// comeBack logs every user out and in again, which shows them what the server still keeps for them: one that puts a message away
// while the user's presence comes, as ejabberd may, shows it with the next presence only. Each waits first for what is on its way to
// them: with a session that ends, ejabberd drops that.
func (r *rig) comeBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	for _, c := range r.clients {
		if err := stand.Poll(ctx, func() error {
			if _, err := c.Ping(ctx, host); err != nil {
				return err
			}
			return c.Connect(ctx)
		}); err != nil {
			return err
		}
	}
	return nil
}
