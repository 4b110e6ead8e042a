//go:build servers

package load

import "postern/adapters/control"

// share is how many of all requests meet each kind of fault.
const share = 0.05

// faults are those of a platform in a turn: they change between two kinds of refusal and of lost answers, which a simulator
// cannot have at once.
func (p Platform) faults(n int) control.Faults {
	f := control.Faults{
		ErrorRate: share, LimitRate: share, TimeoutRate: share, TimeoutHoldMS: 1000, // a proxy gives up
		WebhookReplayRate: share, WebhookBadSignatureRate: share,
	}
	if n%2 == 1 {
		f.TimeoutHoldMS = 9000 // longer than an adapter waits
	}
	if n%2 == 1 && (!p.Minutes || n == 1 || n == 31) {
		f.LimitRetryAfterS = 1
	}
	if p.Keeps {
		f.WebhookDropRate, f.WebhookParallel, f.WebhookStaleRate = share, 4, share
	}
	return f
}
