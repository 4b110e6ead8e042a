package simulator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/adapters/gatekeeper/simulator"
)

// say lets a person send content.
func (b *sandbox) say(person, to string, content obj) string {
	b.t.Helper()
	id, _ := b.control("POST", "/people/"+person+"/messages", obj{"to": to, "content": content})["message_id"].(string)
	return id
}

// put uploads bytes into a slot.
func (b *sandbox) put(as, id string, body []byte, headers ...string) *response {
	b.t.Helper()
	return b.call("PUT", "/v1/media/"+id+"/content", as, string(body), append([]string{"Content-Type", "application/octet-stream"}, headers...)...)
}

func (b *sandbox) slot(as string, body []byte) string {
	b.t.Helper()
	sum := sha256.Sum256(body)
	in := obj{"type": "image/png", "size": len(body), "sha256": hex.EncodeToString(sum[:]), "name": "rose.png", "ciphertext": false}
	return b.must(http.StatusCreated, "POST", "/v1/media", as, in).str("media_id")
}

func mediaContent(id string, body []byte) obj {
	sum := sha256.Sum256(body)
	return obj{"media": []obj{{"media_id": id, "kind": "image", "type": "image/png", "size": len(body), "sha256": hex.EncodeToString(sum[:])}}}
}

// Bytes go up whole or by ranges, are checked, and are read by nobody but those who were shown them.
func TestMediaUpload(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.MediaDir = t.TempDir() })
	usr := b.enlist(romeo)
	b.enlist("paris@montague.example")
	file := bytes.Repeat([]byte("rose"), 1000)

	id := b.slot(romeo, file)
	send := func(as string, content obj) *response {
		return b.call("POST", "/v1/messages", as, obj{"client_id": "c1", "sender": usr, "to": "gku_nurse", "mode": "plaintext", "content": content})
	}
	if got := send(romeo, mediaContent(id, file)); got.status != http.StatusNotFound || got.str("param") != "/content/media/0" {
		t.Errorf("before the bytes are there: got %d %s, want 404 about the part", got.status, got.raw)
	}
	for name, bad := range map[string][]byte{"short": file[:100], "long": append(bytes.Clone(file), 'x'), "other": bytes.Repeat([]byte("thorn"), 800)} {
		if got := b.put(romeo, id, bad); got.status != http.StatusBadRequest {
			t.Errorf("%s: got %d %s, want 400", name, got.status, got.raw)
		}
	}
	if got := b.put("paris@montague.example", id, file); got.status != http.StatusNotFound {
		t.Errorf("somebody else's slot: got %d %s, want 404", got.status, got.raw)
	}
	half := fmt.Sprintf("bytes 0-1999/%d", len(file))
	if got := b.put(romeo, id, file[:2000], "Content-Range", half); got.status != http.StatusAccepted || got.header.Get("Range") != "bytes=0-1999" {
		t.Errorf("first half: got %d %v %s", got.status, got.header, got.raw)
	}
	if got := b.put(romeo, id, file[2500:], "Content-Range", fmt.Sprintf("bytes 2500-%d/%d", len(file)-1, len(file))); got.status != http.StatusBadRequest {
		t.Errorf("a range after a gap: got %d %s, want 400", got.status, got.raw)
	}
	rest := fmt.Sprintf("bytes 2000-%d/%d", len(file)-1, len(file))
	if got := b.put(romeo, id, file[2000:], "Content-Range", rest); got.status != http.StatusOK || got.str("media_id") != id {
		t.Errorf("second half: got %d %s", got.status, got.raw)
	}
	if got := b.put(romeo, id, []byte("x")); got.status != http.StatusOK {
		t.Errorf("once more: got %d %s, want 200: what is there is not put again", got.status, got.raw)
	}
	if got := b.must(http.StatusOK, "GET", "/v1/media/"+id+"/content", romeo, nil); !bytes.Equal(got.raw, file) || got.header.Get("Content-Type") != "image/png" {
		t.Errorf("download: got %d bytes of %s, want %d of image/png", len(got.raw), got.header.Get("Content-Type"), len(file))
	}
	if got := b.must(http.StatusPartialContent, "GET", "/v1/media/"+id+"/content", romeo, nil, "Range", "bytes=4-7"); string(got.raw) != "rose" {
		t.Errorf("range: got %q, want rose", got.raw)
	}
	for _, path := range []string{"/v1/media/" + id, "/v1/media/" + id + "/content"} {
		if got := b.call("GET", path, "paris@montague.example", nil); got.status != http.StatusNotFound {
			t.Errorf("%s as another user: got %d, want 404", path, got.status)
		}
	}
	if got := send(romeo, mediaContent(id, file)); got.status != http.StatusAccepted {
		t.Errorf("message: got %d %s, want 202", got.status, got.raw)
	}
	if got := send(romeo, mediaContent(id, file[:4])); got.status != http.StatusBadRequest {
		t.Errorf("a part that lies about its object: got %d %s, want 400", got.status, got.raw)
	}
	b.control("PATCH", "/limits", obj{"media_bytes": 10, "media_types": []string{"audio/*"}})
	sum := strings.Repeat("ab", 32)
	if got := b.call("POST", "/v1/media", romeo, obj{"type": "audio/ogg", "size": 11, "sha256": sum, "ciphertext": false}); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: got %d %s, want 413", got.status, got.raw)
	}
	if got := b.call("POST", "/v1/media", romeo, obj{"type": "image/png", "size": 3, "sha256": sum, "ciphertext": false}); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("other type: got %d %s, want 415", got.status, got.raw)
	}
}

