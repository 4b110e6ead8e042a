package adaptertest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// token has the form of the core's invites.
const token = "abcdefghij234567klmnopqrst"

// share wants a line to be known without I/O, and an invite to come back as the event that opening it causes.
func (h Harness) share(t *testing.T) {
	b := h.open(t)
	s, ok := b.Adapter.(gateway.Sharer)
	if !ok {
		return
	}
	if _, has := s.Line(); has {
		t.Error("Line: got one without any in the configuration")
	}
	if b.Shared == nil {
		t.Fatal("the adapter is a Sharer, harness has no line")
	}
	shared, ok := b.Shared.Adapter.(gateway.Sharer)
	if !ok {
		t.Fatal("the adapter with a line is no Sharer")
	}
	before := b.wire.Total()
	line, has := shared.Line()
	again, _ := shared.Line()
	if !has || line.Endpoint == "" || line.Shown == "" || len(line.Secret) == 0 || line.Endpoint != again.Endpoint || string(line.Secret) != string(again.Secret) {
		t.Errorf("Line: got %v, endpoint %q, shown %q, a secret of %d bytes; want all of it, twice the same", has, line.Endpoint, line.Shown, len(line.Secret))
	}
	account := gateway.Credentials{Account: gateway.NewAccountID(), User: "romeo@montague.example", Endpoint: line.Endpoint, Secret: line.Secret}
	b.Secrets = append(b.Secrets, string(line.Secret))
	b.lineLink(line)
	if n := b.wire.Total() - before; n != 0 {
		t.Errorf("Line and Link made %d requests, want none", n)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		b.tell(fmt.Sprintf(verb, b.Shared.Adapter))
	}
	for _, tok := range []string{token, ""} {
		link, err := shared.InviteURL(t.Context(), account, tok)
		if err != nil {
			b.tellError(err)
			t.Fatalf("InviteURL: %v", err)
		}
		if u, err := url.Parse(link); err != nil || u.Scheme != "https" || u.Host == "" || strings.Contains(link, token) != (tok != "") {
			t.Errorf("InviteURL of %q: got %q, want an https address with the token, if any", tok, link)
		}
		b.tell(link)
		if tok != "" {
			b.Shared.Open(link)
			b.invited(account)
		}
	}
}

// lineLink wants a user of a line to be linked at once.
func (b *bench) lineLink(line gateway.Linked) {
	b.t.Helper()
	l, ok := b.Shared.Adapter.(gateway.Linker)
	if !ok {
		b.t.Fatal("the adapter with a line is no Linker")
	}
	step, err := l.Link(b.t.Context(), gateway.LinkInput{User: "romeo@montague.example", Account: gateway.NewAccountID(), Lang: "en"})
	if err != nil || step.Done == nil || step.Done.Endpoint != line.Endpoint || step.Done.Shown != line.Shown {
		b.t.Errorf("Link on a line: got %v, done %v, want the line at once", err, step.Done != nil)
	}
}

// invited wants the event that opening an invite causes.
func (b *bench) invited(account gateway.Credentials) {
	b.t.Helper()
	w, ok := b.Shared.Adapter.(gateway.Webhook)
	if !ok {
		b.t.Fatal("the adapter with a line takes no webhooks")
	}
	b.eventually("an event with the invite", func() bool {
		for _, r := range b.Shared.Webhooks() {
			if err := w.Verify(r); err != nil {
				b.t.Fatalf("Verify of what the fake posted: %v", err)
			}
			events, err := w.Parse(r)
			if err != nil {
				b.t.Fatalf("Parse of what the fake posted: %v\n%s", err, r.Body)
			}
			for _, e := range events {
				if e.Invite != token {
					continue
				}
				if u, bare := e.Body.(gateway.ContactUpdate); bare && (u.Consent != gateway.ConsentAccepted || u.Name == nil && !b.h.Nameless) {
					b.t.Errorf("the invite's event: got %+v, want consent and name", u)
				}
				if e.Endpoint != account.Endpoint || e.Chat.Contact == "" || e.FromMe {
					b.t.Errorf("the invite's event: got endpoint %q, contact %q, from me %v", e.Endpoint, e.Chat.Contact, e.FromMe)
				}
				return true
			}
		}
		return false
	})
}

