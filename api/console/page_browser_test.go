//go:build servers

package console

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"postern/deploy/lab/browser"
	"postern/gateway"
)

// artefacts is where screenshots stay after a run; git ignores it.
const artefacts = "../../bin/artefacts/console"

// tab is a page of the console in headless Chromium.
type tab struct{ *browser.Tab }

func newTab(t *testing.T) *tab {
	t.Helper()
	return &tab{browser.Open(t, artefacts, 3*time.Minute)}
}

// prefers has the browser say that its user wants light or dark.
func (b *tab) prefers(scheme string) {
	b.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	browser.Do(b.Tab, scheme, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, media)
		return err
	}))
}

// shot keeps a picture of the whole page; of the documentation, which is many screens high, of the first of them.
func (b *tab) shot(name string) {
	b.Helper()
	if strings.HasPrefix(name, "docs") {
		b.Shot(name)
		return
	}
	b.ShotWhole(name)
}

// lived fills a console with an hour of traffic, and things to look at.
func lived(t *testing.T) (*rig, *httptest.Server) {
	t.Helper()
	g := newRig(t)
	g.world.letters = []gateway.Letter{
		letter(1, "telegram", "out", "message", "chat_not_found", "telegram: sendMessage: chat not found"),
		letter(2, "whatsapp", "in", "message", "unresolvable", "no such contact: "+hostile),
		letter(3, "whatsapp", "webhook", "", "malformed", "the body is no JSON"),
		letter(4, "", "out", "", "no_key", "the account was erased"),
		letter(5, "telegram", "outbox", "", "service-unavailable", "the server bounced it"),
	}
	for n := range 60 {
		if _, err := g.audit.Add(t.Context(), "cli", "token.create", fmt.Sprint("robot-", n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := g.audit.AddAbout(t.Context(), "boss", "user.erase", "", romeo); err != nil {
		t.Fatal(err)
	}
	g.world.cases = reported()
	now, nan := time.Now(), float32(math.NaN())
	for i := range kept {
		x := float64(i) / kept * 2 * math.Pi
		s := sample{at: now.Add(time.Duration(i-kept+1) * sampleEvery), took: sampleEvery, adapters: []point{
			{in: float32(30 + 20*math.Sin(x) + float64(i*7%11)), out: float32(12 + 8*math.Cos(2*x) + float64(i*5%7)), slowIn: float32(.04 + .02*math.Sin(3*x)), slowOut: float32(.2 + .1*math.Cos(x))},
			{slowIn: nan, slowOut: nan},
		}, store: point{slowIn: nan, slowOut: .0011}}
		if i > 150 && i < 170 {
			s.adapters[0].failed, s.adapters[0].slowOut = float32(i%6), 1.9
		}
		if i%40 == 0 {
			s.adapters[1] = point{in: 1, out: 1, refused: 1, slowIn: .3, slowOut: .8}
		}
		g.history.ring[i], g.history.n = s, i+1
	}
	server := httptest.NewServer(g.admin)
	t.Cleanup(server.Close)
	return g, server
}

// signIn signs in with a token, by the form.
func (b *tab) signIn(server *httptest.Server, secret string) {
	b.Helper()
	browser.Do(b.Tab, "open", chromedp.Navigate(server.URL+"/console"))
	b.Until(`location.pathname === '/console/sign-in' && document.activeElement.id === 'token'`)
	browser.Do(b.Tab, "token", chromedp.SendKeys("#token", secret+"\r"))
	b.Until(`location.pathname === '/console' && !!document.getElementById('overview')`)
}

// everyPage is each page, as an administrator sees it.
var everyPage = []struct{ name, path string }{
	{"overview", "/console"},
	{"adapter", "/console/adapters/telegram"},
	{"queues", "/console/queues"},
	{"letters", "/console/dead-letters"},
	{"letters-none", "/console/dead-letters?code=none"},
	{"confirm-replay", "/console/dead-letters/confirm?do=replay&id=s01%2F1764400000001-0"},
	{"confirm-drop-all", "/console/dead-letters/confirm?do=drop"},
	{"cases", "/console/cases"},
	{"cases-none", "/console/cases?state=closed"},
	{"case", "/console/cases/01kase3"},
	{"case-appealed", "/console/cases/01kase2"},
	{"case-decided", "/console/cases/01kase1"},
	{"users", "/console/users"},
	{"user", "/console/users?jid=romeo@example.org"},
	{"audit", "/console/audit"},
	{"audit-verified", "/console/audit/verify"},
	{"fidelity", "/console/fidelity"},
	{"lost", "/console/nothing"},
	{"docs", "/v1/docs"},
}

// TestConsoleLooks keeps a picture of each page, light and dark, narrow and wide. No page is wider than a narrow screen.
func TestConsoleLooks(t *testing.T) {
	g, server := lived(t)
	b := newTab(t)
	browser.Do(b.Tab, "phone", chromedp.EmulateViewport(360, 740))
	browser.Do(b.Tab, "open", chromedp.Navigate(server.URL+"/console/sign-in"))
	b.shot("sign-in-narrow-light")
	b.signIn(server, g.secret[gateway.RoleAdmin])
	for _, p := range everyPage {
		browser.Do(b.Tab, p.name, chromedp.Navigate(server.URL+p.path))
		for _, scheme := range []string{"light", "dark"} {
			b.prefers(scheme)
			for _, width := range []struct {
				name string
				px   int64
			}{{"narrow", 360}, {"wide", 1280}} {
				browser.Do(b.Tab, "size", chromedp.EmulateViewport(width.px, 740))
				if got := browser.Do(b.Tab, "width", chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); got > width.px {
					t.Errorf("%s is %d wide on a screen of %d", p.name, got, width.px)
				}
				b.shot(fmt.Sprintf("%s-%s-%s", p.name, width.name, scheme))
			}
		}
	}
}
