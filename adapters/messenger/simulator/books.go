package simulator

import (
	"crypto/rand"
	"strings"
	"time"

	"postern/adapters/internal/sandbox"
)

// books is what the platform keeps besides people and messages; it is gone after a reset.
type books struct {
	// codes are those of the login page, by the account that was chosen, or none for all.
	codes *sandbox.Expiring[grant]
	// tokens are those that logins gave.
	tokens *sandbox.Expiring[given]
	// started are the pages with a Get Started button.
	started map[string]bool
}

type grant struct{ account, redirect string }

// given is a token: of an account, or of a person where that is empty.
type given struct {
	account string
	short   bool
	made    time.Time
}

const (
	codeLife  = time.Hour
	shortLife = time.Hour
	longLife  = 60 * 24 * time.Hour
	maxTokens = 10_000
)

func newBooks() *books {
	return &books{codes: sandbox.NewExpiring[grant](1000), tokens: sandbox.NewExpiring[given](maxTokens), started: map[string]bool{}}
}

func booksOf(st *sandbox.State) *books {
	b, ok := st.Own.(*books)
	if !ok {
		b = newBooks()
		st.Own = b
	}
	return b
}

// give makes a token.
func (b *books) give(st *sandbox.State, g given) (token string, life time.Duration) {
	token, life = "IGAA"+rand.Text(), longLife
	if g.short {
		life = shortLife
	}
	g.made = st.Now()
	b.tokens.Add(token, g, st.Now().Add(st.Scale(life)), st.Now())
	return token, life
}

// accountOf finds whose token it is; nil where it is nobody's, or a person's.
func accountOf(st *sandbox.State, token string) *sandbox.Account {
	if a := st.AccountByToken(token); a != nil {
		return a
	}
	g, ok := booksOf(st).tokens.Get(token, st.Now())
	if !ok || g.account == "" {
		return nil
	}
	if a := st.Account(g.account); a != nil && !a.Revoked {
		return a
	}
	return nil
}

// ownChat is what the platform keeps of a chat.
type ownChat struct {
	// lastUser is when the person last wrote or pressed a button.
	lastUser time.Time
	// taken says that the app took the conversation from the inbox.
	taken bool
	// opened says that the chat began: Get Started is there once.
	opened bool
}

func chatOwn(c *sandbox.Chat) *ownChat {
	o, ok := c.Own.(*ownChat)
	if !ok {
		o = &ownChat{}
		c.Own = o
	}
	return o
}

// standby says that another app holds the conversation.
func standby(c *sandbox.Chat) bool { return c.Account.IDs[idInbox] == "true" && !chatOwn(c).taken }

// fileName keeps an address from being taken apart by a name.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '?' || r == '#' || r == '%' {
			return '_'
		}
		return r
	}, s)
}
