package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"postern/gateway"
)

// What the operator's side changes, for /v1 and the console alike: each deed is written down, under the name of the token that does it,
// before it is done. What cannot be written down is not done.

// ReplayLetter tries one dead letter once more.
func (c Control) ReplayLetter(ctx context.Context, actor string, id gateway.LetterID) error {
	if len(id) > maxFiltered { // it is written down
		return gateway.ErrNotFound
	}
	if _, err := c.Audit.Add(ctx, actor, "dead-letter.replay", string(id)); err != nil {
		return err
	}
	return c.Operations.ReplayLetter(ctx, id)
}

// DropLetter forgets one.
func (c Control) DropLetter(ctx context.Context, actor string, id gateway.LetterID) error {
	if len(id) > maxFiltered { // it is written down
		return gateway.ErrNotFound
	}
	if _, err := c.Audit.Add(ctx, actor, "dead-letter.drop", string(id)); err != nil {
		return err
	}
	return c.Operations.DropLetter(ctx, id)
}

// ReplayLetters tries all that a filter takes once more.
func (c Control) ReplayLetters(ctx context.Context, actor string, f gateway.LetterFilter) (int, error) {
	if err := c.checkFilter(f); err != nil {
		return 0, err
	}
	if _, err := c.Audit.Add(ctx, actor, "dead-letters.replay", filterName(f)); err != nil {
		return 0, err
	}
	return c.Operations.ReplayLetters(ctx, f)
}

// DropLetters forgets them.
func (c Control) DropLetters(ctx context.Context, actor string, f gateway.LetterFilter) (int, error) {
	if err := c.checkFilter(f); err != nil {
		return 0, err
	}
	if _, err := c.Audit.Add(ctx, actor, "dead-letters.drop", filterName(f)); err != nil {
		return 0, err
	}
	return c.Operations.DropLetters(ctx, f)
}

// filterName is how the audit log names a filter.
func filterName(f gateway.LetterFilter) string {
	if f == (gateway.LetterFilter{}) {
		return "all"
	}
	return FilterQuery(f).Encode()
}

// FilterQuery is a filter as parameters, which Filter reads.
func FilterQuery(f gateway.LetterFilter) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"adapter": string(f.Adapter), "account": string(f.Account), "where": f.Where, "chat": f.Chat, "code": f.Code} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// maxFiltered is the most bytes of what dead letters are chosen by: a filter stands in the audit log.
const maxFiltered = 256

// Filter reads which dead letters are meant, out of parameters by name.
func (c Control) Filter(get func(string) string) (gateway.LetterFilter, error) {
	f := gateway.LetterFilter{
		Adapter: gateway.AdapterID(get("adapter")), Account: gateway.AccountID(get("account")), Where: get("where"), Chat: get("chat"), Code: get("code"),
	}
	return f, c.checkFilter(f)
}

// checkFilter says what is wrong with a filter, whoever brings it: /v1, the console, or an operator by chat.
func (c Control) checkFilter(f gateway.LetterFilter) error {
	for name, value := range map[string]string{"account": string(f.Account), "chat": f.Chat, "code": f.Code} {
		if len(value) > maxFiltered {
			return &wrong{name, fmt.Sprintf("It has at most %d bytes.", maxFiltered), false}
		}
	}
	switch f.Where {
	case "", "in", "out", "outbox", "webhook":
	default:
		return &wrong{"where", "It is in, out, outbox or webhook.", false}
	}
	known := f.Adapter == ""
	for _, i := range c.Instances {
		known = known || i.ID == f.Adapter
	}
	if !known {
		return &wrong{"adapter", "No adapter has this name.", false}
	}
	return nil
}

// ExportUser returns a page of what is held of a user, and writes down the first: gateway.ErrNoAccount when it is nothing,
// gateway.ErrCursor for a place that is none.
func (c Control) ExportUser(ctx context.Context, actor string, user gateway.UserID, after string) (page []gateway.Exported, next string, err error) {
	page, next, err = c.Users.Export(ctx, user, after)
	if err != nil {
		return nil, "", err
	}
	if after == "" { // once for all pages
		err = c.Users.WriteDeed(ctx, actor, "user.export", "", user)
	}
	return page, next, err
}

// EraseUser destroys all that is held of a user: gateway.ErrNoAccount when it is nothing.
func (c Control) EraseUser(ctx context.Context, actor string, user gateway.UserID) (ErasedView, error) {
	// Of who is unknown there is nothing to write down.
	if _, _, err := c.Users.Export(ctx, user, ""); errors.Is(err, gateway.ErrNoAccount) {
		return ErasedView{}, err
	}
	line, salt, err := c.Audit.AddAbout(ctx, actor, "user.erase", "", user)
	if err != nil {
		return ErasedView{}, err
	}
	got, err := c.Users.Erase(ctx, user)
	if err != nil && !errors.Is(err, gateway.ErrNoAccount) { // somebody else was faster
		return ErasedView{}, err
	}
	return ErasedView{got.Accounts, got.Pending, line.Seq, salt}, nil
}

// RevokeInvite makes an invite open nothing any more: gateway.ErrNotFound for what is none of the user's.
func (c Control) RevokeInvite(ctx context.Context, actor string, user gateway.UserID, id gateway.InviteID) (ProvedView, error) {
	if len(id) > maxFiltered { // it is written down
		return ProvedView{}, gateway.ErrNotFound
	}
	line, salt, err := c.Audit.AddAbout(ctx, actor, "invite.revoke", string(id), user)
	if err != nil {
		return ProvedView{}, err
	}
	return ProvedView{line.Seq, salt}, c.Users.RevokeInvite(ctx, user, id)
}
