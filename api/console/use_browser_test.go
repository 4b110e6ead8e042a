//go:build servers

package console

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postern/deploy/lab/browser"
	"postern/gateway"
)

// axe is where deploy/dev/install.sh puts what looks for barriers.
const axe = "../../.cache/axe-core-4.11.0/axe.min.js"

// TestConsoleHasNoBarriers has axe-core look at each page, light and wide, dark and narrow: at all that WCAG 2.2 A and AA say and a
// program can check, and at what it holds for good practice besides.
func TestConsoleHasNoBarriers(t *testing.T) {
	script, err := os.ReadFile(axe)
	if err != nil {
		t.Fatalf("axe-core is missing: run deploy/dev/install.sh test: %v", err)
	}
	g, server := lived(t)
	b := newTab(t)
	look := func(what string) {
		t.Helper()
		if !browser.Do(b.Tab, "axe is there", chromedp.Evaluate[bool](`!!window.axe`)) {
			browser.Do(b.Tab, "axe", chromedp.Evaluate[bool](string(script)+"; true"))
		}
		found := browser.Do(b.Tab, "look", chromedp.Evaluate[string](`axe.run(document, {resultTypes: ['violations', 'incomplete']}).then((r) => JSON.stringify({
			passes: r.passes.length, violations: r.violations.map((v) => [v.id, v.help, v.nodes.map((n) => n.html + ' ' + n.failureSummary)])}))`, chromedp.EvalAwaitPromise))
		var got struct {
			Passes     int
			Violations []json.RawMessage
		}
		if err := json.Unmarshal([]byte(found), &got); err != nil || got.Passes < 10 {
			t.Fatalf("%s: got %d rules that hold, %v", what, got.Passes, err)
		}
		for _, v := range got.Violations {
			t.Errorf("%s: %s", what, v)
		}
	}
	browser.Do(b.Tab, "open", chromedp.Navigate(server.URL+"/console/sign-in"))
	look("sign-in")
	browser.Do(b.Tab, "wrong token", chromedp.SendKeys("#token", "x\r"))
	b.Until(`!!document.querySelector('[role=alert]')`)
	look("wrong token")
	b.signIn(server, g.secret[gateway.RoleAdmin])
	for _, p := range append(everyPage, struct{ name, path string }{"no user", "/console/users?jid=x"}) {
		browser.Do(b.Tab, p.name, chromedp.Navigate(server.URL+p.path))
		for scheme, width := range map[string]int64{"light": 1280, "dark": 360} {
			b.prefers(scheme)
			browser.Do(b.Tab, "size", chromedp.EmulateViewport(width, 740))
			look(p.name + " " + scheme)
		}
	}
}

// tabTo presses Tab until what has the focus is what is wanted, and shows that it has it.
func (b *tab) tabTo(expression string) {
	b.Helper()
	for range 80 {
		browser.Do(b.Tab, "tab", chromedp.KeyEvent(kb.Tab))
		got := browser.Do(b.Tab, "focus", chromedp.Evaluate[string](`(() => { const e = document.activeElement, s = getComputedStyle(e);
			return (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2 ? 'no outline' : '') + '|' + (`+expression+`) + '|' + e.outerHTML.slice(0, 200) })()`))
		outline, rest, _ := strings.Cut(got, "|")
		if outline != "" && !strings.HasPrefix(rest, "false|<body") {
			b.Errorf("the focus cannot be seen: %s", rest)
		}
		if strings.HasPrefix(rest, "true|") {
			return
		}
	}
	b.Fatalf("80 times Tab, and not at %s", expression)
}

func (b *tab) press(key string) {
	b.Helper()
	browser.Do(b.Tab, "key", chromedp.KeyEvent(key))
}

// A dead letter is replayed from signing in to the last word without a mouse.
func TestReplayByKeyboard(t *testing.T) {
	g, server := lived(t)
	b := newTab(t)
	b.signIn(server, g.secret[gateway.RoleOperator])
	b.press(kb.Tab)
	b.Until(`document.activeElement.className === 'skip' && document.activeElement.getBoundingClientRect().top >= 0`)
	b.press(kb.Enter)
	b.Until(`document.activeElement.id === 'main' || location.hash === '#main'`)
	browser.Do(b.Tab, "again", chromedp.Navigate(server.URL+"/console"))
	b.tabTo(`e.textContent === 'Dead letters'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/dead-letters' && document.readyState === 'complete'`)
	b.tabTo(`e.textContent === 'Replay letter s03/1764400000003-0'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/dead-letters/confirm' && document.readyState === 'complete'`)
	b.tabTo(`e.textContent === 'Replay it'`)
	b.shot("keyboard-confirm")
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/dead-letters' && !!document.querySelector('.note[role=status]') && document.querySelector('.note[role=status]').textContent.includes('One dead letter is tried once more.')`)
	b.shot("keyboard-done")
	if got := strings.Join(g.world.did, ", "); got != "replay s03/1764400000003-0" || !strings.HasSuffix(g.audited(), "operator dead-letter.replay s03/1764400000003-0") {
		t.Errorf("did %q, audited %q", got, g.audited())
	}
	b.tabTo(`e.textContent === 'Sign out'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/sign-in'`)
}

