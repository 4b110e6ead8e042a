package gateway_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// canaryRig is a rig with a canary.
type canaryRig struct{ *rig }

// withCanary starts a rig anew with a canary to juliet.
func withCanary(t *testing.T, p *platform, more gateway.Canary) *canaryRig {
	r := &canaryRig{rig: newRig(t, p, gateway.Config{})}
	r.stop()
	more.User, more.To, more.Every, more.Within = romeo, r.contact("juliet"), 5*time.Minute, time.Minute
	r.canary = more
	r.start(gateway.Config{})
	return r
}

// answer says that the n-th message of the platform was delivered.
func (r *canaryRig) answer(n int, state gateway.StatusState) {
	r.t.Helper()
	id := fmt.Sprintf("m%d", n)
	must(r.t, r.event(gateway.Event{
		Dedupe: string(state) + id, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
		Body: gateway.Status{IDs: []gateway.MessageID{gateway.MessageID(id)}, State: state},
	}))
	gatewaytest.Advance(time.Second)
}

var canaryID = regexp.MustCompile(`canary-[0-9A-Z]{26}`)

var canaryText = regexp.MustCompile(`^juliet .*canary-[0-9A-Z]{26}$`)

// results are the counted ones that are not 0, and how many times a latency was observed.
func (r *canaryRig) results() string {
	r.t.Helper()
	all, err := r.metrics.Gather()
	must(r.t, err)
	var out []string
	for _, f := range all {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "postern_canary_total":
				if v := m.GetCounter().GetValue(); v > 0 {
					out = append(out, fmt.Sprint(m.GetLabel()[1].GetValue(), " ", v))
				}
			case "postern_canary_seconds":
				if v := m.GetHistogram().GetSampleCount(); v > 0 {
					out = append(out, fmt.Sprint("timed ", v))
				}
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// want compares results, what the platform took and what the user's client was shown, which is nothing.
func (r *canaryRig) want(results string, taken int) {
	r.t.Helper()
	if got := r.results(); got != results {
		r.t.Errorf("results: got %q, want %q", got, results)
	}
	sent := r.platform.taken()
	if len(sent) != taken || slices.ContainsFunc(sent, func(l string) bool { return !canaryText.MatchString(l) }) {
		r.t.Errorf("sent: got %q, want %d canaries", sent, taken)
	}
	if got := r.wire.lines(); len(got) != 0 {
		r.t.Errorf("the client was shown %q", got)
	}
}

func (r *canaryRig) state() gateway.CanaryState {
	r.t.Helper()
	s, err := r.gw.CanaryState(r.t.Context(), wall)
	must(r.t, err)
	return s
}

// TestCanary: one at once, then one at each interval; delivery is success, and the user's client hears nothing of it.
func TestCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := withCanary(t, &platform{caps: textCaps()}, gateway.Canary{})
		defer func() { r.stop() }()
		gatewaytest.Advance(10 * time.Second)
		r.want("", 1)
		r.answer(1, gateway.StatusDelivered)
		r.want("ok 1, timed 1", 1)
		if s := r.state(); s.Result != gateway.CanaryOK || s.OK.IsZero() || s.Took <= 0 || s.Took > 10*time.Second {
			t.Errorf("state: got %+v", s)
		}
		gatewaytest.Advance(5 * time.Minute)
		r.answer(2, gateway.StatusRead) // of some platforms that is all that comes
		r.want("ok 2, timed 2", 2)
		r.stop()
		r.start(gateway.Config{Replica: "r2"})
		gatewaytest.Advance(4 * time.Minute) // another replica goes on where this one was
		r.want("", 2)
		gatewaytest.Advance(time.Minute)
		r.answer(3, gateway.StatusFailed)
		r.want("failed 1", 3)
		if s := r.state(); s.Result != gateway.CanaryFailed || !s.OK.Before(s.At) || s.OK.IsZero() {
			t.Errorf("state: got %+v, want the last success kept", s)
		}
	})
}

// TestCanaryOfOneReplica: of two replicas one sends.
func TestCanaryOfOneReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := withCanary(t, &platform{caps: textCaps()}, gateway.Canary{})
		first := r.stop
		r.start(gateway.Config{Replica: "r2"})
		defer func() { r.stop(); first() }()
		gatewaytest.Advance(16 * time.Minute) // shards change hands meanwhile
		if got := len(r.platform.taken()); got < 3 || got > 4 {
			t.Errorf("got %d canaries in 16 minutes, want 3 or 4", got)
		}
	})
}

