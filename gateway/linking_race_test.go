package gateway_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// betweenLooks is a store in which something happens right after somebody looked for an endpoint in vain.
type betweenLooks struct {
	*memstore.Store
	once sync.Once
	then func()
}

func (b *betweenLooks) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	got, err := b.Store.Load(ctx, keys...)
	if len(keys) == 1 && keys[0].Kind == gateway.RecordEndpoint && got[0] == nil && b.then != nil {
		b.once.Do(b.then)
	}
	return got, err
}

// What a platform sends for an account is taken, also when its registration ends just between our looking for the account and
// for a registration under way.
func TestLinkEndsBetweenTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		store := &betweenLooks{Store: r.store.(*memstore.Store)}
		r.store, r.identity = store, gateway.NewIdentity(store, r.keys)
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		store.then = func() {
			_, err := gateway.NewIdentity(store.Store, r.keys).Create(t.Context(), gateway.Account{
				Adapter: wall, Endpoint: "ep2", User: "juliet@example.org", Standing: gateway.AccountActive,
			})
			if err != nil {
				t.Error(err)
			}
		}
		ev := said("nurse", "n1", "just in time", 0)
		ev.Endpoint = "ep2"
		if err := r.event(ev); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 2 {
			t.Errorf("got %q, want the message at the new user's", got)
		}
	})
}
