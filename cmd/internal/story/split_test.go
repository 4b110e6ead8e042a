//go:build servers

package story

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
	"postern/deploy/lab"
)

// behind puts a proxy between a process and one of its servers.
func (p *pair) behind(x *process, addr string) *lab.Proxy {
	p.Helper()
	way, err := ground.lab.StartProxy(p.ctx, addr)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = way.Close() })
	x.rewrite(addr, way.Addr())
	return way
}

// TestCutOffFromStore: a replica that does not reach Redis any more, but the server, refuses what users say, lets go of the
// component before its lease ends, and another takes over. Once it reaches Redis again, both share.
func TestCutOffFromStore(t *testing.T) {
	processes(t, func(s *stage) {
		p := preparePair(s)
		store, err := url.Parse(s.store)
		if err != nil {
			s.Fatal(err)
		}
		link := p.behind(p.first, store.Host)
		p.start()
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		n := c.Count()
		began := time.Now()
		link.Set(lab.Weather{Stall: true})
		id, err := c.Send(s.ctx, jid, "is anybody there?")
		if err != nil {
			s.Fatal(err)
		}
		p.second.said("xmpp stream up", 1)
		s.Logf("another process was the component %s after the cut", time.Since(began).Round(time.Millisecond))
		var said []string // by the process that was cut off, of its stream
		for line := range strings.Lines(p.first.log.String()) {
			if strings.Contains(line, "xmpp stream") || strings.Contains(line, "c:gatekeeper") {
				said = append(said, line)
			}
		}
		// It may connect once more while the lease is still its own: it cannot record what the server has confirmed.
		all := strings.Join(said, "")
		if lost, up := strings.LastIndex(all, "lease lost"), strings.LastIndex(all, "xmpp stream up"); lost < up || strings.LastIndex(all, "xmpp stream down") < lost {
			s.Errorf("the process that was cut off: want its lease lost and its stream down before another is up\n%s", all)
		}
		s.see(c, n, "refusal", func(m *user.Stanza) bool {
			return m.Type == "error" && m.ID == id && m.Condition == "resource-constraint"
		})
		p.shares(p.second)
		s.postern = p.second.postern
		s.talks(c, jid, "nurse")
		link.Set(lab.Weather{})
		p.shares(p.first, p.second)
		s.talks(c, jid, "nurse")
	})
}

// TestCutOffFromServer: a replica that does not reach the XMPP server any more, but Redis, gives the component to one that
// does, and keeps its shards.
func TestCutOffFromServer(t *testing.T) {
	processes(t, func(s *stage) {
		p := preparePair(s)
		link := p.behind(p.first, s.xmpp.ComponentAddr())
		p.start()
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		began := time.Now()
		link.Set(lab.Weather{Refuse: true})
		p.second.said("xmpp stream up", 1)
		s.Logf("another process was the component %s after the cut", time.Since(began).Round(time.Millisecond))
		p.shares(p.first, p.second)
		s.postern = p.second.postern
		s.talks(c, jid, "nurse")
		link.Set(lab.Weather{})
		p.first.said(`"reached":true`, 1)
		s.talks(c, jid, "nurse")
		if got := strings.Count(p.first.log.String(), "xmpp stream up"); got != 1 {
			s.Errorf("the process that was cut off connected again: %d streams, want the component to stay where it is", got)
		}
	})
}
