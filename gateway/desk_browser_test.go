package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// byBrowser scripts a platform that links by a page, and asks for one thing more afterwards.
func (c *counter) byBrowser(more bool) {
	c.platform.Play(gatewaytest.Script{Link: func(in gateway.LinkInput) (gateway.LinkStep, error) {
		switch {
		case in.Answers["pick"] != "" || in.Answers["code"] == "good" && !more:
			return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "ep-page", Shown: "a page"}}, nil
		case in.Answers["code"] == "good":
			return gateway.LinkStep{Fields: []gateway.Field{{Name: "pick", Label: "Which page?", Kind: gateway.FieldText, Required: true}}, State: []byte("asked")}, nil
		case in.Answers["error"] != "":
			return gateway.LinkStep{}, &gateway.SendError{Class: gateway.ReauthNeeded, Code: "denied"}
		}
		return gateway.LinkStep{Redirect: "https://wall.example/oauth?state=" + in.Token + "&redirect_uri=" + in.Return}, nil
	}})
	c.publicURL = "https://gw.example.org"
	c.restart()
}

// page begins a registration and returns our page's token and the reply.
func (c *counter) page(v gateway.Visitor) (string, gateway.Reply) {
	c.t.Helper()
	r := c.next(v, c.start(v, gateway.NodeRegister), agreed())
	token, ok := strings.CutPrefix(r.Redirect, "https://gw.example.org/link/wall/")
	if !ok || len(token) != 26 {
		c.t.Fatalf("got redirect %q, want a page of ours", r.Redirect)
	}
	return token, r
}

func TestRegisterThroughTheBrowser(t *testing.T) {
	c := newCounter(t)
	c.byBrowser(false)
	token, _ := c.page(c.romeo)
	page, err := c.desk.Browse(t.Context(), "wall", token)
	if err != nil || !strings.Contains(page.Text, string(c.romeo.User)) || page.Link != "https://wall.example/oauth?state="+token+"&redirect_uri=https://gw.example.org/link/wall" {
		t.Fatalf("got %+v, %v; want who connects, and the platform's page", page, err)
	}
	c.restart() // nothing of it is known by heart
	done, err := c.desk.Returned(t.Context(), "wall", token, map[string]string{"code": "good"})
	if err != nil || !strings.Contains(done.Text, "You can close this page") || len(done.Show) < 2 {
		t.Fatalf("got %+v, %v; want the end, the gateway's request and the receipt", done, err)
	}
	if !c.registered(c.romeo) || c.registered(c.juliet) {
		t.Error("want romeo registered, and nobody else")
	}
	// A token opens once, and no other opens at all.
	for _, again := range []string{token, "", strings.Repeat("a", 26), "../" + token} {
		if _, err := c.desk.Returned(t.Context(), "wall", again, map[string]string{"code": "good"}); !errors.Is(err, gateway.ErrPageOver) {
			t.Errorf("token %q: got %v, want it over", again, err)
		}
		if _, err := c.desk.Browse(t.Context(), "wall", again); !errors.Is(err, gateway.ErrPageOver) {
			t.Errorf("page %q: got %v, want it over", again, err)
		}
	}
}

// What the platform refuses is said on the page, and nobody is registered.
func TestRefusedInTheBrowser(t *testing.T) {
	c := newCounter(t)
	c.byBrowser(false)
	token, _ := c.page(c.romeo)
	page, err := c.desk.Returned(t.Context(), "wall", token, map[string]string{"error": "access_denied"})
	if err != nil || page.Text == "" || c.registered(c.romeo) {
		t.Errorf("got %+v, %v", page, err)
	}
}

// A question that comes after the page is put to the client that began: shown first, answered then.
func TestQuestionAfterTheBrowser(t *testing.T) {
	c := newCounter(t)
	c.byBrowser(true)
	token, r := c.page(c.romeo)
	page, err := c.desk.Returned(t.Context(), "wall", token, map[string]string{"code": "good"})
	if err != nil || !strings.Contains(page.Text, "in your chat client") || len(page.Show) != 0 {
		t.Fatalf("got %+v, %v", page, err)
	}
	r = c.next(c.romeo, r, nil) // the client goes on from the page that it was shown
	if len(r.Fields) != 1 || r.Fields[0].Name != "pick" || r.Status != gateway.ReplyExecuting {
		t.Fatalf("got %+v, want the question", r)
	}
	if r = c.next(c.romeo, r, map[string]string{"pick": "Verona"}); r.Status != gateway.ReplyCompleted || !c.registered(c.romeo) {
		t.Errorf("got %+v", r)
	}
}

// In a chat the question comes by itself, and the next line answers it.
func TestQuestionAfterTheBrowserInAChat(t *testing.T) {
	c := newCounter(t)
	c.byBrowser(true)
	c.say(c.romeo, "register")
	text := c.say(c.romeo, "yes").Text
	_, token, ok := strings.Cut(text, "/link/wall/")
	if !ok {
		t.Fatalf("got %q, want the page", text)
	}
	page, err := c.desk.Returned(t.Context(), "wall", token[:26], map[string]string{"code": "good"})
	if err != nil || len(page.Show) != 1 {
		t.Fatalf("got %+v, %v; want the question by chat", page, err)
	}
	if m, ok := page.Show[0].What.(gateway.ShowMessage); !ok || page.Show[0].To != c.romeo.User || !strings.Contains(m.Content.Parts[0].(gateway.Text).Text, "Which page?") {
		t.Errorf("got %+v", page.Show[0])
	}
	c.say(c.romeo, "Verona")
	if !c.registered(c.romeo) {
		t.Error("want romeo registered")
	}
}
