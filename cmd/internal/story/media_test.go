//go:build servers

package story

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
	"postern/deploy"
)

const (
	nsOOB    = "jabber:x:oob"
	nsUpload = "urn:xmpp:http:upload:0"
)

// mediaPart is a file of a message, as the control API takes and shows it.
type mediaPart struct {
	MediaID string `json:"media_id,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Type    string `json:"type,omitempty"`
	Size    int64  `json:"size,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Name    string `json:"name,omitempty"`
}

// mediaMessage is a message with files.
type mediaMessage struct {
	ID      string `json:"id"`
	Content struct {
		Text  string      `json:"text"`
		Media []mediaPart `json:"media"`
	} `json:"content"`
}

// made has the sandbox make a file.
func (b *sandbox) made(order map[string]any) mediaPart {
	b.t.Helper()
	var out mediaPart
	b.control(http.MethodPost, "/media", order, &out)
	return out
}

// shares makes a person send files with a caption.
func (b *sandbox) shares(person, to, caption string, files ...mediaPart) said {
	b.t.Helper()
	content := map[string]any{"media": files}
	if caption != "" {
		content["text"] = caption
	}
	var out said
	b.control(http.MethodPost, "/people/"+person+"/messages", map[string]any{"to": to, "content": content}, &out)
	return out
}

// fileFrom matches a message that is a file by its address and nothing else.
func fileFrom(jid string) func(*user.Stanza) bool {
	return func(m *user.Stanza) bool {
		return m.Kind == user.Message && m.Carbon == "" && bare(m.From) == jid && m.Element.Child(nsOOB, "x") != nil
	}
}

// saysOf matches a message of a contact that holds a text.
func saysOf(jid, part string) func(*user.Stanza) bool {
	return func(m *user.Stanza) bool {
		return m.Kind == user.Message && m.Carbon == "" && bare(m.From) == jid && strings.Contains(m.Body, part)
	}
}

