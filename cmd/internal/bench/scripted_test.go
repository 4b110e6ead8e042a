//go:build servers && bench

package bench

import (
	"fmt"
	"os"
	"strings"

	"postern/cmd/internal/chaos/stand"
)

// measureScripted introduces the people on the real server, and then has Postern talk with one that costs next to nothing.
func (r *rig) measureScripted(name string) System {
	r.t.Helper()
	ctx := r.t.Context()
	p, addresses, _ := r.populate(ctx, "scripted", chats)
	defer p.Kill()
	if err := p.Stop(ctx); err != nil {
		r.t.Fatal(err)
	}
	server, err := NewScripted(ctx, r.arrived)
	if err != nil {
		r.t.Fatal(err)
	}
	defer server.Close()
	config, err := os.ReadFile(p.Config())
	if err != nil {
		r.t.Fatal(err)
	}
	other := strings.Replace(string(config), fmt.Sprintf("component: %q", r.XMPP.ComponentAddr()), fmt.Sprintf("component: %q", server.Addr()), 1)
	if other == string(config) {
		r.t.Fatal("the address of the server is not where it was in the configuration")
	}
	if err := os.WriteFile(p.Config(), []byte(other), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.start(ctx, p, profiles(name)...)
	r.Hook(p)
	if err := stand.Poll(ctx, func() error { return server.write(" ") }); err != nil { // the component connects by itself
		r.t.Fatal(err)
	}
	g := posternOf(p, addresses)
	g.speak = func(chat int, text, extra string) error { return server.Say(chat%users, addresses[chat], text, extra) }
	return r.measure(name, g)
}
