package simulator

import (
	"strconv"
	"time"

	"postern/adapters/internal/sandbox"
)

// books is what the platform keeps besides people and messages; it is gone after a reset.
type books struct {
	// appHook is the app's own address of a number's webhooks, under an override.
	appHook map[string]string
	// handles are media ids: thirty days for uploads, seven for what came in a webhook.
	handles *sandbox.Expiring[handle]
	next    int64
	// codes are those of the sign-up page, by the number that was chosen.
	codes *sandbox.Expiring[grant]
}

type handle struct{ file, number string }

type grant struct{ number, redirect string }

const (
	uploadLife  = 30 * 24 * time.Hour
	inboundLife = 7 * 24 * time.Hour
	codeLife    = 10 * time.Minute
	maxHandles  = 100_000
)

func newBooks() *books {
	return &books{appHook: map[string]string{}, handles: sandbox.NewExpiring[handle](maxHandles), codes: sandbox.NewExpiring[grant](1000), next: 1037543291543636}
}

func booksOf(st *sandbox.State) *books {
	b, ok := st.Own.(*books)
	if !ok {
		b = newBooks()
		st.Own = b
	}
	return b
}

// name gives a file a media id, good for one number.
func (b *books) name(file, number string, life time.Duration, now time.Time) string {
	b.next++
	id := strconv.FormatInt(b.next, 10)
	b.handles.Add(id, handle{file, number}, now.Add(life), now)
	return id
}

func (b *books) handle(id string, now time.Time) *handle {
	if h, ok := b.handles.Get(id, now); ok {
		return &h
	}
	return nil
}

// ownChat is what the platform keeps of a chat.
type ownChat struct {
	// lastUser is when the person last wrote or called: opening a chat opens no window.
	lastUser time.Time
	// shut is true while the number blocks the person.
	shut bool
}

func chatOwn(c *sandbox.Chat) *ownChat {
	o, ok := c.Own.(*ownChat)
	if !ok {
		o = &ownChat{}
		c.Own = o
	}
	return o
}

// chatWith finds a number's chat with a person by any id of theirs; nil when there is none.
func chatWith(st *sandbox.State, a *sandbox.Account, who string) *sandbox.Chat {
	p := st.PersonNamed(who)
	if p == nil {
		return nil
	}
	for _, c := range a.Chats() {
		if c.Person == p {
			return c
		}
	}
	return nil
}