// secrets wants nothing of an address in what is told of failures: it may hold a token, and a server may repeat it.
func (h Harness) secrets(t *testing.T) {
	b := h.open(t)
	location := func(to string) http.Header { return http.Header{"Location": {to}} }
	faults := []Fault{
		{Kind: FaultDial},
		{Kind: FaultTLS},
		{Kind: FaultHang},
		{Kind: FaultLose},
		{Kind: FaultAnswer, Status: 307, Header: location("https://evil.example" + echoed)},
		{Kind: FaultAnswer, Status: 307, Header: location("http://evil.example:port" + echoed)},
		{Kind: FaultAnswer, Status: 307, Header: location(echoed)},
		{Kind: FaultAnswer, Status: 302, Header: http.Header{}},
		{Kind: FaultAnswer, Status: 200, Body: echoed},
		{Kind: FaultAnswer, Status: 400, Body: `{"ok":false,"error":{"message":"` + echoed + `"},"error_code":400,"description":"` + echoed + `","code":"` + echoed + `"}`},
		{Kind: FaultAnswer, Status: 500, Body: "<html>" + echoed + "</html>"},
	}
	for _, f := range faults {
		b.wire.SetAll(always(f))
		for _, call := range b.everyCall() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err := call(ctx)
			cancel()
			b.tellError(err)
		}
	}
	b.wire.SetAll(nil)
}

// everyCall lists what an adapter does with the network, with Accounts[0].
func (b *bench) everyCall() map[string]func(context.Context) error {
	account, who := b.Accounts[0], b.Chats[0].Contact
	picture := newFile(10, "a.png", "image/png").media
	calls := map[string]func(context.Context) error{
		"send": func(ctx context.Context) error {
			_, err := b.hand(ctx, b.Adapter, account, b.opTo(0, text("hush")))
			return err
		},
		"send a file": func(ctx context.Context) error {
			_, err := b.hand(ctx, b.Adapter, account, b.opTo(0, gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{picture}}}))
			return err
		},
	}
	if s, ok := b.Adapter.(gateway.MediaStore); ok && b.File != nil {
		m := gateway.Media{Handle: "AgACAgIAAxkBAAIB", MIME: "image/png"}
		calls["fetch"] = func(ctx context.Context) error {
			body, _, err := s.Fetch(ctx, account, m)
			if err == nil {
				_ = body.Close()
			}
			return err
		}
	}
	if p, ok := b.Adapter.(gateway.Profiles); ok {
		calls["profile"] = func(ctx context.Context) error { _, err := p.Profile(ctx, account, who); return err }
	}
	if d, ok := b.Adapter.(gateway.Directory); ok {
		calls["resolve"] = func(ctx context.Context) error { _, err := d.Resolve(ctx, account, string(who)); return err }
	}
	if r, ok := b.Adapter.(gateway.Registrar); ok {
		calls["register"] = func(ctx context.Context) error { return r.Register(ctx, account, "https://gateway.example/hooks/x") }
	}
	if l, ok := b.Adapter.(gateway.Linker); ok {
		calls["unlink"] = func(ctx context.Context) error { return l.Unlink(ctx, account) }
		if b.Login != nil && len(b.Login.Answers) > 0 {
			in := b.Login.First
			in.State, in.Answers = []byte("asked"), b.Login.Answers[len(b.Login.Answers)-1]
			calls["link"] = func(ctx context.Context) error { _, err := l.Link(ctx, in); return err }
		}
	}
	if k, ok := b.Adapter.(gateway.Keeper); ok {
		calls["keep"] = func(ctx context.Context) error { _, err := k.Keep(ctx, account); return err }
	}
	if k, ok := b.Adapter.(gateway.Reconciler); ok {
		calls["reconcile"] = func(ctx context.Context) error {
			_, err := k.Reconcile(ctx, account, b.opTo(0, text("hush")))
			return err
		}
	}
	if b.Polled != nil {
		p, _ := b.Polled.Adapter.(gateway.Poller)
		calls["poll"] = func(ctx context.Context) error {
			return p.Run(ctx, b.Polled.Account, &takenEvents{})
		}
	}
	return calls
}