// got fetches a file as a client does, and returns its hash, length and type.
func (s *stage) got(url string) (sum string, size int64, typ string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	h := sha256.New()
	size, err = io.Copy(h, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.Fatalf("get %s: %s, %v", url, resp.Status, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, resp.Header.Get("Content-Type")
}

// upload puts a file on the server as a client does (XEP-0363) and returns its address.
func (s *stage) upload(c *user.Client, name, typ string, size int64, body io.Reader) string {
	s.Helper()
	url, err := c.Upload(s.ctx, http.DefaultClient, s.xmpp.Upload(), user.File{Name: name, Type: typ, Size: size, Body: body})
	if err != nil {
		s.Fatal(err)
	}
	return url
}

// share sends an address out of band, as clients send files (XEP-0066).
func (s *stage) share(c *user.Client, to, url string) string {
	s.Helper()
	id, err := c.Share(s.ctx, to, url)
	if err != nil {
		s.Fatal(err)
	}
	return id
}

// spool returns what lies where files are on their way.
func (s *stage) spool() []string {
	s.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(s.dir, "state", "media", "spool"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(d.Name(), ".lock") {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// noise is a file that looks like its type at the beginning and has no end before size.
func noise(head string, size int64) io.Reader {
	return io.LimitReader(io.MultiReader(strings.NewReader(head), rand.NewChaCha8([32]byte{byte(size)})), size)
}

func TestFiles(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		s.act("from the platform", func(s *stage) { s.pictures(c, nurse) })
		s.act("to the platform", func(s *stage) { s.documents(c, nurse) })
		s.act("refused", func(s *stage) { s.refusals(c, nurse) })
		s.until("the spool is empty", func() bool { return len(s.spool()) == 0 })
	})
}

// pictures come from the platform: by the server's upload service, with and without a caption.
func (s *stage) pictures(c *user.Client, nurse string) {
	proof := s.prove(63, 64)
	n := c.Count()
	made := s.made(map[string]any{"width": 320, "height": 200, "name": "balcony.png"})
	s.shares("nurse", c.JID(), "see the moon", made)
	file := s.see(c, n, "a picture", fileFrom(nurse))
	caption := s.see(c, n, "its caption", saysOf(nurse, "see the moon"))
	url := file.Element.Child(nsOOB, "x").Child(nsOOB, "url").Text()
	proof.That(file.Body == url && strings.HasPrefix(url, "https://") && strings.HasSuffix(url, ".png"), "got body %q and address %q, want one and the same, of https and with its ending", file.Body, url)
	sum, size, typ := s.got(url)
	proof.That(sum == made.SHA256 && size == made.Size, "got %d bytes, hash %s, want %d, %s", size, sum, made.Size, made.SHA256)
	proof.That(strings.HasPrefix(typ, "image/png"), "got type %q, want image/png", typ)
	proof.That(caption.Body == "see the moon" && caption.Element.Child(nsOOB, "x") == nil && caption.ID != file.ID, "got %s, want the caption as a message of its own", caption.XML())
	at := func(id string) int {
		for i, st := range c.Stanzas(n) {
			if st.ID == id && st.Carbon == "" {
				return i
			}
		}
		return -1
	}
	proof.That(at(file.ID) < at(caption.ID), "got the caption before its file")
	// Both are parts of one message of the platform: a reaction to either is one to it.
	for _, id := range []string{file.ID, caption.ID} {
		if _, err := c.SendMessage(s.ctx, user.Outgoing{To: nurse, Extra: "<reactions xmlns='" + nsReactions + "' id='" + id + "'><reaction>" + map[bool]string{true: "👍", false: "😂"}[id == file.ID] + "</reaction></reactions><store xmlns='urn:xmpp:hints'/>"}); err != nil {
			s.Fatal(err)
		}
	}
	liked := hold[mediaMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_user", Contains: "see the moon", Reaction: "😂"})
	proof.That(len(liked) == 1 && len(liked[0].Content.Media) == 1, "got %+v, want the reaction to the message with the picture", liked)

	n = c.Count() // the same once more: shown again, not uploaded again
	s.shares("nurse", c.JID(), "", made)
	again := s.see(c, n, "the picture again", fileFrom(nurse))
	if again.Body != url {
		s.Errorf("got a second upload %s of %s", again.Body, url)
	}
}

// documents go to the platform, from the server's upload service.
func (s *stage) documents(c *user.Client, nurse string) {
	proof := s.prove(66)
	var pic bytes.Buffer
	if err := png.Encode(&pic, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		s.Fatal(err)
	}
	pdf := []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n")
	for _, f := range []struct {
		name, typ, kind string
		body            []byte
	}{{"letter.pdf", "application/pdf", "file", pdf}, {"rose.png", "image/png", "image", pic.Bytes()}} {
		n := c.Count()
		id := s.share(c, nurse, s.upload(c, f.name, f.typ, int64(len(f.body)), bytes.NewReader(f.body)))
		s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == nurse })
		var last mediaPart
		for _, m := range hold[mediaMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person"}) {
			if len(m.Content.Media) == 1 {
				last = m.Content.Media[0]
			}
		}
		sum := sha256.Sum256(f.body)
		want := mediaPart{MediaID: last.MediaID, Kind: f.kind, Type: f.typ, Size: int64(len(f.body)), SHA256: hex.EncodeToString(sum[:]), Name: f.name}
		proof.That(last == want, "got %+v, want %+v", last, want)
		held, size, _ := s.got(s.url + "/sandbox/v1/media/" + last.MediaID)
		proof.That(held == want.SHA256 && size == want.Size, "got %d bytes, hash %s, want %d, %s", size, held, want.Size, want.SHA256)
	}
}

// refusals are files that cannot go or come: both sides are told, nothing stays on the disk.
func (s *stage) refusals(c *user.Client, nurse string) {
	large := s.prove(67)
	n := c.Count()
	s.shares("nurse", c.JID(), "too much", s.made(map[string]any{"type": "video/mp4", "size": 101 << 20, "name": "play.mp4"}))
	line := s.see(c, n, "a line about the video", saysOf(nurse, "too large"))
	large.That(strings.Contains(line.Body, "play.mp4") && strings.Contains(line.Body, "101 MB") && strings.Contains(line.Body, "100 MB"), "got %q, want its name, its size and the limit", line.Body)
	s.see(c, n, "the rest of the message", saysOf(nurse, "too much"))

	s.control(http.MethodPatch, "/limits", map[string]any{"media_bytes": 1 << 20}, nil)
	defer s.control(http.MethodPatch, "/limits", map[string]any{"media_bytes": 64 << 20}, nil)
	url := s.upload(c, "big.bin", "application/octet-stream", 2<<20, noise("", 2<<20))
	id := s.share(c, nurse, url)
	e := s.see(c, n, "an error", func(m *user.Stanza) bool { return m.Type == "error" && m.ID == id })
	reason := e.Element.Child("jabber:client", "error")
	text := reason.Child("urn:ietf:params:xml:ns:xmpp-stanzas", "text").Text()
	large.That(reason.Child("urn:ietf:params:xml:ns:xmpp-stanzas", "not-acceptable") != nil && strings.Contains(text, "too large"), "got %s, want not-acceptable and a text", e.XML())

	s.until("the spool is empty", func() bool { return len(s.spool()) == 0 })
	large.That(len(s.spool()) == 0, "got files left: %v", s.spool())

	private := s.prove(68)
	for _, url := range []string{
		"https://127.0.0.1:1/x.png", "https://localhost/x.png", "https://[::1]/x.png", "https://10.0.0.1/x.png", "https://169.254.169.254/latest/meta-data/x.png",
		"https://2130706433/x.png", "https://[::ffff:127.0.0.1]/x.png", "http://" + s.site + "/metrics", "https://" + s.hook + "/x.png",
	} {
		n := c.Count()
		id := s.share(c, nurse, url)
		e := s.see(c, n, "an error", func(m *user.Stanza) bool { return m.Type == "error" && m.ID == id })
		text := e.Element.Child("jabber:client", "error").Child("urn:ietf:params:xml:ns:xmpp-stanzas", "text").Text()
		private.That(e.Element.Child("jabber:client", "error").Child("urn:ietf:params:xml:ns:xmpp-stanzas", "not-acceptable") != nil && text != "", "%s: got %s, want not-acceptable and a text", url, e.XML())
	}
	n = c.Count()
	id = s.share(c, nurse, "https://"+s.xmpp.UploadAddr()+"/nothing/there.png")
	e = s.see(c, n, "an error", func(m *user.Stanza) bool { return m.Type == "error" && m.ID == id })
	if e.Element.Child("jabber:client", "error").Child("urn:ietf:params:xml:ns:xmpp-stanzas", "item-not-found") == nil {
		s.Errorf("got %s, want item-not-found", e.XML())
	}
}

// TestLargeFiles: the program's memory does not grow with the files that pass through it.
func TestLargeFiles(t *testing.T) {
	processes(t, func(s *stage) {
		s.exec(binary(s.T), s.yaml)
		s.ready()
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		const size = 20 << 20
		both := func(n int) {
			at := c.Count()
			made := s.made(map[string]any{"type": "video/mp4", "size": size, "name": fmt.Sprint("play", n, ".mp4"), "seed": n})
			s.shares("nurse", c.JID(), "", made)
			file := s.see(c, at, "a large file", fileFrom(nurse))
			if sum, got, _ := s.got(file.Body); sum != made.SHA256 || got != size {
				s.Errorf("got %d bytes, hash %s, want %d, %s", got, sum, size, made.SHA256)
			}
			url := s.upload(c, "play.bin", "application/octet-stream", size, noise(fmt.Sprint(n), size))
			id := s.share(c, nurse, url)
			s.see(c, at, "receipt", func(m *user.Stanza) bool { return m.Received == id })
		}
		both(0) // whatever is loaded and cached once is there now
		s.flat(func() {
			for n := range 2 {
				both(n + 1)
			}
		})
		s.until("the spool is empty", func() bool { return len(s.spool()) == 0 })
	})
}

// flat asserts that the program's resident memory does not grow with what is played.
func (s *stage) flat(play func()) {
	s.Helper()
	before := rss(s, s.pid)
	most := before
	done := make(chan struct{})
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, rss(s, s.pid))
			case <-done:
				return
			}
		}
	}()
	func() {
		defer func() {
			close(done)
			<-sampled
		}()
		play()
	}()
	s.Logf("resident memory: %d KiB before, %d KiB at most", before, most)
	if grown := most - before; grown >= 8<<10 {
		s.Errorf("resident memory grew by %d KiB, want less than 8192", grown)
	}
}

