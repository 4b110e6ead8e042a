package xmpp

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestIQAnswers(t *testing.T) {
	upload, _ := ParseJID("upload.example")
	tests := []struct {
		name   string
		answer string // %s is the request's id
		want   string // condition of the error, "result" or "timeout"
	}{
		{"result", "<iq type='result' from='upload.example' to='gw.example' id='%s'/>", "result"},
		{"error", "<iq type='error' from='upload.example' to='gw.example' id='%s'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", "resource-constraint"},
		{"error without condition", "<iq type='error' from='upload.example' to='gw.example' id='%s'/>", "undefined-condition"},
		{"another peer", "<iq type='result' from='mallory@evil.example' to='gw.example' id='%s'/>", "timeout"},
		{"another type", "<iq type='set' from='upload.example' to='gw.example' id='%s'><x xmlns='x'/></iq>", "timeout"},
		{"another id", "<iq type='result' from='upload.example' to='gw.example' id='x%s'/>", "timeout"},
		{"foreign from", "<iq type='result' xmlns:e='e' e:from='upload.example' from='mallory@evil.example' to='gw.example' id='%s'/>", "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				result := make(chan error, 1)
				began := time.Now()
				go func() {
					_, err := r.iq(t.Context(), NewIQ(r.self, upload, "get", NewElement("urn:xmpp:http:upload:0", "request")))
					result <- err
				}()
				req := r.server.Expect(t, "to='upload.example'", "from='gw.example'", "type='get'")
				if got := len(req.Attr["id"]); got < 22 {
					t.Errorf("id of %d characters, want 128 random bits", got)
				}
				r.server.Send(t, fmt.Sprintf(tt.answer, req.Attr["id"]))
				err := <-result
				var stanzaErr *StanzaError
				switch tt.want {
				case "result":
					if err != nil {
						t.Errorf("got %v, want a result", err)
					}
				case "timeout":
					if errors.As(err, &stanzaErr) || time.Since(began) != iqTimeout {
						t.Errorf("got %v after %v, want a timeout", err, time.Since(began))
					}
				default:
					if !errors.As(err, &stanzaErr) || string(stanzaErr.Condition) != tt.want {
						t.Errorf("got %v, want %s", err, tt.want)
					}
				}
				if got := len(r.iqs.waiting); got != 0 {
					t.Errorf("got %d requests left in the table, want 0", got)
				}
			})
		})
	}
}

// A handler may ask and wait for the answer: answers do not queue behind it.
func TestIQInsideHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan error, 1)
		var r *rig
		take := make(chan func(context.Context, *Element), 1)
		d := &dispatcher{workers: 1, log: nil, count: (&counter{}).count, handle: func(ctx context.Context, el *Element) {
			_, err := r.iq(ctx, NewIQ(el.To(), el.From(), "get", NewElement(nsDiscoInfo, "query")))
			answered <- err
		}}
		finish := make(chan struct{})
		go d.run(t.Context(), func(f func(context.Context, *Element)) {
			take <- f
			<-finish
		})
		defer close(finish)
		r = newRig(t, <-take)
		r.server.Send(t, "<message from='u@example/r' to='c@gw.example' id='1'/>")
		req := r.server.Expect(t, "disco#info")
		r.server.Send(t, fmt.Sprintf("<iq type='result' from='u@example/r' to='c@gw.example' id='%s'/>", req.Attr["id"]))
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

func TestIQFailsAtDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.server.MutePings(true)
		results := make(chan error, 2)
		go func() {
			_, err := r.iq(t.Context(), r.pingRequest())
			results <- err
		}()
		go func() { results <- r.barrier(t.Context()) }()
		r.server.Next(t)
		r.server.Next(t)
		began := time.Now()
		r.server.Drop()
		for range 2 {
			if err := <-results; err == nil {
				t.Error("got nil, want the reason of the disconnect")
			}
		}
		if got := time.Since(began); got != 0 {
			t.Errorf("failed after %v, want at once", got)
		}
	})
}

// A server with two connections for one component gives an answer to either; one that was lost that way is asked for again.
func TestBarrierAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.server.MutePings(true)
		began := time.Now()
		result := make(chan error, 1)
		go func() { result <- r.barrier(t.Context()) }()
		answer := func(id string) {
			r.server.Send(t, "<iq type='result' from='example' to='gw.example' id='"+id+"'/>")
		}
		first := r.server.Expect(t, "urn:xmpp:ping").Attr["id"]
		second := r.server.Expect(t, "urn:xmpp:ping").Attr["id"]
		answer(second)
		if err, took := <-result, time.Since(began); err != nil || took != barrierAgain || first == second {
			t.Errorf("got %v after %v, ids %s and %s, want none after %v, by another id", err, took, first, second, barrierAgain)
		}
		answer(first)
		synctest.Wait()
		if got := r.events.of(eventStrayResult); got != 0 {
			t.Errorf("got %d stray results, want that the late one was asked for", got)
		}
	})
}

func TestBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		if err := r.barrier(t.Context()); err != nil {
			t.Errorf("answered ping: %v", err)
		}
		r.server.MutePings(true)
		result := make(chan error, 1)
		go func() { result <- r.barrier(t.Context()) }()
		req := r.server.Expect(t, "urn:xmpp:ping", "to='example'")
		r.server.Send(t, fmt.Sprintf("<iq type='error' from='example' to='gw.example' id='%s'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", req.Attr["id"]))
		if err := <-result; err != nil {
			t.Errorf("an error is an answer too: %v", err)
		}
		began := time.Now()
		if err := r.barrier(t.Context()); !errors.Is(err, errBarrierTimeout) || time.Since(began) != barrierTimeout {
			t.Errorf("got %v after %v, want a timeout after %v", err, time.Since(began), barrierTimeout)
		}
	})
}
