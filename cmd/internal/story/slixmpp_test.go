//go:build servers

package story

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/deploy/lab"
)

// python is the interpreter that Debian's packages are for; another one on the path does not see them.
const python = "/usr/bin/python3"

// otherClient is a conversation between a person and testdata/client.py.
type otherClient struct {
	*stage
	jid          string
	answer, line string // ids of what the person said and of what the user did
	rose         mediaPart
}

const (
	otherSays = "wherefore & <why>?"
	nurseSays = "because & <so>"
)

// acts are what the person does when the client has got so far.
var acts = map[string]func(*otherClient){
	"receipt": func(o *otherClient) {
		o.line = o.got(wait{Text: otherSays}).ID
		o.control(http.MethodPost, "/people/nurse/read", map[string]any{"to": o.jid}, nil)
	},
	"displayed": func(o *otherClient) {
		o.control(http.MethodPost, "/people/nurse/typing", map[string]any{"to": o.jid, "state": "composing"}, nil)
		o.answer = o.say("nurse", o.jid, nurseSays).MessageID
	},
	"read":      func(o *otherClient) { o.got(wait{Direction: "to_user", Text: nurseSays, Status: "read"}) },
	"corrected": func(o *otherClient) { o.got(wait{Text: otherSays + " (corrected)", Edited: true}) },
	"reacted":   func(o *otherClient) { o.got(wait{Direction: "to_user", Text: nurseSays, Reaction: "👍"}) },
	"replied": func(o *otherClient) {
		if reply := o.got(wait{Text: "my reply"}); reply.ReplyTo != o.answer {
			o.Errorf("reply: got an answer to %q, want to %q", reply.ReplyTo, o.answer)
		}
	},
	"retracted": func(o *otherClient) { o.got(wait{Retracted: true}) },
	"changes, please": func(o *otherClient) {
		o.control(http.MethodPut, "/messages/"+o.line+"/reactions", map[string]any{"emojis": []string{"🌹"}}, nil)
		o.control(http.MethodPatch, "/messages/"+o.answer, map[string]any{"text": nurseSays + " (corrected)"}, nil)
		o.control(http.MethodPost, "/people/nurse/messages", map[string]any{"to": o.jid, "text": "their reply", "reply_to": o.line}, nil)
		o.control(http.MethodDelete, "/messages/"+o.answer, nil, nil)
	},
	"file sent": func(o *otherClient) {
		o.got(wait{Has: "media"})
		o.rose = o.drawn(7)
		o.shares("nurse", o.jid, "", o.rose)
	},
	"picture, please": func(o *otherClient) {
		o.control(http.MethodPatch, "/people/nurse", map[string]any{"avatar": o.drawn(8).MediaID}, nil)
	},
}

// drawn is a picture, another one for each seed.
func (b *sandbox) drawn(seed int) mediaPart {
	b.t.Helper()
	return b.made(map[string]any{"width": 320, "height": 240, "seed": seed})
}

// got waits for one message of the chat.
func (o *otherClient) got(w wait) message {
	o.Helper()
	w.Kind, w.Person, w.User = "message", "nurse", o.jid
	if w.Direction == "" {
		w.Direction = "to_person"
	}
	return hold[message](o.sandbox, w)[0]
}

// TestOtherClient plays everything with a client that nobody here wrote.
func TestOtherClient(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import slixmpp, aiohttp").CombinedOutput(); err != nil {
		t.Fatalf("slixmpp is missing: apt-get install python3-slixmpp python3-aiohttp: %v\n%s", err, out)
	}
	both(t, func(s *stage) {
		local := "slix" + s.n
		if err := s.xmpp.AddUser(s.ctx, lab.Login{User: local, Password: "p"}); err != nil {
			s.Fatal(err)
		}
		o := &otherClient{stage: s, jid: local + "@localhost"}
		host, port, err := net.SplitHostPort(s.xmpp.ClientAddr())
		if err != nil {
			s.Fatal(err)
		}
		client := exec.CommandContext(s.ctx, python, "testdata/client.py", host, port, o.jid, "p", s.gw, "nurse@capulet.example", otherSays, nurseSays)
		var errs bytes.Buffer
		client.Stderr = &errs
		out, err := client.StdoutPipe()
		if err == nil {
			err = client.Start()
		}
		if err != nil {
			s.Fatal(err)
		}
		var steps []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			steps = append(steps, lines.Text())
			if act := acts[lines.Text()]; act != nil {
				act(o)
			}
		}
		if err := client.Wait(); err != nil {
			s.Errorf("client: %v\n%s\n%s", err, &errs, s.log.tail())
		}
		want := []string{
			"found", "registered", "receipt of the consent", "gateway online", "added", "contact online", "receipt", "displayed", "typing", "answer", "roster", "read",
			"corrected", "reacted", "replied", "retracted", "changes, please", "reaction", "correction", "reply", "retraction",
			"prompt", "search", "file sent", "file", "bytes " + o.rose.SHA256, "picture, please", "picture by vCard", "vCard", "picture by PEP",
		}
		if diff := cmp.Diff(want, steps); diff != "" {
			s.Errorf("steps, want - got +\n%s", diff)
		}
	})
}
