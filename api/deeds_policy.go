package api

import (
	"context"
	"strings"
	"time"
	"unicode"

	"postern/gateway"
)

// Orders are what the operator orders while the gateway runs; *gateway.Orders are.
type Orders interface {
	Stop(ctx context.Context, s gateway.Stop) error
	// Start and Unblock return gateway.ErrNotFound where there is nothing to take back, Block gateway.ErrFull where there is no room.
	Start(ctx context.Context, a gateway.AdapterID) error
	Stopped(a gateway.AdapterID) (gateway.Stop, bool)
	Block(ctx context.Context, b gateway.Block) error
	Unblock(ctx context.Context, who string) error
	Blocks() []gateway.Block
}

// maxReason is the most characters of a reason.
const maxReason = 500

// StopAdapter stops an adapter: nothing goes out or comes in until it is started again.
func (c Control) StopAdapter(ctx context.Context, actor string, a gateway.AdapterID, reason string) error {
	if err := c.known(a); err != nil {
		return err
	}
	reason, err := checkReason(reason)
	if err != nil {
		return err
	}
	if _, err := c.Audit.Add(ctx, actor, "adapter.stop", string(a)); err != nil {
		return err
	}
	return c.Orders.Stop(ctx, gateway.Stop{Adapter: a, Reason: reason, By: actor, At: time.Now().UTC().Truncate(time.Second)})
}

// StartAdapter lets a stopped adapter go on: gateway.ErrNotFound for one that is not stopped.
func (c Control) StartAdapter(ctx context.Context, actor string, a gateway.AdapterID) error {
	if err := c.known(a); err != nil {
		return err
	}
	if _, err := c.Audit.Add(ctx, actor, "adapter.start", string(a)); err != nil {
		return err
	}
	return c.Orders.Start(ctx, a)
}

// Block lets a user, or all users of a domain, not use the gateway.
func (c Control) Block(ctx context.Context, actor, who, reason string) (ProvedView, error) {
	who, err := c.subject(who)
	if err != nil {
		return ProvedView{}, err
	}
	if reason, err = checkReason(reason); err != nil {
		return ProvedView{}, err
	}
	line, salt, err := c.Audit.AddAbout(ctx, actor, "user.block", "", gateway.UserID(who))
	if err != nil {
		return ProvedView{}, err
	}
	err = c.Orders.Block(ctx, gateway.Block{Who: who, Reason: reason, By: actor, At: time.Now().UTC().Truncate(time.Second)})
	return ProvedView{line.Seq, salt}, err
}

// Unblock takes a block back: gateway.ErrNotFound for who is not blocked.
func (c Control) Unblock(ctx context.Context, actor, who string) (ProvedView, error) {
	who, err := c.subject(who)
	if err != nil {
		return ProvedView{}, err
	}
	line, salt, err := c.Audit.AddAbout(ctx, actor, "user.unblock", "", gateway.UserID(who))
	if err != nil {
		return ProvedView{}, err
	}
	return ProvedView{line.Seq, salt}, c.Orders.Unblock(ctx, who)
}

func (c Control) known(a gateway.AdapterID) error {
	for _, i := range c.Instances {
		if i.ID == a {
			return nil
		}
	}
	return gateway.ErrNotFound
}

// subject reads the bare JID of a user, or a domain.
func (c Control) subject(s string) (string, error) {
	if !strings.Contains(s, "@") {
		domain, err := c.ParseDomain(s)
		if err != nil {
			return "", &wrong{"jid", "It is no bare JID and no domain, such as romeo@example.org or example.org.", false}
		}
		return domain, nil
	}
	user, err := c.ParseUser(s)
	if err != nil {
		return "", &wrong{"jid", "It is no bare JID and no domain, such as romeo@example.org or example.org.", false}
	}
	return string(user), nil
}

// checkReason wants a text that users can be told.
func checkReason(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || len([]rune(s)) > maxReason || strings.ContainsFunc(s, unicode.IsControl) {
		return "", &wrong{"reason", "It is what users are told: a text of 1 to 500 characters, on one line.", false}
	}
	return s, nil
}
