package console

import (
	"context"

	"postern/gateway"
)

// canaryView is how an adapter's canary does; nil where none is configured.
type canaryView struct {
	gateway.CanaryState
	Good, Bad bool // neither where the last one says nothing of the platform
	Words     string
	Slow      string
}

// canaryEnds is what came of the last canary, in words.
var canaryEnds = map[gateway.CanaryResult]string{
	"": "none was sent yet", gateway.CanaryOK: "came back", gateway.CanaryNoAnswer: "has not come back in time", gateway.CanaryFailed: "refused by the platform",
	gateway.CanaryRefused: "refused by the gateway", gateway.CanaryWaiting: "not sent: an earlier message waits", gateway.CanaryStopped: "not sent: the adapter is stopped",
	gateway.CanaryNoAccount: "not sent: its user has no account that works", gateway.CanaryNoContact: "not sent: its user has no such contact",
}

func (c *Console) canary(ctx context.Context, inst gateway.Instance) (*canaryView, error) {
	if inst.Canary.User == "" {
		return nil, nil
	}
	s, err := c.Control.Operations.CanaryState(ctx, inst.ID)
	if err != nil {
		return nil, err
	}
	v := &canaryView{CanaryState: s, Good: s.Result == gateway.CanaryOK, Words: canaryEnds[s.Result]}
	v.Bad = !v.Good && s.Result != "" && s.Result != gateway.CanaryStopped
	if !s.OK.IsZero() {
		v.Slow = took(s.Took.Seconds())
	}
	return v, nil
}
