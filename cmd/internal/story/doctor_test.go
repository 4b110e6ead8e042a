//go:build servers

package story

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"postern/deploy"
)

// diagnosis is what postern doctor says, as it says it to programs.
type diagnosis []struct {
	Group, Level, Text, Lost, Do string
	Lines                        []string
}

// says reports whether a line of a level has a text.
func (d diagnosis) says(level, text string) bool {
	for _, f := range d {
		if f.Level == level && strings.Contains(f.Text, text) && (level == "ok" || f.Lost != "") {
			return true
		}
	}
	return false
}

// doctor runs postern doctor on a configuration of the stage.
func (s *stage) doctor(file string) (d diagnosis, ok bool) {
	s.Helper()
	out, errs, ok := s.command("", "", "doctor", "--json", "-c", filepath.Base(file))
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		s.Fatalf("doctor: %v\n%s%s", err, out, errs)
	}
	return d, ok
}

// TestDoctor is the operator before and after the first start: a good server, a wrong secret, a name that the server does not know, and a
// gateway that runs, which the doctor leaves alone.
func TestDoctor(t *testing.T) {
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := prepare(t, kind, onRedis, true)
			want := func(d diagnosis, level string, texts ...string) {
				t.Helper()
				for _, text := range texts {
					if !d.says(level, text) {
						t.Errorf("no %s says %q: %+v", level, text, d)
					}
				}
			}
			d, ok := s.doctor(s.yaml)
			if !ok {
				t.Errorf("of a good server: got a failure")
			}
			want(d, "ok", "all files", "the store is empty", "answers, in plain text", "the server takes "+s.gw, "localhost shows it to clients",
				"files go to upload.localhost, up to 64 MiB each", "webhooks go to")
			want(d, "loss", "http.public_url is not https", "and no gateway runs", "reads our keys where only a gateway that runs publishes them")
			if kind == deploy.Prosody {
				want(d, "ok", "it is Prosody", "localhost grants rosters, messages and uploads in a user's name")
			} else { // 23.01 grants no requests
				want(d, "ok", "it is ejabberd")
				want(d, "loss", "localhost does not grant uploads in a user's name")
			}
			for _, f := range d {
				if strings.Contains(f.Text, "carbons") {
					t.Errorf("of a server with carbons: got %+v", f)
				}
			}

			s.file("component.secret", "another one\n")
			d, ok = s.doctor(s.yaml)
			if ok || !d.says("fault", "the server refuses the secret of "+s.gw) {
				t.Errorf("a wrong secret: got %v and %+v", ok, d)
			}
			s.file("component.secret", secret+"\n")
			nobody := s.file("nobody.yaml", strings.ReplaceAll(s.config(), s.gw, "nobody.localhost"))
			d, ok = s.doctor(nobody)
			text := "the server does not know nobody.localhost"
			if kind == deploy.Ejabberd { // which tells nobody which names it has
				text = "the server refuses the secret of nobody.localhost, or does not know the name"
			}
			if ok || !d.says("fault", text) || !strings.Contains(toAdd(d), "nobody.localhost\"") || strings.Contains(toAdd(d), secret) {
				t.Errorf("a name that is not known: got %v and %+v", ok, d)
			}

			// A gateway that runs goes on: the same stream, and messages both ways.
			s.start()
			c := s.member("romeo")
			scene := &scene{stage: s, c: c, jid: s.befriend(c, "nurse")}
			ups := strings.Count(s.log.String(), "xmpp stream up")
			d, ok = s.doctor(s.yaml)
			if !ok {
				t.Errorf("beside a gateway: got a failure: %+v", d)
			}
			want(d, "ok", "a gateway runs here, and is ready", "the gateway that runs is connected as "+s.gw, "a Postern answers at", "takes the credentials of the partner postern", "the store's key opens this store")
			scene.talks(c, scene.jid, "nurse")
			if now := strings.Count(s.log.String(), "xmpp stream up"); now != ups {
				t.Errorf("the gateway's stream came up %d times, want %d: the doctor disturbed it", now, ups)
			}
		})
	}
}

// toAdd are the lines to add.
func toAdd(d diagnosis) string {
	var b strings.Builder
	for _, f := range d {
		b.WriteString(strings.Join(f.Lines, "\n"))
	}
	return b.String()
}
