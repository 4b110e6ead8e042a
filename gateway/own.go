package gateway

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
)

// ownTag is how many characters mark the id of an own stanza, 60 bits: one that the server hands back to us is told from
// a user's message by its id alone, without a look into the store.
const ownTag = 12

// stanzaIDLength is how many characters an id has before its mark.
const stanzaIDLength = 26

// OwnID computes the XMPP id of a part of what the user wrote in the platform's own app.
func (k *AccountKeys) OwnID(m MessageID, part int) StanzaID {
	return markOwn(k.own, k.StanzaID(m, part))
}

// OwnDerivedID is DerivedID for what the user did in the platform's own app.
func (k *AccountKeys) OwnDerivedID(purpose, of string) StanzaID {
	return markOwn(k.own, k.DerivedID(purpose, of))
}

// ownKey is the key of the marks, the same for all accounts of a store.
func ownKey(master []byte) (*macKey, error) {
	raw, err := hkdf.Key(sha256.New, master, nil, "postern own stanzas v1", KeySize)
	return newMacKey(raw), err
}

func markOwn(key *macKey, id StanzaID) StanzaID {
	return id + StanzaID(key.text(ownTag, string(id)))
}

// own reports whether an id is one that OwnID or OwnDerivedID made, or that of a further piece of such a stanza, which has
// a dot and a number behind it.
func (k *Keyring) own(id StanzaID) bool {
	whole, _, _ := strings.Cut(string(id), ".")
	if len(whole) != stanzaIDLength+ownTag {
		return false
	}
	return hmac.Equal([]byte(whole), []byte(markOwn(k.ownStanzas, StanzaID(whole[:stanzaIDLength]))))
}

// Echoed reports whether a stanza is our own that came back. What we say in a user's name, their server routes to the
// contact, and so to us, as if the user had said it (XEP-0356 §6): it goes nowhere, else the platform had it twice.
func (g *Gateway) Echoed(id StanzaID) bool { return g.keys.own(id) }

// stanzaID names a part of the event's message: an own one is marked.
func (w *inWalk) stanzaID(m MessageID, part int) StanzaID {
	if w.in.Event.FromMe {
		return w.account.Keys.OwnID(m, part)
	}
	return w.account.Keys.StanzaID(m, part)
}

// changeID names what the event shows of an earlier message.
func (w *inWalk) changeID(purpose string) StanzaID {
	if w.in.Event.FromMe {
		return w.account.Keys.OwnDerivedID(purpose, w.in.Event.Dedupe)
	}
	return w.derived(purpose)
}

// act shows what somebody did: the contact, or the user in the platform's own app.
func (w *inWalk) act(what Shown) {
	w.add(what)
	w.show[len(w.show)-1].Own = w.in.Event.FromMe
}

// echoed reports whether a message of the user is the platform's echo of what they sent from here.
func (w *inWalk) echoed(ctx context.Context, m MessageID) (bool, *verdict) {
	if !w.in.Event.FromMe {
		return false, nil
	}
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byNative, string(m))
	if err != nil {
		return false, new(w.o.storeFailed(ctx, err))
	}
	known, ok := got[string(m)]
	return ok && known.Stanza != w.stanzaID(m, 0), nil // a second try of this event knows its own id
}

// remember keeps the ids of a message both ways, so that edits, answers and reactions from either side find it.
func (w *inWalk) remember(m MessageID, ids []StanzaID) {
	for _, id := range ids {
		line := mapped{IDs: []MessageID{m}}
		if w.in.Event.FromMe {
			line.Mine, line.At = true, w.shownAt()
		}
		w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byStanza, string(id), line))
	}
	if w.in.Event.FromMe {
		line := mapped{Stanza: ids[0], Mine: true, Receipt: true, Markable: true}
		w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byNative, string(m), line))
	}
}

// seen shows that the user read the chat elsewhere (XEP-0333). A place in the user's archive, which XEP-0490 wants, has a
// name that only their server knows.
func (w *inWalk) seen(ctx context.Context, b Seen) *verdict {
	of, mine, v := w.find(ctx, b.UpTo)
	if v != nil || of == "" || mine {
		return v
	}
	w.act(ShowDisplayed{ID: w.account.Keys.OwnDerivedID("seen", string(of)), Of: of})
	return nil
}
