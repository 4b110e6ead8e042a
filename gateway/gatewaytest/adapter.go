// Package gatewaytest holds the fakes that tests of the core share: a scripted platform and a readable renderer.
package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"postern/gateway"
)

var (
	_ gateway.Adapter   = (*Adapter)(nil)
	_ gateway.Webhook   = (*Adapter)(nil)
	_ gateway.Linker    = (*Adapter)(nil)
	_ gateway.Directory = (*Adapter)(nil)
	_ gateway.Moderator = (*Adapter)(nil)
)

// Script decides what the fake platform does. A nil hook does the simplest thing that works.
type Script struct {
	// Send returns the ids of an op. Without it every op is taken under the id "m1", "m2" and so on.
	Send func(account gateway.Credentials, op gateway.Op) (gateway.Sent, error)
	// Link is one step of linking. Without it the platform asks for a name, and the endpoint is "ep-" and that name.
	Link func(in gateway.LinkInput) (gateway.LinkStep, error)
	// Unlink ends an account; without it that always works.
	Unlink func(account gateway.Credentials) error
	// Resolve finds a person. Without it everybody exists, accepts, and is called by their id.
	Resolve func(query string) (gateway.Person, error)
	// Moderate takes a block or a report; without it that always works. Chats decides whether it is asked for at all.
	Moderate func(contact gateway.ContactID) error
	// Parse turns a webhook's body into events. Without it there are none.
	Parse func(r gateway.Request) ([]gateway.Event, error)
}

// Adapter is a scripted platform that remembers what it was asked. Use it by pointer; it is safe for concurrent use.
type Adapter struct {
	Describe gateway.Descriptor
	// Chats is what every chat supports.
	Chats gateway.Caps

	mu     sync.Mutex
	script Script
	sent   []gateway.Op
	calls  []string
}

// Play replaces the script.
func (a *Adapter) Play(s Script) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script = s
}

// Sent returns the ops that were taken, in order.
func (a *Adapter) Sent() []gateway.Op {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.sent)
}

// Calls returns one line for every call of Link, Unlink and Resolve, in order. A call of Link names the user it links,
// "-" before the consent.
func (a *Adapter) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

func (a *Adapter) called(format string, args ...any) Script {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprintf(format, args...))
	return a.script
}

// Descriptor implements gateway.Adapter.
func (a *Adapter) Descriptor() gateway.Descriptor { return a.Describe }

// Caps implements gateway.Adapter.
func (a *Adapter) Caps(gateway.ChatFacts) gateway.Caps { return a.Chats }

// Send implements gateway.Adapter.
func (a *Adapter) Send(_ context.Context, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	a.mu.Lock()
	hook := a.script.Send
	a.mu.Unlock()
	var sent gateway.Sent
	if hook != nil { // unlocked: a hook may block
		var err error
		if sent, err = hook(account, op); err != nil {
			return sent, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, op)
	if len(sent.IDs) == 0 {
		sent.IDs = []gateway.MessageID{gateway.MessageID(fmt.Sprintf("m%d", len(a.sent)))}
	}
	return sent, nil
}

// Challenge implements gateway.Webhook.
func (a *Adapter) Challenge(r gateway.Request) ([]byte, bool) {
	if c := r.Query["challenge"]; len(c) == 1 {
		return []byte(c[0]), true
	}
	return nil, false
}

// ErrForged is what Verify says of a request without the header "Signature: good".
var ErrForged = errors.New("gatewaytest: forged")

// Verify implements gateway.Webhook.
func (a *Adapter) Verify(r gateway.Request) error {
	if r.Header.Get("Signature") != "good" {
		return ErrForged
	}
	return nil
}

// Parse implements gateway.Webhook.
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) {
	a.mu.Lock()
	hook := a.script.Parse
	a.mu.Unlock()
	if hook == nil {
		return nil, nil
	}
	return hook(r)
}

// Link implements gateway.Linker.
func (a *Adapter) Link(_ context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	who := in.User
	if who == "" {
		who = "-"
	}
	if hook := a.called("link %s %v", who, in.Answers).Link; hook != nil {
		return hook(in)
	}
	name := in.Answers["name"]
	if name == "" {
		return gateway.LinkStep{Fields: []gateway.Field{{Name: "name", Label: "Your name there", Kind: gateway.FieldText, Required: true}}, State: []byte("asked")}, nil
	}
	return gateway.LinkStep{Done: &gateway.Linked{Endpoint: gateway.Endpoint("ep-" + name), Secret: []byte("secret of " + name), Shown: name}}, nil
}

// Unlink implements gateway.Linker.
func (a *Adapter) Unlink(_ context.Context, account gateway.Credentials) error {
	if hook := a.called("unlink %s", account.Endpoint).Unlink; hook != nil {
		return hook(account)
	}
	return nil
}

// Resolve implements gateway.Directory.
func (a *Adapter) Resolve(_ context.Context, _ gateway.Credentials, query string) (gateway.Person, error) {
	if hook := a.called("resolve %s", query).Resolve; hook != nil {
		return hook(query)
	}
	return gateway.Person{ID: gateway.ContactID("id-" + query), Name: query, Accepts: true}, nil
}

// Block implements gateway.Moderator.
func (a *Adapter) Block(_ context.Context, account gateway.Credentials, contact gateway.ContactID, on bool) error {
	if hook := a.called("block %s %s %v", account.Endpoint, contact, on).Moderate; hook != nil {
		return hook(contact)
	}
	return nil
}

// Report implements gateway.Moderator.
func (a *Adapter) Report(_ context.Context, account gateway.Credentials, r gateway.Report) error {
	if hook := a.called("report %s %s %s %q", account.Endpoint, r.Contact, r.Reason, r.Text).Moderate; hook != nil {
		return hook(r.Contact)
	}
	return nil
}
