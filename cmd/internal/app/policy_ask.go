package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
)

const (
	// keepLeast, keepMost and keepUsually bound how long an answer counts.
	keepLeast, keepMost, keepUsually = time.Second, 24 * time.Hour, 5 * time.Minute
	// askRest is how long a user is not asked about again after a question came to nothing.
	askRest = 10 * time.Second
	// maxAnswers is how many answers are remembered, one for each user and adapter; maxAsking how many questions are under way.
	maxAnswers, maxAsking = 50_000, 32
	// maxSaid bounds the body of an answer, maxReason the text that a user is told.
	maxSaid, maxReason = 64 << 10, 500
)

// asker asks the operator's service about users, one question at a time for each, and remembers what it says.
type asker struct {
	url, token, unreachable string
	timeout                 time.Duration
	knows                   func(plan string) bool
	client                  *http.Client
	log                     *slog.Logger
	asked                   *prometheus.CounterVec // result
	away                    atomic.Bool            // it was not reached the last time
	places                  chan struct{}

	mu      sync.Mutex
	answers map[asking]remembered
	flying  map[asking]chan struct{}
}

// asking is what a question is about.
type asking struct {
	user    gateway.UserID
	adapter gateway.AdapterID
}

// remembered is what is remembered of one: fit to be used until a time, and afterwards while there is no other.
type remembered struct {
	opinion
	until time.Time
}

// opinion is what the service says of a user, or what counts instead.
type opinion struct {
	Allow  bool
	Reason string
	Plan   string
	by     gateway.TermsBy
}

// askResults are the ends that a question can come to.
var askResults = []string{"ok", "unreachable", "not_understood"}

// newAskMetrics counts questions.
func newAskMetrics(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postern_policy_questions_total", Help: "Questions to policy.url, by how they ended."}, []string{"result"})
	r.MustRegister(c)
	for _, result := range askResults {
		c.WithLabelValues(result)
	}
	return c
}

// newAsker returns nil for a policy that asks nobody.
func newAsker(p Policy, asked *prometheus.CounterVec, log *slog.Logger) (*asker, error) {
	if p.URL == "" {
		return nil, nil
	}
	a := &asker{
		url: p.URL, timeout: p.Timeout, unreachable: p.Unreachable, knows: p.knows, client: newClient(), log: log, asked: asked,
		places: make(chan struct{}, maxAsking), answers: map[asking]remembered{}, flying: map[asking]chan struct{}{},
	}
	if p.TokenFile == "" {
		return a, nil
	}
	var err error
	a.token, err = readSecret(p.TokenFile)
	return a, err
}

// inherit takes over what another asker remembers: who was answered about stays so, also while nobody answers.
func (a *asker) inherit(was *asker) {
	if was.url != a.url {
		return
	}
	was.mu.Lock()
	defer was.mu.Unlock()
	a.answers = maps.Clone(was.answers)
	a.away.Store(was.away.Load())
}

// about says what counts for a user. Who comes while a question about them is under way waits for its answer.
func (a *asker) about(ctx context.Context, user gateway.UserID, adapter gateway.AdapterID) opinion {
	key := asking{user, adapter}
	for {
		a.mu.Lock()
		had, ok := a.answers[key]
		if ok && time.Now().Before(had.until) {
			a.mu.Unlock()
			return had.opinion
		}
		under := a.flying[key]
		if under == nil {
			under = make(chan struct{})
			a.flying[key] = under
			a.mu.Unlock()
			return a.ask(ctx, key, had, ok, under)
		}
		a.mu.Unlock()
		select {
		case <-under:
		case <-ctx.Done():
			return a.without(had, ok)
		}
	}
}

// ask puts one question and remembers what came of it, for a short while also that nothing did.
func (a *asker) ask(ctx context.Context, key asking, had remembered, known bool, under chan struct{}) opinion {
	got, keep, err := a.question(ctx, key)
	if err != nil {
		got, keep = a.without(had, known), askRest
		if !a.away.Swap(true) {
			a.log.Warn("policy.url does not answer", "err", err, "meanwhile", a.unreachable)
		}
	} else if a.away.Swap(false) {
		a.log.Info("policy.url answers again")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range a.answers { // any one: memory stays bounded
		if len(a.answers) < maxAnswers {
			break
		}
		delete(a.answers, k)
	}
	a.answers[key] = remembered{got, time.Now().Add(keep)}
	delete(a.flying, key)
	close(under)
	return got
}

// without is what counts where there is no answer.
func (a *asker) without(had remembered, known bool) opinion {
	if a.unreachable == "last" && known && (had.by == gateway.ByAnswer || had.by == gateway.ByLast) {
		had.by = gateway.ByLast
		return had.opinion
	}
	return opinion{Allow: a.unreachable != "refuse", by: gateway.ByUnreachable}
}

// errNotUnderstood is an answer that is none.
var errNotUnderstood = errors.New("not understood")

// question asks once. It is not cut short by whoever asks: others wait for the same answer.
func (a *asker) question(ctx context.Context, key asking) (opinion, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.timeout)
	defer cancel()
	got, keep, err := a.call(ctx, key)
	switch {
	case err == nil:
		a.asked.WithLabelValues("ok").Inc()
	case errors.Is(err, errNotUnderstood):
		a.asked.WithLabelValues("not_understood").Inc()
	default:
		a.asked.WithLabelValues("unreachable").Inc()
	}
	return got, keep, err
}

func (a *asker) call(ctx context.Context, key asking) (opinion, time.Duration, error) {
	select {
	case a.places <- struct{}{}:
		defer func() { <-a.places }()
	case <-ctx.Done():
		return opinion{}, 0, ctx.Err()
	}
	body, err := json.Marshal(map[string]string{"user": string(key.user), "domain": domainOf(key.user), "adapter": string(key.adapter)})
	if err != nil {
		return opinion{}, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return opinion{}, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return opinion{}, 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return opinion{}, 0, fmt.Errorf("status %s", resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSaid+1))
	if err != nil {
		return opinion{}, 0, err
	}
	return a.read(raw)
}

// read understands an answer; members that are not known are left alone.
func (a *asker) read(raw []byte) (opinion, time.Duration, error) {
	var got struct {
		Allow  *bool    `json:"allow"`
		Reason string   `json:"reason"`
		Plan   string   `json:"plan"`
		Keep   *float64 `json:"keep_for_s"`
	}
	switch err := json.Unmarshal(raw, &got); {
	case len(raw) > maxSaid:
		return opinion{}, 0, fmt.Errorf("%w: more than %d bytes", errNotUnderstood, maxSaid)
	case err != nil:
		return opinion{}, 0, fmt.Errorf("%w: %w", errNotUnderstood, err)
	case got.Allow == nil:
		return opinion{}, 0, fmt.Errorf("%w: without allow", errNotUnderstood)
	case !a.knows(got.Plan):
		return opinion{}, 0, fmt.Errorf("%w: a plan that is none of policy.plans", errNotUnderstood)
	}
	keep := keepUsually
	if got.Keep != nil {
		keep = time.Duration(min(max(*got.Keep, keepLeast.Seconds()), keepMost.Seconds()) * float64(time.Second))
	}
	return opinion{*got.Allow, cut(got.Reason), got.Plan, gateway.ByAnswer}, keep, nil
}

// cut makes a text one that may stand in a stanza: of bounded length, and without control characters.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxReason {
		s = string(runes[:maxReason])
	}
	return strings.TrimSpace(s)
}
