package adaptertest

import (
	"bytes"
	"testing"
	"time"

	"postern/gateway"
)

func (h Harness) verify(t *testing.T) {
	b := h.open(t)
	w, ok := b.Adapter.(gateway.Webhook)
	if !ok {
		if h.Sign != nil {
			t.Fatal("harness signs webhooks, adapter takes none")
		}
		return
	}
	now := time.Unix(1793500000, 0)
	body := h.anyBody(t)
	at := func(r gateway.Request, when time.Time) gateway.Request {
		r.Now = when.Unix()
		return r
	}
	good := func() gateway.Request { return at(h.Sign(bytes.Clone(body), now), now) }
	check := func(name string, r gateway.Request, want bool) {
		t.Helper()
		err := w.Verify(r)
		if (err == nil) != want {
			t.Errorf("%s: got error %v, want accepted %v", name, err, want)
		}
		b.tellError(err)
	}
	check("good", good(), true)
	check("good, again", good(), true)
	if !h.Unsigned {
		h.verifyBody(t, w, good)
	}
	r := good()
	for name, values := range r.Query {
		r := good()
		r.Query = map[string][]string{}
		check("without "+name+" in the address", r, false)
		r.Query[name] = []string{values[0] + "0"}
		check("with another "+name+" in the address", r, false)
		r.Query[name] = append(values[:1:1], values[0])
		check("with two of "+name+" in the address", r, false)
	}
	for _, name := range h.SignatureHeaders {
		r = good()
		r.Header.Del(name)
		check("without "+name, r, false)
		r = good()
		r.Header.Set(name, "")
		check("with an empty "+name, r, false)
		r = good()
		r.Header.Set(name, r.Header.Get(name)+"0")
		check("with a changed "+name, r, false)
	}
	check("another instance", at(h.Forge(bytes.Clone(body), now), now), false)
	if h.MaxAge > 0 {
		check("at the age limit", at(h.Sign(bytes.Clone(body), now), now.Add(h.MaxAge)), true)
		check("too old", at(h.Sign(bytes.Clone(body), now), now.Add(h.MaxAge+time.Second)), false)
		check("from the future", at(h.Sign(bytes.Clone(body), now), now.Add(-h.MaxAge-time.Second)), false)
	}
	check("nothing at all", gateway.Request{Method: "POST", Header: map[string][]string{}, Now: now.Unix()}, false)
	if answer, ok := w.Challenge(gateway.Request{Method: "GET", Header: map[string][]string{}, Query: map[string][]string{"x": {"1"}}, Now: now.Unix()}); ok {
		t.Errorf("Challenge answered %q to a GET that is none", answer)
	}
	if b.wire.Total() == 0 {
		return
	}
	before := b.wire.Total()
	_ = w.Verify(good())
	if n := b.wire.Total() - before; n != 0 {
		t.Errorf("Verify made %d requests, want none", n)
	}
}

// verifyBody wants every change of a signed body to be noticed.
func (h Harness) verifyBody(t *testing.T, w gateway.Webhook, good func() gateway.Request) {
	t.Helper()
	body := good().Body
	for i := range body {
		r := good()
		r.Body = bytes.Clone(body)
		r.Body[i] ^= 1
		if w.Verify(r) == nil {
			t.Errorf("byte %d changed: got accepted, want refused", i)
		}
	}
	for name, changed := range map[string][]byte{"more": append(bytes.Clone(body), ' '), "less": body[:len(body)-1]} {
		r := good()
		r.Body = changed
		if w.Verify(r) == nil {
			t.Errorf("one byte %s: got accepted, want refused", name)
		}
	}
}