// rss is a process's resident memory in KiB.
func rss(s *stage, pid int) int {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		s.Error(err)
		return 0
	}
	var kib int
	for line := range strings.SplitSeq(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, _ = fmt.Sscan(rest, &kib)
		}
	}
	return kib
}

// TestUploadByRight: where the server lets the gateway ask in the user's name, a file counts on the user's quota.
func TestUploadByRight(t *testing.T) {
	withRights(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		proof := s.prove(69)
		n := c.Count()
		made := s.made(map[string]any{"width": 32, "height": 20, "name": "rose.png"})
		s.shares("nurse", c.JID(), "", made)
		file := s.see(c, n, "a picture", fileFrom(nurse))
		sum, _, _ := s.got(file.Body)
		proof.That(sum == made.SHA256, "got hash %s, want %s", sum, made.SHA256)
		as := "user"
		if s.kind == deploy.Ejabberd {
			proof.Degraded("ejabberd 23.01 passes no requests on in a user's name: the slot is the gateway's own")
			as = "component"
		}
		slots := regexp.MustCompile(`msg="upload slot".* as=(\w+)`).FindAllStringSubmatch(s.log.String(), -1)
		proof.That(len(slots) == 1 && slots[0][1] == as, "got slots %v, want one as %s", slots, as)
	})
}

