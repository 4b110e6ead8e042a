package redisstore

import (
	"errors"
	"testing"

	"postern/gateway"
)

// A cursor that no page can have had is told as that, not as a store that fails.
func TestListFromNowhere(t *testing.T) {
	s := &Store{}
	for _, cursor := range []string{"x", "-1", "1.5", "99999999999999999999", "0 MATCH *"} {
		if _, _, err := s.List(t.Context(), "a:1", gateway.RecordContact, cursor, 10); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("cursor %q: got %v, want %v", cursor, err, gateway.ErrCursor)
		}
	}
}
