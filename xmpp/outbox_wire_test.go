package xmpp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"postern/gateway"
)

// A stanza is blamed for the end of a stream only where it can have caused it.
func TestWhoEndedTheStream(t *testing.T) {
	for _, tt := range []struct {
		err       error
		blameless bool
		broken    bool
	}{
		{&StreamError{Condition: "system-shutdown"}, true, true},
		{&StreamError{Condition: "conflict"}, true, false},
		{errDead, true, false},
		{errBarrierTimeout, true, true}, // never the end of a stream by itself
		{errLocalClose, true, false},
		{&StreamError{Condition: "not-well-formed"}, false, false},
		{&StreamError{Condition: "policy-violation"}, false, false},
		{errClosedByServer, false, true},
		{io.EOF, false, true},
		{fmt.Errorf("xmpp: read: %w", syscall.ECONNRESET), false, true},
	} {
		open := &wire{stream: &stream{ended: make(chan struct{})}}
		ended := &wire{stream: &stream{ended: make(chan struct{}), reason: tt.err, over: time.Now()}}
		close(ended.stream.ended)
		for _, got := range []error{open.because(tt.err), ended.because(context.Canceled)} {
			if errors.Is(got, gateway.ErrBlameless) != tt.blameless || !errors.Is(got, tt.err) {
				t.Errorf("%v: got %v, want blameless %v", tt.err, got, tt.blameless)
			}
		}
		if !open.Broke().IsZero() || ended.Broke().IsZero() == tt.broken {
			t.Errorf("%v: got broken at %s while it lives, %s then, want %t", tt.err, open.Broke(), ended.Broke(), tt.broken)
		}
	}
}
