package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func (h Harness) login(t *testing.T) {
	b := h.open(t)
	l, ok := b.Adapter.(gateway.Linker)
	if !ok {
		return
	}
	if b.Login == nil {
		t.Fatal("adapter is a Linker, harness has no login")
	}
	b.cancelledLogin(l)
	linked := b.linkAnew(l)
	account := gateway.Credentials{Account: b.Login.First.Account, User: b.Login.First.User, Endpoint: linked.Endpoint, Secret: linked.Secret}
	b.Secrets = append(b.Secrets, string(linked.Secret))
	if linked.Endpoint == "" || linked.Shown == "" {
		t.Errorf("linked: got endpoint %q, shown %q; want both", linked.Endpoint, linked.Shown)
	}
	b.afterLogin(account)
}

// cancelledLogin wants a step that hangs to end with its caller.
func (b *bench) cancelledLogin(l gateway.Linker) {
	b.t.Helper()
	b.wire.SetAll(always(Fault{Kind: FaultHang}))
	defer b.wire.SetAll(nil)
	ctx, cancel := context.WithTimeout(b.t.Context(), 50*time.Millisecond)
	defer cancel()
	before := b.wire.Total()
	began := time.Now()
	_, err := l.Link(ctx, b.Login.First)
	b.tellError(err)
	if took := time.Since(began); took > patience {
		b.t.Errorf("Link whose caller gave up: took %s, want less than %s", took, patience)
	}
	if err == nil && b.wire.Total() > before {
		b.t.Error("Link whose caller gave up: got success, want an error")
	}
}

// linkAnew walks through the dialogue: each step with an adapter of its own, each answer twice, the last wrong before it is right.
func (b *bench) linkAnew(l gateway.Linker) gateway.Linked {
	b.t.Helper()
	// The first questions are shown beside the disclosure: before the consent there is nobody that could be linked.
	step := b.link(l, gateway.LinkInput{Lang: b.Login.First.Lang})
	if diff := cmp.Diff(step.Fields, b.link(l, b.Login.First).Fields); diff != "" {
		b.t.Errorf("the first step asks something else when repeated:\n%s", diff)
	}
	for i, answers := range b.Login.Answers {
		if step.Done != nil {
			b.t.Fatalf("step %d: already done", i)
		}
		next, ok := b.Reopen().(gateway.Linker)
		if !ok {
			b.t.Fatal("reopened adapter is no Linker")
		}
		in := b.Login.First
		in.State, in.Answers = step.State, answers
		if i == len(b.Login.Answers)-1 {
			b.wrongAnswer(next, in)
		}
		once := b.link(next, in)
		again := b.link(next, in)
		if diff := cmp.Diff(once.Fields, again.Fields); diff != "" || (once.Done == nil) != (again.Done == nil) {
			b.t.Errorf("step %d differs when repeated:\n%s", i+1, diff)
		}
		if once.Done != nil && again.Done != nil && once.Done.Endpoint != again.Done.Endpoint {
			b.t.Errorf("the last step repeated linked another account: got %s, want %s", again.Done.Endpoint, once.Done.Endpoint)
		}
		step = again
	}
	if step.Done == nil {
		b.t.Fatal("not done after the last answer")
	}
	return *step.Done
}

func (b *bench) link(l gateway.Linker, in gateway.LinkInput) gateway.LinkStep {
	b.t.Helper()
	step, err := l.Link(b.t.Context(), in)
	if err != nil {
		b.t.Fatalf("Link: %v", err)
	}
	if step.Done == nil && len(step.Fields) == 0 && step.Redirect == "" {
		b.t.Error("Link: a step that neither asks nor ends")
	}
	return step
}

func (b *bench) wrongAnswer(l gateway.Linker, in gateway.LinkInput) {
	b.t.Helper()
	in.Answers = b.Login.Wrong
	step, err := l.Link(b.t.Context(), in)
	b.tellError(err)
	if step.Done != nil {
		b.t.Error("Link took the wrong answer")
	}
	if err == nil && len(step.State) == 0 {
		b.t.Error("Link forgot the dialogue after a wrong answer")
	}
}

// afterLogin uses the new account, withdraws it, and finds it gone.
func (b *bench) afterLogin(account gateway.Credentials) {
	b.t.Helper()
	ctx := b.t.Context()
	chat := b.Chats[0]
	if b.Login.Chat.Contact != "" {
		chat = b.Login.Chat
	}
	if d, ok := b.Adapter.(gateway.Directory); ok {
		who, err := d.Resolve(ctx, account, b.Login.Query)
		if err != nil || who.ID == "" || !who.Accepts {
			b.t.Fatalf("Resolve: got %v, person known %v, accepts %v; want somebody to write to", err, who.ID != "", who.Accepts)
		}
		chat = gateway.Chat{Kind: gateway.ChatDirect, Contact: who.ID}
		if _, err := d.Resolve(ctx, account, b.Login.Nobody); !errors.Is(err, gateway.ErrNoPerson) {
			b.t.Errorf("Resolve of nobody: got %v, want %v", err, gateway.ErrNoPerson)
		}
	}
	op := gateway.Op{ID: gateway.NewOpID(), Chat: chat, At: time.Now().UTC(), Body: text("newly linked")}
	if _, err := b.sendBy(ctx, b.Adapter, account, op); err != nil {
		b.t.Errorf("Send by the new account: %v", err)
	}
	l, _ := b.Adapter.(gateway.Linker)
	b.wire.Set(always(Fault{Kind: FaultDial}))
	if err := l.Unlink(ctx, account); gateway.ClassOf(err) != gateway.Retryable {
		b.t.Errorf("Unlink while the platform is away: got %v, want class retryable", err)
	}
	b.wire.Set(nil)
	for range 2 {
		if err := l.Unlink(ctx, account); err != nil {
			b.t.Errorf("Unlink, and again: got %v, want nil", err)
		}
	}
	if b.Login.Lasting {
		return
	}
	op.ID = gateway.NewOpID()
	if _, err := b.sendBy(ctx, b.Adapter, account, op); gateway.ClassOf(err) != gateway.ReauthNeeded {
		b.t.Errorf("Send after Unlink: got %v, want class reauth_needed", err)
	}
}
