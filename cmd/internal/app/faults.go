package app

import (
	"postern/gateway"
	"postern/xmpp"
)

// faults is what a fault test breaks. Only a build with the tag chaos has any (probe_chaos.go).
type faults struct {
	probe  func(point string)
	store  func(gateway.Store) gateway.Store
	outbox func(xmpp.Outbox) xmpp.Outbox
}

func (f faults) onStore(s gateway.Store) gateway.Store {
	if f.store == nil {
		return s
	}
	return f.store(s)
}

func (f faults) onOutbox(o xmpp.Outbox) xmpp.Outbox {
	if f.outbox == nil {
		return o
	}
	return f.outbox(o)
}
