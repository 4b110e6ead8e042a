package xmpp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"postern/gateway"
)

// A stanza is blamed for the end of a stream only where it can have caused it.
func TestWhoEndedTheStream(t *testing.T) {
	for _, tt := range []struct {
		err       error
		blameless bool
	}{
		{&StreamError{Condition: "system-shutdown"}, true},
		{&StreamError{Condition: "conflict"}, true},
		{errBarrierTimeout, true},
		{errDead, true},
		{errLocalClose, true},
		{fmt.Errorf("xmpp: barrier: %w", context.Canceled), true},
		{&StreamError{Condition: "not-well-formed"}, false},
		{&StreamError{Condition: "policy-violation"}, false},
		{errClosedByServer, false},
		{io.EOF, false},
	} {
		open := &wire{stream: &stream{ended: make(chan struct{})}}
		ended := &wire{stream: &stream{ended: make(chan struct{}), reason: tt.err}}
		close(ended.stream.ended)
		for _, got := range []error{open.because(tt.err), ended.because(context.Canceled)} {
			if errors.Is(got, gateway.ErrBlameless) != tt.blameless || !errors.Is(got, tt.err) {
				t.Errorf("%v: got %v, want blameless %v", tt.err, got, tt.blameless)
			}
		}
	}
}
