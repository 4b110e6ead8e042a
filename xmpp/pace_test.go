package xmpp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"postern/gateway"
	"postern/xmpp/conformance"
)

// burstMax is what no second may hold more of.
const burstMax = 200

// crowd gives romeo n contacts with pictures.
func crowd(r *gatewayRig, n int) {
	r.gw.pictures = map[gateway.Alias]gateway.Picture{}
	for i := range n {
		alias := gateway.Alias(fmt.Sprintf("c%04d", i))
		r.gw.contacts["romeo@example"][alias] = "Somebody"
		r.gw.pictures[alias] = gateway.Picture{MIME: "image/png", Bytes: []byte("picture"), SHA1: fmt.Sprintf("%040d", i), Width: 64, Height: 64}
		r.gw.presence = append(r.gw.presence, gateway.Rendering{
			Component: testDomain, From: alias, To: "romeo@example", What: gateway.ShowPresence{Available: true, Avatar: fmt.Sprintf("%040d", i)},
		})
	}
	r.gw.farewell = r.gw.presence
}

// watch collects n stanzas, apart from iqs, with the time each came.
func (r *gatewayRig) watch(n int) (came []time.Time, kinds map[string]int) {
	r.t.Helper()
	kinds = map[string]int{}
	for len(came) < n {
		st := r.Next(r.t)
		if strings.HasPrefix(st.Raw, "<iq") {
			continue
		}
		kinds[st.Raw[1:strings.IndexByte(st.Raw, ' ')]]++
		came = append(came, time.Now())
	}
	return came, kinds
}

func atPace(t *testing.T, came []time.Time) {
	t.Helper()
	for i := range came {
		if i >= burstMax && came[i].Sub(came[i-burstMax]) <= time.Second {
			t.Fatalf("%d stanzas within %s, want at most %d in a second", burstMax+1, came[i].Sub(came[i-burstMax]), burstMax)
		}
	}
}

const capsVer = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' ver='%s'/>"

// wantsAvatars is the description of a client that hears of pictures.
func wantsAvatars() discoInfo {
	return discoInfo{
		identities: []discoIdentity{{category: "client", typ: "phone", name: "Client"}},
		features:   []string{nsDiscoInfo, nsAvatarMetadata + "+notify"},
	}
}

// appear sends a client's presence to the gateway and answers what it is asked.
func (r *gatewayRig) appear(who string, d discoInfo) {
	r.t.Helper()
	r.Send(r.t, "<presence from='"+who+"' to='gw.example'>"+fmt.Sprintf(capsVer, d.ver())+"</presence>")
	q := r.Expect(r.t, "<iq", nsDiscoInfo)
	el, err := ParseElement([]byte(q.Raw))
	if err != nil {
		r.t.Fatal(err)
	}
	r.Send(r.t, "<iq type='result' id='"+el.ID()+"' from='"+el.Attr("to")+"' to='gw.example'>"+d.element(el.FirstChild().Attr("node")).String()+"</iq>")
}

// A thousand contacts share one caps hash: a client that remembers asks once (XEP-0115 §1).
func TestCrowdHasOneDescription(t *testing.T) {
	bubble(t, func(r *gatewayRig) { crowd(r, 1000) }, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 13)
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'/>")
		vers := map[string]int{}
		for range 1000 {
			vers[r.element().Child(nsCaps, "c").Attr("ver")]++
		}
		proof.That(len(vers) == 1 && vers[r.c.profile.cVer] == 1000, "got caps %v, want one for all", vers)
	})
}

// A thousand contacts and their pictures go out at the pace; what somebody says meanwhile does not wait.
func TestCrowdGoesAtPace(t *testing.T) {
	bubble(t, func(r *gatewayRig) { crowd(r, 1000) }, func(t *testing.T, r *gatewayRig) {
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'>"+fmt.Sprintf(capsVer, wantsAvatars().ver())+"</presence>")
		came, _ := r.watch(500) // presence comes while the client has not said yet what it is
		began := time.Now()
		r.outbox.batches <- []gateway.Waiting{{Bytes: []byte("<message from='anna7@gw.example/gateway' to='romeo@example' id='m1'><body>hi</body></message>"), At: began}}
		synctest.Wait()
		for {
			st := r.Next(t)
			if strings.Contains(st.Raw, "id='m1'") {
				break
			}
			if strings.HasPrefix(st.Raw, "<presence") {
				came = append(came, time.Now())
			}
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a message waited %s behind presence", took)
		}
		more, _ := r.watch(1000 - len(came))
		atPace(t, append(came, more...))
	})
}

func TestAvatarsGoAtPace(t *testing.T) {
	bubble(t, func(r *gatewayRig) { crowd(r, 1000) }, func(t *testing.T, r *gatewayRig) {
		r.gw.mu.Lock()
		r.gw.presence = r.gw.presence[:1]
		r.gw.mu.Unlock()
		r.Send(t, "<presence from='romeo@example/other' to='gw.example'/>") // no caps: nothing is known of it
		r.watch(1)
		r.gw.mu.Lock()
		r.gw.presence = nil
		r.gw.mu.Unlock()
		r.appear("romeo@example/phone", wantsAvatars())
		came, kinds := r.watch(1000)
		atPace(t, came)
		if kinds["message"] != 1000 {
			t.Errorf("got %v, want 1000 pictures", kinds)
		}
		if took := came[len(came)-1].Sub(came[0]); took > 12*time.Second {
			t.Errorf("took %s, want about 10 s", took)
		}
		// The same client again, and another of the same program, which is asked no more.
		r.silent("<presence from='romeo@example/phone' to='gw.example'>" + fmt.Sprintf(capsVer, wantsAvatars().ver()) + "</presence>")
		r.Send(t, "<presence from='romeo@example/tablet' to='gw.example'>"+fmt.Sprintf(capsVer, wantsAvatars().ver())+"</presence>")
		r.Expect(t, "<message", "to='romeo@example/tablet'", "type='headline'", nsAvatarMetadata)
		_, kinds = r.watch(999)
		if kinds["message"] != 999 {
			t.Errorf("got %v", kinds)
		}
	})
}