// TestOwnStore: what the server's upload service does not take is served by Postern itself, until its time is over.
func TestOwnStore(t *testing.T) {
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, kind, onRedis)
			cert, key, err := ground.lab.Certificate(s.dir)
			if err != nil {
				t.Fatal(err)
			}
			s.sandbox = newSandbox(t, "https://"+s.hook+"/.well-known/gia-partner/jwks.json")
			yaml := strings.Replace(s.config(), "public_url: \"http://", fmt.Sprintf("tls: {cert_file: %q, key_file: %q}, public_url: \"https://", cert, key), 1)
			s.file("postern.yaml", strings.Replace(yaml, "media: {", "media: {keep: 1h, ", 1))
			s.start()
			c := s.member("romeo")
			nurse := s.befriend(c, "nurse")
			proof := s.prove(69)
			n := c.Count()
			made := s.made(map[string]any{"type": "video/mp4", "size": 65 << 20, "name": "play.mp4"}) // more than the service takes
			s.shares("nurse", c.JID(), "", made)
			file := s.see(c, n, "a file", fileFrom(nurse))
			proof.That(strings.HasPrefix(file.Body, "https://"+s.hook+"/m/") && strings.HasSuffix(file.Body, "/play.mp4"), "got %q, want an address of the own store", file.Body)
			sum, size, typ := s.got(file.Body)
			proof.That(sum == made.SHA256 && size == made.Size && typ == "video/mp4", "got %d bytes of %s, hash %s, want %d, %s", size, typ, sum, made.Size, made.SHA256)
			n = c.Count()
			small := s.made(map[string]any{"width": 3, "height": 2, "name": "dot.png"})
			s.shares("nurse", c.JID(), "", small)
			file = s.see(c, n, "a small file", fileFrom(nurse))
			proof.That(strings.HasPrefix(file.Body, "https://"+s.xmpp.UploadAddr()+"/"), "got %q, want an address of the upload service", file.Body)
		})
	}
}
