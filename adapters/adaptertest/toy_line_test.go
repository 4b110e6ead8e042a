package adaptertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"postern/adapters/adaptertest"
	"postern/gateway"
)

const toyLine = "line"

// waiting is what a polling account has not confirmed yet; its lock is the platform's.
type waiting struct {
	n      int
	bodies []json.RawMessage
}

// updates serves GET /updates?after=: all that waits behind a number, which confirms what is not.
func (p *toyPlatform) updates(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		http.Error(w, "after?", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.polled.bodies) > 0 && p.polled.n-len(p.polled.bodies) < after {
		p.polled.bodies = p.polled.bodies[1:]
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"first": p.polled.n - len(p.polled.bodies), "bodies": append([]json.RawMessage{}, p.polled.bodies...)})
}

// line furnishes a rig with a line and with an account that polls.
func (p *toyPlatform) line(rig *adaptertest.Rig, open func(line string, polls bool) *toy) {
	post := func(event map[string]string) gateway.MessageID {
		p.mu.Lock()
		defer p.mu.Unlock()
		event["ID"] = "l" + strconv.Itoa(len(p.posted)+1)
		body, _ := json.Marshal(event)
		p.posted = append(p.posted, gateway.Request{Method: "POST", Body: body, Header: http.Header{"Signature": {toySign(toySecret, body)}}})
		return gateway.MessageID(event["ID"])
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: &toyLinker{open(toyLine, false)}, Webhooks: rig.Webhooks,
		Open: func(link string) {
			u, err := url.Parse(link)
			if err == nil {
				post(map[string]string{"From": "nurse", "To": toyLine, "Text": "hello", "Invite": u.Query().Get("start")})
			}
		},
	}
	rig.Polled = &adaptertest.Polled{
		Adapter: open("", true), Reopen: func() gateway.Adapter { return open("", true) }, Account: rig.Accounts[0],
		Say: func(text string) gateway.MessageID {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.polled.n++
			id := "p" + strconv.Itoa(p.polled.n)
			body, _ := json.Marshal(map[string]string{"ID": id, "From": "juliet", "To": string(rig.Accounts[0].Endpoint), "Text": text})
			p.polled.bodies = append(p.polled.bodies, body)
			return gateway.MessageID(id)
		},
		Conflict: adaptertest.ErrorCase{Status: http.StatusConflict, Class: gateway.Permanent},
	}
}

// toyLinker is a toy with a line, to which everybody is linked at once.
type toyLinker struct{ *toy }

func (a *toyLinker) Link(context.Context, gateway.LinkInput) (gateway.LinkStep, error) {
	line, _ := a.Line() //nolint:contextcheck // it has none, and the one that the toy makes is what it gets wrong
	if a.broken == "shows another line" {
		line.Shown = "somebody"
	}
	return gateway.LinkStep{Done: &line}, nil
}

func (a *toyLinker) Unlink(context.Context, gateway.Credentials) error { return nil }

func (a *toy) Line() (gateway.Linked, bool) {
	if a.line == "" {
		return gateway.Linked{}, false
	}
	if a.broken == "asks for its line" {
		if resp, err := a.do(context.Background(), http.MethodGet, "/updates", url.Values{"after": {"0"}}, nil, 0); err == nil {
			_ = resp.Body.Close()
		}
	}
	return gateway.Linked{Endpoint: gateway.Endpoint(a.line), Shown: "the line", Secret: []byte("secret-of-" + a.line)}, true
}

func (a *toy) InviteURL(_ context.Context, _ gateway.Credentials, token string) (string, error) {
	link := "https://toy.example/"
	if token != "" && a.broken != "forgets invites" {
		link += "?start=" + token
	}
	if a.broken == "invites by a secret" {
		link += "#secret-of-" + a.line
	}
	return link, nil
}

func (a *toy) Polls() bool { return a.polls }

func (a *toy) Run(ctx context.Context, account gateway.Credentials, to gateway.Intake) error {
	after := 0
	for ctx.Err() == nil {
		took, err := a.poll(ctx, account, &after, to)
		if se, ok := errors.AsType[*gateway.SendError](err); ok {
			return se
		}
		if took && err == nil {
			continue
		}
		timer := time.NewTimer(5 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if a.broken == "complains at its end" {
		return &gateway.SendError{Class: gateway.Retryable, Err: errors.New("toy: ended")}
	}
	return nil
}

// poll asks once; an error that is no SendError passes.
func (a *toy) poll(ctx context.Context, account gateway.Credentials, after *int, to gateway.Intake) (took bool, err error) {
	resp, err := a.do(ctx, http.MethodGet, "/updates", url.Values{"after": {strconv.Itoa(*after)}}, nil, 0)
	if err != nil {
		if a.broken != "fights for its events" && err.Error() == "toy: status 409" {
			return false, a.fail(account, gateway.Permanent, "conflict")
		}
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	var in struct {
		First  int
		Bodies []json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&in); err != nil {
		return false, err
	}
	for n, body := range in.Bodies {
		events, err := a.Parse(gateway.Request{Body: body})
		if err != nil {
			return false, err
		}
		if a.broken == "confirms early" {
			*after = in.First + n + 1
		}
		if err := to.Take(ctx, events); err != nil {
			return false, err
		}
		*after = in.First + n + 1
	}
	return len(in.Bodies) > 0, nil
}
