//go:build servers

package story

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestConsole is the operator at the web console of a running gateway: signs in with a token, sees the adapter at work, replays what was
// given up on and drops it, and finds both in the audit log.
func TestConsole(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		scene := &scene{stage: s, c: c, jid: s.befriend(c, "nurse")}
		for _, id := range []string{"evt_1", "evt_2"} {
			scene.hooked(http.StatusOK, scene.signed(id, time.Now(), "no json "+id), "no json "+id)
		}
		token := strings.TrimSpace(s.does("", "token", "create", "boss", "--role", "admin", "-c", filepath.Base(s.yaml)))
		b := s.screen("console")
		at := func(path string) string {
			return "location.pathname === '/console" + path + "' && document.readyState === 'complete' && "
		}
		b.do("open the console", act(chromedp.EmulateViewport(1280, 900)), act(chromedp.Navigate("http://"+s.site+"/console")))
		b.comes("sign-in", at("/sign-in")+"document.activeElement.id === 'token'")
		b.do("sign in", act(chromedp.SendKeys("#token", token+"\r")))
		b.comes("overview", at("")+hasText(".adapters .state.good", "connected")+" && "+hasText(".facts", "takes writes")+" && "+hasText("#overview h2", "Newest dead letters"))

		b.do("dead letters", act(chromedp.Click("nav a[href='/console/dead-letters']")))
		b.comes("dead letters", at("/dead-letters")+"document.querySelectorAll('#letters tbody tr').length === 2 && !"+hasText("body", "no json"))
		b.do("replay all", act(chromedp.Click(".pages a[href*='do=replay']")))
		b.comes("asked once more", at("/dead-letters/confirm")+hasText("h1", "Replay 2 dead letters?"))
		b.do("yes", act(chromedp.Click("form[action='/console/dead-letters'] button")))
		b.comes("replayed", at("/dead-letters")+hasText(".note", "2 dead letters are tried once more."))
		// They are as broken as before, and come back: the page shows it by itself.
		b.comes("back again", "document.querySelectorAll('#letters tbody tr').length === 2")
		b.do("drop all", act(chromedp.Click(".pages a[href*='do=drop']")))
		b.comes("asked once more", at("/dead-letters/confirm")+hasText("h1", "Drop 2 dead letters?"))
		b.do("yes", act(chromedp.Click("form[action='/console/dead-letters'] button")))
		b.comes("dropped", at("/dead-letters")+hasText(".note", "2 dead letters are forgotten.")+" && "+hasText(".empty", "There are none"))

		b.do("ask for the user", act(chromedp.Navigate("http://"+s.site+"/console/users?jid="+c.JID())))
		b.comes("user", hasText("#main .state", "active"))
		b.do("verify the log", act(chromedp.Navigate("http://"+s.site+"/console/audit/verify")))
		b.comes("verified", hasText(".note.good", "hold together"))
		log := s.does(token, "audit", "list", "--json")
		for _, line := range []string{`"actor":"boss","action":"dead-letters.replay","object":"all"`, `"actor":"boss","action":"dead-letters.drop","object":"all"`} {
			if !strings.Contains(log, line) {
				s.Errorf("the audit log lacks %s:\n%s", line, log)
			}
		}
		s.does("", "token", "revoke", "boss", "-c", filepath.Base(s.yaml))
		b.do("go on", act(chromedp.Navigate("http://"+s.site+"/console/audit")))
		b.comes("signed out", at("/sign-in")+"!!document.getElementById('token')")
		s.talks(c, scene.jid, "nurse")
	})
}

// comes waits until an expression is true, through whatever pages come and go meanwhile, and keeps a screenshot of it.
func (b *screen) comes(what, expression string) {
	b.Helper()
	b.until(what+": "+expression, func() bool {
		got, err := chromedp.Run(b.tab.Ctx, chromedp.Evaluate[bool](expression))
		return err == nil && got
	})
	b.shot(what)
}
