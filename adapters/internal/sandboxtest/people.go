package sandboxtest

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"strings"

	"postern/adapters/adaptertest"
	"postern/adapters/control"
	"postern/gateway"
)

// Person is somebody with their chats.
func (b *Sandbox) Person(name string) (out control.PersonView) {
	b.T.Helper()
	b.Do(http.MethodGet, "/people/"+name, nil, &out)
	return out
}

// Say lets a person write to an account, and returns the message's id on the platform.
func (b *Sandbox) Say(person, to string, content control.Content) gateway.MessageID {
	b.T.Helper()
	var said control.Said
	b.Do(http.MethodPost, "/people/"+person+"/messages", control.SayIn{To: to, Content: &content}, &said)
	return gateway.MessageID(cmp.Or(said.Native, said.MessageID))
}

// Open lets a person open a chat.
func (b *Sandbox) Open(person string, in control.OpenIn) {
	b.T.Helper()
	b.Do(http.MethodPost, "/people/"+person+"/open", in, nil)
}

// Messages are those of a person's chats with an account, or with all of them when there is none named.
func (b *Sandbox) Messages(person, account string) (out []control.Message) {
	b.T.Helper()
	for _, c := range b.Person(person).Chats {
		if account != "" && c.User != account {
			continue
		}
		chat, err := b.Control.Chat(b.T.Context(), c.ID)
		if err != nil {
			b.T.Fatal(err)
		}
		out = append(out, chat.Messages...)
	}
	return out
}

// Received lists what the platform took, as package adaptertest wants it.
func (b *Sandbox) Received() (out []adaptertest.Received) {
	b.T.Helper()
	posts, err := b.Control.Posts(b.T.Context(), 0, 10000)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, p := range posts.Items {
		out = append(out, adaptertest.Received{Endpoint: gateway.Endpoint(p.Sender), ID: gateway.MessageID(cmp.Or(p.Native, p.MessageID)), Text: p.Text})
	}
	return out
}

// Make orders a file.
func (b *Sandbox) Make(order control.MediaIn) (part control.MediaPart) {
	b.T.Helper()
	b.Do(http.MethodPost, "/media", order, &part)
	return part
}

// File lets a person send a file of some size to an account, and returns it as its event names it, with its hash.
func (b *Sandbox) File(a gateway.Adapter, person, to string, size int64) (gateway.Media, []byte) {
	b.T.Helper()
	part := b.Make(control.MediaIn{Type: "application/pdf", Size: size, Name: "big.pdf"})
	return b.Arrived(a, b.Say(person, to, control.Content{Media: []control.MediaPart{part}})), b.hash(part)
}

// Arrived waits for a message that begins with a file, and returns that.
func (b *Sandbox) Arrived(a gateway.Adapter, id gateway.MessageID) (out gateway.Media) {
	b.T.Helper()
	w, ok := a.(gateway.Webhook)
	if !ok {
		b.T.Fatal("no webhooks")
	}
	b.WaitFor(w, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		if !ok || m.ID != id {
			return false
		}
		out, ok = m.Content.Parts[0].(gateway.Media)
		return ok
	})
	return out
}

// Stored is the hash and size of the file that an account sent in a message to a person.
func (b *Sandbox) Stored(person, native string) (sum []byte, size int64) {
	b.T.Helper()
	for _, m := range b.Messages(person, "") {
		if m.Native == native && m.FromUser && len(m.Content.Media) > 0 {
			return b.hash(m.Content.Media[0]), m.Content.Media[0].Size
		}
	}
	return nil, 0
}

func (b *Sandbox) hash(part control.MediaPart) []byte {
	b.T.Helper()
	sum, err := hex.DecodeString(part.SHA256)
	if err != nil {
		b.T.Fatal(err)
	}
	return sum
}

// Look lets a person take a name and a new picture.
func (b *Sandbox) Look(person, name string) {
	b.T.Helper()
	given, family, _ := strings.Cut(name, " ")
	picture := b.Make(control.MediaIn{Width: 64, Height: 64})
	b.Do(http.MethodPatch, "/people/"+person, map[string]string{"display": name, "first": given, "last": family, "avatar": picture.MediaID}, nil)
}

// Furnish gives the kit what is the same on every platform: people[i] writes to accounts[i], with texts and files.
func (b *Sandbox) Furnish(rig *adaptertest.Rig, people, accounts []string) {
	rig.Received, rig.Webhooks = b.Received, b.Webhooks
	rig.Say = func(i int, text string) gateway.MessageID { return b.Say(people[i], accounts[i], control.Text(text)) }
	rig.File = func(i int, size int64) gateway.Media {
		m, _ := b.File(rig.Adapter, people[i], accounts[i], size)
		return m
	}
}
