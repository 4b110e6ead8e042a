package doctor

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/gateway"
)

// asked is an adapter whose platform answers in a way, and publishes keys where it has some.
type asked struct {
	gateway.Adapter
	found string
	err   error
	keys  map[string][]byte
}

func (a asked) Probe(context.Context) (string, error) { return a.found, a.err }

func (a asked) WellKnown() map[string][]byte { return a.keys }

// TestPlatform judges what platforms answer.
func TestPlatform(t *testing.T) {
	refused := func(class gateway.Class, code string) error {
		return &gateway.SendError{Class: class, Code: code, Err: errors.New("a test")}
	}
	keys := map[string][]byte{"/.well-known/x": nil}
	for _, tt := range []struct {
		name  string
		a     asked
		runs  bool
		level Level
		text  string
	}{
		{"well", asked{found: "the bot @verona_bot"}, false, OK, "takes the credentials of the bot @verona_bot"},
		{"users' own", asked{}, false, OK, "each user brings their own account"},
		{"token revoked", asked{err: refused(gateway.ReauthNeeded, "401")}, false, Fault, "does not take the credentials"},
		{"out of reach", asked{err: refused(gateway.Retryable, "")}, false, Fault, "could not be asked"},
		{"out of reach, with keys", asked{err: refused(gateway.Retryable, ""), keys: keys}, false, Fault, "could not be asked"},
		{"too often", asked{err: refused(gateway.RateLimited, "429")}, false, Fault, "could not be asked"},
		{"keys not published yet", asked{err: refused(gateway.Retryable, "invalid_client"), keys: keys}, false, Loss, "only a gateway that runs publishes them"},
		{"keys not taken", asked{err: refused(gateway.Retryable, "invalid_client"), keys: keys}, true, Fault, "does not take the credentials"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
			i := v.parts.Instances[0]
			tt.a.Adapter = i.Adapter
			i.Adapter = tt.a
			if tt.runs {
				v.gateway = &running{}
			}
			v.platform(t.Context(), i)
			v.want(t, tt.level, tt.text)
		})
	}
}
