//go:build servers

package story

import (
	"bytes"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/deploy/lab"
)

// python is the interpreter that Debian's packages are for; another one on the path does not see them.
const python = "/usr/bin/python3"

// TestOtherClient plays the first conversation with a client that nobody here wrote.
func TestOtherClient(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import slixmpp").CombinedOutput(); err != nil {
		t.Fatalf("slixmpp is missing: apt-get install python3-slixmpp: %v\n%s", err, out)
	}
	both(t, func(s *stage) {
		local := "slix" + s.n
		if err := s.xmpp.AddUser(s.ctx, lab.Login{User: local, Password: "p"}); err != nil {
			s.Fatal(err)
		}
		jid := local + "@localhost"
		host, port, err := net.SplitHostPort(s.xmpp.ClientAddr())
		if err != nil {
			s.Fatal(err)
		}
		var out, errs bytes.Buffer
		client := exec.CommandContext(s.ctx, python, "testdata/client.py", host, port, jid, "p", s.gw, "nurse@capulet.example", "wherefore & <why>?", "because & <so>")
		client.Stdout, client.Stderr = &out, &errs
		if err := client.Start(); err != nil {
			s.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- client.Wait() }()
		hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Text: "wherefore & <why>?"})
		s.say("nurse", jid, "because & <so>")
		if err := <-ended; err != nil {
			s.Errorf("client: %v\n%s\n%s", err, &errs, s.log.tail())
		}
		want := []string{"found", "registered", "receipt of the consent", "gateway online", "added", "contact online", "receipt", "answer", "roster"}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
			s.Errorf("steps, want - got +\n%s", diff)
		}
	})
}
