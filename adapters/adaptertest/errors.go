package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"postern/gateway"
)

func (h Harness) errors(t *testing.T) {
	b := h.open(t)
	for _, c := range h.Errors {
		t.Run(c.Name, func(t *testing.T) {
			header := c.Header.Clone()
			if header == nil {
				header = http.Header{}
			}
			b.wire.Set(always(Fault{Kind: FaultAnswer, Status: c.Status, Header: header, Body: c.Body}))
			body := c.Op
			if body == nil {
				body = text("for an error")
			}
			_, err := b.send(t.Context(), 0, b.opTo(0, body))
			se, ok := errors.AsType[*gateway.SendError](err) // send has checked that nothing wraps it
			if !ok {
				t.Fatalf("got %v, want class %s", err, c.Class)
			}
			if se.Class != c.Class || c.Code != "" && se.Code != c.Code || se.RetryAfter != c.RetryAfter {
				t.Errorf("got class %s, code %q, retry after %s; want %s, %q, %s", se.Class, se.Code, se.RetryAfter, c.Class, c.Code, c.RetryAfter)
			}
			if c.Scope != "" && se.Scope != c.Scope {
				t.Errorf("got scope %q, want %q", se.Scope, c.Scope)
			}
		})
	}
	general := []struct {
		name  string
		fault Fault
		want  gateway.Class
	}{
		{"connection refused", Fault{Kind: FaultDial}, gateway.Retryable},
		{"time-out after the body", Fault{Kind: FaultLose}, gateway.Uncertain},
		{"accepted, but unreadable", Fault{Kind: FaultAnswer, Status: 200, Body: "<html>"}, gateway.Uncertain},
		{"broken gateway", Fault{Kind: FaultAnswer, Status: 502, Body: "<html>" + canary + "</html>"}, gateway.Uncertain},
		{"too many", Fault{Kind: FaultAnswer, Status: 429, Header: http.Header{"Retry-After": {"7"}}}, gateway.RateLimited},
	}
	for _, g := range general {
		t.Run(g.name, func(t *testing.T) {
			if g.fault.Header == nil {
				g.fault.Header = http.Header{}
			}
			b.wire.Set(always(g.fault))
			_, err := b.send(t.Context(), 0, b.opTo(0, text("for an error")))
			if err == nil || gateway.ClassOf(err) != g.want {
				t.Errorf("got %v, want class %s", err, g.want)
			}
			if se, ok := errors.AsType[*gateway.SendError](err); ok && g.want == gateway.RateLimited && se.RetryAfter != 7*time.Second {
				t.Errorf("retry after: got %s, want 7s", se.RetryAfter)
			}
		})
	}
	t.Run("deadline", func(t *testing.T) {
		b.wire.Set(always(Fault{Kind: FaultHang}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := b.send(ctx, 0, b.opTo(0, text("late")))
		if c := gateway.ClassOf(err); err == nil || c != gateway.Retryable && c != gateway.Uncertain {
			t.Errorf("got %v, want class retryable or uncertain", err)
		}
	})
}