// TestCanaryEcho: with the option the contact's own words are success, and not shown, also when they come too late; other words are shown.
func TestCanaryEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := withCanary(t, &platform{caps: textCaps()}, gateway.Canary{Echo: true})
		defer func() { r.stop() }()
		gatewaytest.Advance(10 * time.Second)
		r.answer(1, gateway.StatusDelivered)
		r.want("", 1)
		said1 := strings.TrimPrefix(r.platform.taken()[0], "juliet ")
		must(t, r.event(said("juliet", "n1", "> "+said1+"\nyou said", 0)))
		gatewaytest.Advance(time.Second)
		r.want("ok 1, timed 1", 1)
		gatewaytest.Advance(7 * time.Minute)
		r.want("no_answer 1, ok 1, timed 1", 2)
		must(t, r.event(said("juliet", "n2", strings.TrimPrefix(r.platform.taken()[1], "juliet "), 0)))
		gatewaytest.Advance(time.Second)
		r.want("no_answer 1, ok 1, timed 1", 2)
		must(t, r.event(said("juliet", "n3", "what is canary-1?", 0)))
		gatewaytest.Advance(time.Second)
		if got := r.wire.lines(); len(got) != 1 || !strings.Contains(got[0], "what is canary-1?") {
			t.Errorf("shown: got %q, want what she wrote herself", got)
		}
	})
}

// TestCanaryOutage: while the platform is away one waits, and no second one is sent behind it; one that nobody waits for any more
// never goes out, is no dead letter and no question to the user.
func TestCanaryOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := ""
		p := &platform{caps: textCaps(), send: func(op gateway.Op) (gateway.Sent, error) {
			first = op.Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, RetryAfter: 18 * time.Minute}
		}}
		r := withCanary(t, p, gateway.Canary{})
		defer func() { r.stop() }()
		gatewaytest.Advance(17 * time.Minute)
		r.want("no_answer 1, waiting 3", 0)
		p.mu.Lock()
		p.send = nil
		p.mu.Unlock()
		late := canaryID.FindString(first)
		for range 20 { // until the next one, after the first one's turn
			if len(r.platform.taken()) > 0 {
				break
			}
			gatewaytest.Advance(30 * time.Second)
		}
		if got := r.platform.taken(); len(got) != 1 || late == "" || strings.Contains(got[0], late) {
			t.Errorf("sent %q, want another than %s", got, late)
		}
		r.answer(1, gateway.StatusDelivered)
		if got := r.results(); !strings.Contains(got, "no_answer 1, ok 1") {
			t.Errorf("results: got %q", got)
		}
		letters, _, err := r.gw.Letters(t.Context(), gateway.LetterFilter{}, "", 10)
		if err != nil || len(letters) != 0 {
			t.Errorf("dead letters: got %v, %v, want none", letters, err)
		}
	})
}

// TestCanaryNotSent: what keeps one from being sent, or the platform from taking it, is a result of its own.
func TestCanaryNotSent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		taint func(r *canaryRig)
		want  gateway.CanaryResult
	}{
		{"adapter stopped", func(r *canaryRig) {
			must(r.t, r.operator().Stop(r.t.Context(), gateway.Stop{Adapter: wall, Reason: "x"}))
		}, gateway.CanaryStopped},
		{"not registered", func(r *canaryRig) { r.canary.User = "mercutio@example.org" }, gateway.CanaryNoAccount},
		{"no such contact", func(r *canaryRig) { r.canary.To = "nobody" }, gateway.CanaryNoContact},
		{"account refused by the platform", func(r *canaryRig) {
			_, err := r.identity.Amend(r.t.Context(), r.account.ID, func(a *gateway.Account) { a.Standing = gateway.AccountReauthNeeded })
			must(r.t, err)
		}, gateway.CanaryNoAccount},
		{"contact blocked", func(r *canaryRig) {
			_, err := r.identity.Revise(r.t.Context(), r.account, r.canary.To, func(c *gateway.Contact) { c.Blocked = true })
			must(r.t, err)
		}, gateway.CanaryRefused},
		{"window closed", func(r *canaryRig) { r.platform.caps.Window = &gateway.WindowRule{For: 24 * time.Hour} }, gateway.CanaryFailed},
		{"refused for good", func(r *canaryRig) {
			r.platform.send = func(gateway.Op) (gateway.Sent, error) {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Permanent, Code: "no"}
			}
		}, gateway.CanaryFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := withCanary(t, &platform{caps: textCaps()}, gateway.Canary{})
				r.stop()
				defer func() { r.stop() }()
				tt.taint(r)
				r.start(gateway.Config{})
				gatewaytest.Advance(61 * time.Second)
				r.want(string(tt.want)+" 1", 0)
				if s := r.state(); s.Result != tt.want || !s.OK.IsZero() {
					t.Errorf("state: got %+v, want %s", s, tt.want)
				}
				letters, _, err := r.gw.Letters(t.Context(), gateway.LetterFilter{}, "", 10)
				if err != nil || len(letters) != 0 {
					t.Errorf("dead letters: got %v, %v, want none", letters, err)
				}
			})
		})
	}
}

// TestCanaryAccepted: of a platform whose answer says all that it ever says, the answer is success.
func TestCanaryAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := withCanary(t, &platform{caps: textCaps(), final: true}, gateway.Canary{})
		defer func() { r.stop() }()
		gatewaytest.Advance(10 * time.Second)
		r.want("ok 1, timed 1", 1)
	})
}