// What strangers are called runs on no page, and nothing from elsewhere is asked for.
func TestHostileNamesInBrowser(t *testing.T) {
	g, server := lived(t)
	b := newTab(t)
	b.signIn(server, g.secret[gateway.RoleAdmin])
	for _, p := range everyPage {
		browser.Do(b.Tab, p.name, chromedp.Navigate(server.URL+p.path))
		if got := browser.Do(b.Tab, "title", chromedp.Title()); strings.Contains(got, "pwned") {
			t.Errorf("%s: what a stranger is called ran", p.name)
		}
		foreign := browser.Do(b.Tab, "what was loaded", chromedp.Evaluate[string](`performance.getEntriesByType('resource').map((e) => e.name).filter((n) => !n.startsWith(location.origin + '/')).join(' ')`))
		if foreign != "" || browser.Do(b.Tab, "pictures", chromedp.Evaluate[int](`document.images.length`)) != 0 {
			t.Errorf("%s: loaded %q, and there are pictures", p.name, foreign)
		}
	}
	// Neither do those who get markup into a page by a fault of ours.
	browser.Do(b.Tab, "list", chromedp.Navigate(server.URL+"/console/dead-letters"))
	got := browser.Do(b.Tab, "inline", chromedp.Evaluate[string](`(() => { try { document.body.insertAdjacentHTML('beforeend', '<p onclick="document.title=1">'); return 'taken' } catch (e) {
		const s = document.createElement('script'); s.append("document.title = 'pwned'"); document.body.append(s); return document.title } })()`))
	if got == "taken" || strings.Contains(got, "pwned") {
		t.Errorf("inline markup: got %q, want that the browser refuses it", got)
	}
	// And nobody frames the console.
	browser.Do(b.Tab, "frame", chromedp.Navigate("data:text/html,<iframe src='"+server.URL+"/console/sign-in'></iframe>"))
	b.Until(`document.querySelector('iframe').contentDocument === null`) // the browser's own page of an error, of another origin
}

// The page keeps itself fresh: says what has changed, leaves alone what is being used, and rests when it is told to or not seen.
func TestLive(t *testing.T) {
	g, server := lived(t)
	b := newTab(t)
	b.signIn(server, g.secret[gateway.RoleOperator])
	browser.Do(b.Tab, "letters", chromedp.Navigate(server.URL+"/console/dead-letters"))
	b.Until(`!document.getElementById('live').hidden`)
	drop := func(id gateway.LetterID) {
		if err := g.world.DropLetter(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(n int) string {
		return `document.querySelectorAll('#letters tbody tr').length === ` + strconv.Itoa(n)
	}
	b.Until(rows(5))
	browser.Do(b.Tab, "mark", chromedp.Evaluate[bool](`window.same = true`))
	drop("s01/1764400000001-0")
	b.Until(rows(4) + ` && window.same && document.getElementById('live-status').textContent === '4 dead letters on this page'`)

	browser.Do(b.Tab, "use a row", chromedp.Focus("#letters .row-actions a"))
	drop("s02/1764400000002-0")
	asked := `performance.getEntriesByType('resource').filter((e) => e.initiatorType === 'xmlhttprequest').length`
	n := browser.Do(b.Tab, "asked", chromedp.Evaluate[int](asked))
	b.Until(asked + " > " + strconv.Itoa(n+1))
	if !browser.Do(b.Tab, "rows", chromedp.Evaluate[bool](rows(4))) {
		t.Error("a list that is being used was changed under the hand")
	}
	browser.Do(b.Tab, "leave it", chromedp.Focus("#live"))
	b.Until(rows(3))

	b.press(kb.Enter)
	b.Until(`document.getElementById('live').textContent === 'Resume updates' && document.getElementById('live').getAttribute('aria-pressed') === 'true'`)
	drop("s03/1764400000003-0")
	b.press(kb.Enter)
	b.Until(rows(2))

	// Its token is over: the page asks for another one.
	if err := g.tokens.Revoke(t.Context(), "operator"); err != nil {
		t.Fatal(err)
	}
	b.Until(`location.pathname === '/console/sign-in' && location.search === '?next=%2Fconsole%2Fdead-letters'`)
}