// Tens of thousands of contacts wait as one, and are read as they are told of; who else is there waits no longer than for a page.
func TestCrowdIsReadAsItIsTold(t *testing.T) {
	const contacts = 20_000
	bubble(t, func(r *gatewayRig) { crowd(r, contacts) }, func(t *testing.T, r *gatewayRig) {
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'/>")
		r.watch(500)
		r.gw.mu.Lock()
		pages := r.gw.pages
		r.gw.mu.Unlock()
		if pages > 12 {
			t.Errorf("%d pages were read for the first 500 contacts, want as many as are told of", pages)
		}
		live := r.c.live.Load()
		live.pace.mu.Lock()
		waiting := live.pace.queue.Len()
		live.pace.mu.Unlock()
		if waiting > 1 {
			t.Errorf("%d wait, want the user alone", waiting)
		}
		r.gw.mu.Lock()
		r.gw.presence = r.gw.presence[:600]
		r.gw.mu.Unlock()
		r.watch(100)
		r.silent("<iq type='result' id='x' from='example' to='gw.example'/>")
	})
}

// A goodbye to a thousand goes at a pace too, and nobody is left out.
func TestFarewellGoesAtPace(t *testing.T) {
	bubble(t, func(r *gatewayRig) { crowd(r, 1000) }, func(t *testing.T, r *gatewayRig) {
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'/>")
		came, _ := r.watch(500)
		r.stop()
		more, _ := r.watch(1000) // some of the greetings were under way; the rest is left unsaid
		atPace(t, append(came, more...))
		r.CloseStream(t)
	})
}

// 50,000 probes at once, twice, hold no more than the queue; each contact is answered once.
func TestProbesAreBounded(t *testing.T) {
	p := newPacer(rate.NewLimiter(rate.Inf, 1))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const probes = 50_000
	for range 3 {
		for i := range probes {
			g := gateway.Rendering{Component: testDomain, From: gateway.Alias(fmt.Sprintf("c%d", i%50)), To: gateway.UserID(fmt.Sprintf("u%d@example", i/50)), Resource: "phone", What: gateway.ShowPresence{Available: true}}
			if !p.offer(g) {
				t.Fatalf("probe %d dropped", i)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 48<<20 {
		t.Errorf("%d probes hold %d bytes", probes, grown)
	}
	for i := range 2 * paceMax {
		p.offer(gateway.Rendering{Component: testDomain, From: gateway.Alias(fmt.Sprintf("d%d", i)), To: "u@example", What: gateway.ShowPresence{}})
	}
	if n := p.queue.Len(); n != paceMax {
		t.Errorf("got %d queued, want %d", n, paceMax)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := map[string]int{}
	p.run(ctx, nil, func(_ context.Context, n *paced) error {
		seen[n.key]++
		if len(seen) == paceMax {
			cancel()
		}
		return ctx.Err()
	})
	for key, n := range seen {
		if n != 1 {
			t.Fatalf("%s told %d times", key, n)
		}
	}
}

// Who waits for room waits no longer than the stream lives: a worker is at stake.
func TestNobodyWaitsForAnEndedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(rate.NewLimiter(rate.Every(time.Hour), 1))
		show := func(i int) gateway.Rendering {
			return gateway.Rendering{From: gateway.Alias(fmt.Sprint("c", i)), To: "u@example", What: gateway.ShowPresence{}}
		}
		for i := range paceAhead {
			p.offer(show(i))
		}
		waited := make(chan error, 1)
		go func() { waited <- p.await(t.Context(), show(paceMax)) }()
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatalf("got %v at once, want to wait for room", err)
		default:
		}
		ended, end := context.WithCancel(t.Context())
		end()
		p.run(ended, nil, func(context.Context, *paced) error { return nil })
		if err := <-waited; !errors.Is(err, errPaceOver) {
			t.Errorf("got %v, want %v", err, errPaceOver)
		}
	})
}

// News that replaces older news takes its place at the end: what came between is older.
func TestNewsKeepsOrder(t *testing.T) {
	p := newPacer(rate.NewLimiter(rate.Inf, 1))
	show := func(resource string, available bool) {
		p.offer(gateway.Rendering{From: "c", To: "u@example", Resource: resource, What: gateway.ShowPresence{Available: available}})
	}
	show("", true)
	show("phone", true)
	show("", false)
	p.offerRaw([]byte("<presence from='c@gw.example/gateway' to='u@example'/>"))
	p.offerRaw([]byte("<presence from='c@gw.example/gateway' to='u@example' type='unavailable'/>"))
	var got []string
	for {
		n, ok := p.take()
		if !ok {
			break
		}
		if n.raw != nil {
			got = append(got, string(n.raw))
			continue
		}
		got = append(got, fmt.Sprintf("%q %v", n.g.Resource, n.g.What.(gateway.ShowPresence).Available))
	}
	want := []string{`"phone" true`, `"" false`, "<presence from='c@gw.example/gateway' to='u@example' type='unavailable'/>"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
