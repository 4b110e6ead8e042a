package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestBacklogBringsNoPastBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		old := said("juliet", "n1", "long ago", 1)
		old.At = time.Now().Add(-40 * 24 * time.Hour)
		m := &missing{platform: p, kept: []gateway.Event{old, said("juliet", "n2", "just lost", 2)}}
		r.adapter = m
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		if err := r.event(said("juliet", "n3", "new", 3)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		var lines []string
		for _, l := range texts(r.wire.lines()) {
			if _, text, ok := strings.Cut(l, `"`); ok {
				lines = append(lines, text)
			}
		}
		diff(t, "lines", lines, []string{`just lost"`, `new"`})
	})
}

// TestMissingEventsAreAskedForAgain: a platform that is busy when it is asked keeps the event all the same.
func TestMissingEventsAreAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails int
		after time.Duration
		want  []string
	}{
		{"soon", 3, 20 * time.Second, []string{`lost"`, `new"`}},
		{"waiting", 1000, 30 * time.Second, nil},
		{"never", 1000, 2 * time.Minute, []string{`new"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.adapter = &missing{platform: p, fails: c.fails, kept: []gateway.Event{said("juliet", "n1", "lost", 1)}}
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				if err := r.event(said("juliet", "n2", "new", 2)); err != nil {
					t.Fatal(err)
				}
				gatewaytest.Advance(c.after)
				var lines []string
				for _, l := range texts(r.wire.lines()) {
					if _, text, ok := strings.Cut(l, `"`); ok {
						lines = append(lines, text)
					}
				}
				diff(t, "lines", lines, c.want)
			})
		})
	}
}
