package gateway

import (
	"context"
	"fmt"
	"slices"
)

// speaker says to a person on a line who is writing, where they are connected with more than one user: "Romeo: " of whom they
// write to, "Romeo (/switch 2): " of another. Empty where nobody could be meant but one.
func (w *outWalk) speaker(ctx context.Context) (string, *verdict) {
	if !w.account.Shared || w.account.isLine() {
		return "", nil
	}
	if _, ok := opContent(w.out.Op.Body); !ok {
		return "", nil
	}
	known, err := w.o.g.identity.guest(ctx, w.inst.ID, w.account.Endpoint, w.contact.ID)
	if err != nil {
		return "", new(w.o.storeFailed(ctx, err))
	}
	if len(known.Accounts) < 2 {
		return "", nil
	}
	users, err := w.o.g.identity.connected(ctx, known)
	if err != nil {
		return "", new(w.o.storeFailed(ctx, err))
	}
	n := slices.IndexFunc(users, func(a *Account) bool { return a.ID == w.account.ID })
	switch {
	case len(users) < 2 || n < 0:
		return "", nil
	case known.Active == w.account.ID:
		return w.account.called() + ": ", nil
	}
	return fmt.Sprintf("%s (/switch %d): ", w.account.called(), n+1), nil
}

// spoken puts the speaker before what an op says.
func spoken(b OpBody, speaker string) OpBody {
	if speaker == "" {
		return b
	}
	switch b := b.(type) {
	case OpMessage:
		b.Content = prefixed(speaker, b.Content)
		return b
	case OpEdit:
		b.Content = prefixed(speaker, b.Content)
		return b
	case OpRetract, OpReact, OpMarkRead, OpAnswer, OpTyping, OpReopen, OpGroup:
	}
	return b
}
