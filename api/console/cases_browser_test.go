//go:build servers

package console

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postern/deploy/lab/browser"
	"postern/gateway"
)

// A case is decided from the overview to the last word without a mouse.
func TestDecideByKeyboard(t *testing.T) {
	g, server := lived(t)
	b := newTab(t)
	b.signIn(server, g.secret[gateway.RoleOperator])
	b.tabTo(`e.textContent === 'decide them'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/cases' && location.search === '?state=waiting' && document.readyState === 'complete'`)
	b.tabTo(`e.textContent === '01kase2'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/cases/01kase2' && document.readyState === 'complete'`)
	b.tabTo(`e.name === 'decision'`)
	browser.Do(b.Tab, "decision", chromedp.KeyEvent("passed"))
	b.Until(`document.querySelector('[name=decision]').value === 'forwarded'`)
	b.tabTo(`e.name === 'reasons'`)
	browser.Do(b.Tab, "reasons", chromedp.KeyEvent("The prince decides."))
	b.tabTo(`e.textContent === 'Decide'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/cases/01kase2/confirm' && document.readyState === 'complete'`)
	b.shot("case-confirm")
	b.tabTo(`e.textContent === 'Tell the user'`)
	b.press(kb.Enter)
	b.Until(`location.pathname === '/console/cases' && !!document.querySelector('.note[role=status]') && document.querySelector('.note[role=status]').textContent.includes('its user is told')`)
	if got := strings.Join(g.world.did, ", "); got != "decide 01kase2 forwarded by operator: The prince decides." {
		t.Errorf("did %q", got)
	}
}