// Files are made to order: pictures that decode, and any number of bytes that are never whole in memory.
func TestMadeMedia(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.MediaDir = t.TempDir() })
	usr := b.enlist(romeo)
	picture := b.control("POST", "/media", obj{"width": 40, "height": 30, "seed": 7, "name": "juliet.png", "thumb": "data:image/png;base64,iVBORw0KGgo="})
	large := b.control("POST", "/media", obj{"type": "application/pdf", "size": 5 << 20, "kind": "file"})
	b.say("nurse", usr, obj{"media": []obj{picture, large}, "text": "look"})
	got := b.must(http.StatusOK, "GET", "/v1/media/"+picture["media_id"].(string)+"/content", romeo, nil)
	if img, err := png.DecodeConfig(bytes.NewReader(got.raw)); err != nil || img.Width != 40 || img.Height != 30 {
		t.Errorf("picture: got %dx%d and %v, want 40x30", img.Width, img.Height, err)
	}
	got = b.must(http.StatusOK, "GET", "/v1/media/"+large["media_id"].(string)+"/content", romeo, nil)
	if sum := sha256.Sum256(got.raw); hex.EncodeToString(sum[:]) != large["sha256"] || len(got.raw) != 5<<20 || !bytes.HasPrefix(got.raw, []byte("%PDF")) {
		t.Errorf("large file: got %d bytes with hash %x, want %v with %v", len(got.raw), sum, large["size"], large["sha256"])
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, origin+"/sandbox/v1/media?name=a.svg", strings.NewReader("<svg/>"))
	r.Header.Set("Content-Type", "image/svg+xml")
	b.sim.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"image/svg+xml"`) {
		t.Errorf("raw upload: got %d %s", w.Code, w.Body)
	}
	for name, bad := range map[string]obj{"nothing": {}, "huge picture": {"width": 5000, "height": 1}, "huge file": {"size": 2 << 30}} {
		if status, out := b.tryControl("POST", "/media", bad); status != http.StatusBadRequest {
			t.Errorf("%s: got %d %v, want 400", name, status, out)
		}
	}
}

// Everything a person can send and do reaches the partner as the document says; the harness holds each event against it.
func TestEverythingAPersonDoes(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.MediaDir = t.TempDir() })
	defer b.run()()
	usr := b.enlist(romeo)
	voice := b.control("POST", "/media", obj{"type": "audio/ogg", "size": 4000, "kind": "voice", "duration_ms": 4200, "view_once": true})
	sticker := b.control("POST", "/media", obj{"width": 64, "height": 64, "kind": "sticker", "emoji": "🌹"})
	poll := obj{"poll": obj{"question": "Balcony?", "options": []obj{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}}
	for _, content := range []obj{
		{"media": []obj{voice}},
		{"media": []obj{sticker}},
		{"location": obj{"latitude": 45.44, "longitude": 10.99, "live_until": "2100-01-01T00:00:00.000Z"}},
		{"contact": obj{"name": "Nurse", "phones": []string{"+390450000"}}},
		poll,
		{"interactive": obj{"body": "Which?", "choices": []obj{{"id": "1", "title": "this"}}}},
		{"text": "see https://verona.example/", "spans": []obj{{"start": 0, "length": 3, "style": "spoiler"}}, "previews": []obj{{"url": "https://verona.example/", "title": "Verona"}}},
	} {
		b.say("juliet", usr, content)
	}
	id := b.say("juliet", usr, obj{"location": obj{"latitude": 1, "longitude": 2, "live_until": "2100-01-01T00:00:00.000Z"}})
	b.control("PATCH", "/messages/"+id, obj{"content": obj{"location": obj{"latitude": 1, "longitude": 3, "live_until": "2100-01-01T00:00:00.000Z"}}})
	b.control("PATCH", "/messages/"+id, obj{"content": obj{"location": obj{"latitude": 1, "longitude": 4}}})
	picture := b.control("POST", "/media", obj{"width": 64, "height": 64})
	b.control("PATCH", "/people/juliet", obj{"display": "Juliet Montague", "avatar": picture["media_id"]})
	b.control("PUT", "/people/juliet/presence", obj{"available": true})
	b.control("PUT", "/people/juliet/presence", obj{"available": false})
	call := b.control("POST", "/people/juliet/calls", obj{"to": usr, "state": "ringing", "video": true})
	b.control("POST", "/people/juliet/calls", obj{"to": usr, "state": "ended", "call_id": call["call_id"], "duration_s": 60})
	b.idle()
	want := map[string]int{"message.received": 8, "message.updated": 1, "profile.updated": 1, "presence.changed": 2, "call.changed": 2}
	got := map[string]int{}
	for _, e := range b.received("") {
		got[e.Type]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events: -want +got:\n%s", diff)
	}
	profile := b.must(http.StatusOK, "GET", "/v1/users/gku_juliet/profile", romeo, nil)
	if profile.str("display") != "Juliet Montague" || profile.body["avatar"].(obj)["media_id"] != picture["media_id"] {
		t.Errorf("profile: got %s", profile.raw)
	}
	b.must(http.StatusOK, "GET", "/v1/media/"+picture["media_id"].(string)+"/content", romeo, nil)
	b.enlist("paris@montague.example")
	b.must(http.StatusNotFound, "GET", "/v1/users/gku_juliet/profile", "paris@montague.example", nil)
	b.must(http.StatusNotFound, "GET", "/v1/media/"+picture["media_id"].(string), "paris@montague.example", nil)
}

// What the user does in the gatekeeper's own app is told as the user's.
func TestNativeApp(t *testing.T) {
	b := newSandbox(t, nil)
	defer b.run()()
	usr := b.enlist(romeo)
	theirs := b.say("juliet", usr, obj{"text": "good morrow"})
	mine := b.control("POST", "/users/"+romeo+"/messages", obj{"to": "juliet", "text": "from my pocket", "reply_to": theirs})["message_id"].(string)
	b.control("PATCH", "/users/"+romeo+"/messages/"+mine, obj{"text": "from my other pocket"})
	b.control("PUT", "/users/"+romeo+"/messages/"+theirs+"/reactions", obj{"emojis": []string{"🌹"}})
	b.control("POST", "/users/"+romeo+"/read", obj{"to": "juliet"})
	b.control("DELETE", "/users/"+romeo+"/messages/"+mine, nil)
	if status, _ := b.tryControl("PATCH", "/users/"+romeo+"/messages/"+theirs, obj{"text": "no"}); status != http.StatusBadRequest {
		t.Errorf("editing the person's message as the user: got %d, want 400", status)
	}
	b.idle()
	var got []string
	for _, e := range b.received("")[1:] {
		got = append(got, fmt.Sprintf("%d %s %v", e.Seq, e.Type, e.Data["from"] == usr))
	}
	want := []string{"2 message.received true", "3 message.updated true", "4 reaction.changed true", "5 conversation.read true", "6 message.retracted true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events: -want +got:\n%s", diff)
	}
}

// Every feature can be switched off: what a user asks is refused, what a person does is not told or becomes a notice, and the
// directory and capability.changed say so.
func TestSwitches(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.MediaDir, c.Without = t.TempDir(), []string{"previews"} })
	defer b.run()()
	usr := b.enlist(romeo)
	theirs := b.say("nurse", usr, obj{"text": "hello"})
	sent := b.must(http.StatusAccepted, "POST", "/v1/messages", romeo, message("c1", usr, "gku_nurse", "hello")).str("message_id")
	sticker := b.control("POST", "/media", obj{"width": 64, "height": 64, "kind": "sticker"})
	with := func(content obj, more ...any) obj {
		m := obj{"client_id": "c2", "sender": usr, "to": "gku_nurse", "mode": "plaintext", "content": content}
		for i := 0; i+1 < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	poll := obj{"question": "?", "options": []obj{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}
	tests := []struct {
		feature, method, path string
		body                  any
	}{
		{"previews", "POST", "/v1/messages", with(obj{"text": "x", "previews": []obj{{"url": "https://verona.example/"}}})},
		{"spans", "POST", "/v1/messages", with(obj{"text": "x", "spans": []obj{{"start": 0, "length": 1, "style": "bold"}}})},
		{"reply_out", "POST", "/v1/messages", with(obj{"text": "x"}, "reply_to", theirs)},
		{"media", "POST", "/v1/messages", with(mediaContent("med_1", nil))},
		{"sticker", "POST", "/v1/messages", with(obj{"media": []obj{sticker}})},
		{"location", "POST", "/v1/messages", with(obj{"location": obj{"latitude": 1, "longitude": 2}})},
		{"contact", "POST", "/v1/messages", with(obj{"contact": obj{"name": "x"}})},
		{"poll", "POST", "/v1/messages", with(obj{"poll": poll})},
		{"answer", "POST", "/v1/messages", with(obj{"answer": obj{"choices": []obj{}}}, "reply_to", theirs)},
		{"edit_out", "PATCH", "/v1/messages/" + sent, obj{"content": obj{"text": "x"}}},
		{"retract_out", "DELETE", "/v1/messages/" + sent, nil},
		{"react_out", "PUT", "/v1/messages/" + theirs + "/reactions", obj{"reactions": []string{"👍"}}},
		{"read_out", "POST", "/v1/receipts", obj{"receipts": []obj{{"conversation": "gku_nurse", "state": "read", "up_to": theirs}}}},
		{"typing_out", "POST", "/v1/conversations/gku_nurse/typing", obj{"state": "composing"}},
		{"profile", "GET", "/v1/users/gku_nurse/profile", nil},
		{"blocks", "PUT", "/v1/blocks/gku_nurse", nil},
		{"reports", "POST", "/v1/reports", obj{"accused": "gku_nurse", "category": "spam", "good_faith": true}},
	}
	for _, tt := range tests {
		b.control("PATCH", "/capabilities", obj{tt.feature: "unavailable"})
		if got := b.call(tt.method, tt.path, romeo, tt.body); got.status != http.StatusNotImplemented || got.str("code") != "feature_unavailable" {
			t.Errorf("%s: got %d %s, want 501 feature_unavailable", tt.feature, got.status, got.raw)
		}
		b.control("PATCH", "/capabilities", obj{tt.feature: "native"})
	}
	b.idle()
	before := len(b.received(""))
	off := obj{}
	for _, f := range []string{"media", "location", "poll", "spans", "reply_in", "edit", "react_in", "typing_in", "presence", "profile", "call_events"} {
		off[f] = "unavailable"
	}
	b.control("PATCH", "/capabilities", off)
	b.say("nurse", usr, obj{"media": []obj{sticker}, "text": "a caption"})
	b.say("nurse", usr, obj{"location": obj{"latitude": 1, "longitude": 2}})
	b.say("nurse", usr, obj{"poll": poll})
	b.say("nurse", usr, obj{"text": "x", "spans": []obj{{"start": 0, "length": 1, "style": "bold"}}})
	b.control("PATCH", "/messages/"+theirs, obj{"text": "hidden"})
	b.control("PUT", "/messages/"+sent+"/reactions", obj{"emojis": []string{"👍"}})
	b.control("POST", "/people/nurse/typing", obj{"to": usr, "state": "composing"})
	b.control("PUT", "/people/nurse/presence", obj{"available": true})
	b.control("PATCH", "/people/nurse", obj{"display": "Angelica"})
	b.control("POST", "/people/nurse/calls", obj{"to": usr, "state": "missed"})
	b.idle()
	var got []string
	for _, e := range b.received("")[before:] {
		if e.Type == "capability.changed" {
			continue
		}
		got = append(got, fmt.Sprintf("%s %v", e.Type, e.Data["content"]))
	}
	want := []string{
		"message.received map[text:a caption unsupported:sticker]", "message.received map[unsupported:location]",
		"message.received map[unsupported:poll]", "message.received map[text:x]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events while much is off: -want +got:\n%s", diff)
	}
	dir := b.must(http.StatusOK, "GET", "/.well-known/gia", "", nil).body["features"].(obj)
	if dir["media"] != "unavailable" || dir["edit_out"] != "unavailable" || dir["edit_in"] != "unavailable" || dir["retract_out"] != "native" {
		t.Errorf("directory: got media %v, edit %v and %v, retract %v", dir["media"], dir["edit_out"], dir["edit_in"], dir["retract_out"])
	}
	b.control("PATCH", "/capabilities", obj{"edit": "native", "edit_in": "unavailable"}) // a direction's own word counts
	dir = b.must(http.StatusOK, "GET", "/.well-known/gia", "", nil).body["features"].(obj)
	if dir["edit_out"] != "native" || dir["edit_in"] != "unavailable" || dir["edit"] != nil {
		t.Errorf("directory: got edit_out %v, edit_in %v, edit %v; want one direction, and no name for both", dir["edit_out"], dir["edit_in"], dir["edit"])
	}
	for _, bad := range []obj{{"colour": "native"}, {"text": "unavailable"}, {"edit": "sometimes"}} {
		if status, _ := b.tryControl("PATCH", "/capabilities", bad); status != http.StatusBadRequest {
			t.Errorf("%v: got %d, want 400", bad, status)
		}
	}
}

// The echo persona says what it hears, files and all, and answers polls.
func TestEchoOfEverything(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.MediaDir = t.TempDir() })
	usr := b.enlist(romeo)
	file := []byte("not quite a picture")
	id := b.slot(romeo, file)
	b.put(romeo, id, file)
	for i, content := range []obj{mediaContent(id, file), {"poll": obj{"question": "?", "options": []obj{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}}} {
		b.must(http.StatusAccepted, "POST", "/v1/messages", romeo, obj{"client_id": fmt.Sprint(i), "sender": usr, "to": "gku_echo", "mode": "plaintext", "content": content})
	}
	for _, kind := range []string{"media", "answer"} {
		got := b.control("POST", "/wait", obj{"kind": "message", "person": "echo", "direction": "to_user", "has": kind})
		if got["ok"] != true {
			t.Errorf("%s: got %v, want the echo's", kind, got)
		}
	}
}
