//go:build servers

package load

import (
	"strings"
	"testing"
)

// TestMixed is the small run: 500 messages each way.
func TestMixed(t *testing.T) { mixed(t, 2, 5, 500) }

// mixed plays so many messages each way, or a few more: the same number in every chat.
func mixed(t *testing.T, users, people, messages int) {
	t.Helper()
	const seed = 1
	r := newRig(t, users, people, seed)
	chats := len(r.sides) * r.chats()
	results := r.play(t.Context(), (messages+chats-1)/chats)
	t.Logf("each kind of fault at %.0f %% of requests; webhooks repeated %d times as fast as the platforms do\n%s", 100*share, speed, Table(results))
	for _, res := range results {
		if p := res.Problems(); len(p) > 0 {
			t.Errorf("%d problems:\n%s", len(p), strings.Join(p[:min(len(p), 20)], "\n"))
		}
	}
}
