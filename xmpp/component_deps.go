package xmpp

import (
	"context"

	"postern/gateway"
)

// Conversations takes what users say to contacts.
type Conversations interface {
	// Ask takes one op; nil means that it is stored (typing is passed on at once, or dropped). A *gateway.Refusal goes to
	// the sender. digest tells resends of one stanza from two stanzas with one id.
	Ask(ctx context.Context, out gateway.Outbound, digest []byte) error
	// Echoed tells whether an id is that of a stanza which we had the server say in a user's name, and which came back.
	Echoed(id gateway.StanzaID) bool
	// Bounced reports that the server returned a stanza of ours.
	Bounced(ctx context.Context, adapter gateway.AdapterID, alias gateway.Alias, user gateway.UserID, id gateway.StanzaID, condition string) error
	// CallDeclined tells a user, once a day for each contact, that calls do not pass.
	CallDeclined(ctx context.Context, v gateway.Visitor, alias gateway.Alias) error
	// Show stores renderings for the outbox.
	Show(ctx context.Context, adapter gateway.AdapterID, r ...gateway.Rendering) error
}

// Presences decides about presence and knows what a contact can do.
type Presences interface {
	// Presence returns what to show at once; the alias is empty for the gateway itself.
	Presence(ctx context.Context, v gateway.Visitor, alias gateway.Alias, kind gateway.PresenceKind) ([]gateway.Rendering, error)
	// Returns reports, once after Greet has asked, that a user is there and wants to see their contacts. Contacts returns a page of how
	// those look and the name of the next; the first page has no name, and none follows the last.
	Returns(v gateway.Visitor) bool
	Contacts(ctx context.Context, v gateway.Visitor, page string) (shown []gateway.Rendering, next string, err error)
	// Greet yields what every registered user is shown when the component connects, Farewell when it stops.
	Greet(ctx context.Context, adapter gateway.AdapterID, yield func(gateway.Rendering) error) error
	Farewell(ctx context.Context, adapter gateway.AdapterID, yield func(gateway.Rendering) error) error
	// News yields what every registered user is shown each time when an order of the operator's changes it, until ctx ends.
	News(ctx context.Context, adapter gateway.AdapterID, yield func(gateway.Rendering) error) error
	// Caps returns what a visitor's chat with a contact supports. gateway.ErrNoContact when it is not theirs.
	Caps(ctx context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.Caps, *gateway.Contact, error)
}

// Profiles knows how contacts look. Each answers gateway.ErrNoContact or gateway.ErrNoAccount for what is not the visitor's.
type Profiles interface {
	Card(ctx context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.Card, error)
	// Picture returns what is stored under a SHA-1, RecallPicture also asks the platform for it.
	Picture(ctx context.Context, v gateway.Visitor, alias gateway.Alias, sha1 string) (gateway.Picture, error)
	RecallPicture(ctx context.Context, v gateway.Visitor, alias gateway.Alias, sha1 string) (gateway.Picture, error)
	// Avatars yields what to show a client that has come of all its user's contacts.
	Avatars(ctx context.Context, v gateway.Visitor, yield func(gateway.Rendering) error) error
}

// Rosters knows how contacts stand in the rosters of their users.
type Rosters interface {
	// RosterItem returns what a contact's entry should be. gateway.ErrNoContact when it is not theirs.
	RosterItem(ctx context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.RosterItem, error)
	// RosterItems calls f for each contact of a user.
	RosterItems(ctx context.Context, v gateway.Visitor, f func(gateway.RosterItem) error) error
	// Listed records that a contact stands in the roster, under a name that we gave it, and returns what to show then;
	// as is empty for a name that the user chose. Unlisted records that the user took it out.
	Listed(ctx context.Context, v gateway.Visitor, alias gateway.Alias, as string) ([]gateway.Rendering, error)
	Unlisted(ctx context.Context, v gateway.Visitor, alias gateway.Alias) error
}

// Gateway is the domain as a component needs it; *gateway.Gateway implements it.
type Gateway interface {
	Conversations
	Presences
	Profiles
	Rosters
}

// Dialogues runs what users ask of the gateway itself, step by step.
type Dialogues interface {
	Start(ctx context.Context, v gateway.Visitor, node string) (gateway.Reply, error)
	Continue(ctx context.Context, v gateway.Visitor, session string, act gateway.Action, answers map[string]string) (gateway.Reply, error)
	Say(ctx context.Context, v gateway.Visitor, text string) (gateway.Reply, error)
	Remove(ctx context.Context, v gateway.Visitor) (gateway.Reply, error)
}

// Desk is the front desk; *gateway.Desk implements it.
type Desk interface {
	Dialogues
	Commands(ctx context.Context, v gateway.Visitor) ([]gateway.Command, error)
	Registered(ctx context.Context, v gateway.Visitor) (shown string, ok bool, err error)
	Resolve(ctx context.Context, v gateway.Visitor, query string) (gateway.Alias, error)
	Search(ctx context.Context, v gateway.Visitor, name, identifier string) ([]gateway.Found, error)
	Prompt(v gateway.Visitor) (desc, prompt string)
}

// Outbox holds the component's lease and the stanzas that wait; *gateway.Outbox
// implements it.
type Outbox interface {
	// Acquire takes the lease; release gives it back, or lets it run out.
	Acquire(ctx context.Context) (lost <-chan struct{}, release func(free bool), err error)
	// Pump writes what waits until ctx ends or the wire fails.
	Pump(ctx context.Context, w gateway.Wire) error
	// Decline says whether the server is out of reach from here.
	Decline(on bool)
	// Overtaken reports whether another replica may have become the component while this one stood still.
	Overtaken() bool
}

var (
	_ Gateway = (*gateway.Gateway)(nil)
	_ Desk    = (*gateway.Desk)(nil)
	_ Outbox  = (*gateway.Outbox)(nil)
)
