package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Some platforms link an account on a page of theirs (OAuth, embedded sign-up). The user opens a page of ours first, which says
// who is about to be connected: without it, a link in a stranger's message could connect the reader's account with the stranger.
// The platform leads back to another page of ours, and the registration goes on where it was.

// browsing is a registration that goes on in a browser, by the token that is its `state` parameter.
type browsing struct {
	User     UserID `json:"user"`
	Resource string `json:"resource,omitempty"`
	Lang     string `json:"lang,omitempty"`
	Session  string `json:"session"`
	// Goal is the platform's page.
	Goal string `json:"goal"`
}

// Page is what somebody sees in the browser in the course of a registration.
type Page struct {
	Lang, Title, Text string
	// Link leads on and Label says where to; empty where there is nothing to go on to.
	Link, Label string
	// Show is what the user is told by chat besides.
	Show []Rendering
}

// ErrPageOver: the page's time is over, or it never was one.
var ErrPageOver = errors.New("gateway: no such page, or its time is over")

// withPages adds the public addresses that a Linker may need.
func (d *Desk) withPages(t *turn, in LinkInput) LinkInput {
	if d.cfg.PublicURL != "" {
		in.Hook = d.cfg.PublicURL + "/hooks/" + string(t.Adapter)
		in.Return, in.Token = d.cfg.PublicURL+"/link/"+string(t.Adapter), newInvite()
	}
	return in
}

func (d *Desk) browserKey(a AdapterID, token string) RecordKey {
	return RecordKey{d.cfg.Keyring.adapterOwner(a), RecordBrowser, d.cfg.Keyring.Name("browser", string(a), token)}
}

// throughBrowser keeps where a page of the platform belongs, and returns the page of ours that leads there. Without a public
// address it is the platform's own.
func (d *Desk) throughBrowser(ctx context.Context, t *turn, token, goal string) (string, error) {
	if token == "" { // nothing leads back: a page that the user comes back from by themselves
		return goal, nil
	}
	plain, err := json.Marshal(browsing{User: t.User, Resource: t.Resource, Lang: t.Lang, Session: t.s.ID, Goal: goal})
	if err != nil {
		return "", err
	}
	key := d.browserKey(t.Adapter, token)
	set := Change{Kind: key.Kind, Name: key.Name, TTL: SessionTTL, Value: d.cfg.Keyring.operator.Seal(string(key.Owner)+"/browser/"+key.Name, plain)}
	if err := d.cfg.Store.Save(ctx, key.Owner, set); err != nil {
		return "", fmt.Errorf("gateway: desk: save page: %w", err)
	}
	return d.cfg.PublicURL + "/link/" + string(t.Adapter) + "/" + token, nil
}

func (d *Desk) browsing(ctx context.Context, a AdapterID, token string) (*browsing, error) {
	key := d.browserKey(a, token)
	got, err := d.cfg.Store.Load(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: load page: %w", err)
	}
	if got[0] == nil {
		return nil, ErrPageOver
	}
	plain, err := d.cfg.Keyring.operator.Open(string(key.Owner)+"/browser/"+key.Name, got[0])
	if err != nil {
		return nil, err
	}
	b := &browsing{}
	return b, json.Unmarshal(plain, b)
}

// Browse is the page of ours that leads to the platform's. ErrPageOver when its time is over.
func (d *Desk) Browse(ctx context.Context, a AdapterID, token string) (Page, error) {
	inst, ok := d.instances[a]
	if !ok {
		return Page{}, ErrPageOver
	}
	b, err := d.browsing(ctx, a, token)
	if err != nil {
		return Page{}, err
	}
	v := Visitor{Adapter: a, User: b.User, Lang: b.Lang}
	platform := d.platform(v)
	return Page{
		Lang: d.cfg.Texts.Spoken(b.Lang), Title: inst.Name, Text: d.say(v, textBrowserAsk, string(b.User), platform),
		Link: b.Goal, Label: d.say(v, textBrowserGo, platform),
	}, nil
}

// PageOver is what to show where ErrPageOver was returned.
func (d *Desk) PageOver(lang string) Page {
	return Page{Lang: d.cfg.Texts.Spoken(lang), Title: "Postern", Text: d.cfg.Texts.Say(lang, textBrowserOver)}
}

// Returned goes on with a registration whose user comes back from the platform's page, with what that added to the address. A
// token opens once. ErrPageOver when its time is over.
func (d *Desk) Returned(ctx context.Context, a AdapterID, token string, answers map[string]string) (Page, error) {
	b, err := d.browsing(ctx, a, token)
	if err != nil {
		return Page{}, err
	}
	key := d.browserKey(a, token)
	if err := d.cfg.Store.Save(ctx, key.Owner, Change{Kind: key.Kind, Name: key.Name}); err != nil {
		return Page{}, fmt.Errorf("gateway: desk: forget page: %w", err)
	}
	v := Visitor{Adapter: a, User: b.User, Resource: b.Resource, Lang: b.Lang}
	page := Page{Lang: d.cfg.Texts.Spoken(b.Lang), Title: d.instances[a].Name}
	out, t, err := d.goOnFrom(ctx, v, b.Session, answers)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		page.Text = refusal.Text
		return page, nil
	}
	if err != nil {
		return Page{}, err
	}
	if out.ask != nil {
		page.Text = d.say(v, textBrowserMore)
		page.Show, err = d.askByChat(ctx, t)
		return page, err
	}
	page.Text = lines(out.text, d.say(v, textBrowserDone))
	page.Show = append(page.Show, out.after...)
	return page, nil
}

// goOnFrom gives answers to the step at which a registration went to the browser.
func (d *Desk) goOnFrom(ctx context.Context, v Visitor, id string, answers map[string]string) (outcome, *turn, error) {
	s, err := d.loadSession(ctx, v, id)
	if err != nil {
		return outcome{}, nil, err
	}
	if s.Step.Redirect == "" {
		return outcome{}, nil, ErrPageOver
	}
	f, t, err := d.enter(ctx, v, s.Node)
	if err != nil {
		return outcome{}, nil, err
	}
	t.s = s
	asked := s.Step
	out, err := f.answer(ctx, t, answers)
	if err != nil {
		return outcome{}, nil, err
	}
	if out.ask == nil {
		if err := d.closeSession(ctx, v, s); err != nil {
			d.log.Warn("dialogue not closed", "adapter", v.Adapter, "error", err)
		}
		return out, t, nil
	}
	s.goOn(asked, out)
	s.Step.Unseen = true
	return out, t, d.saveSession(ctx, v, s)
}

// askByChat asks the next question where the registration is a dialogue in a chat: nothing else would bring it there.
func (d *Desk) askByChat(ctx context.Context, t *turn) ([]Rendering, error) {
	s, err := d.chatSession(ctx, t.Visitor)
	if err != nil || s == nil || s.ID != t.s.ID {
		return nil, err
	}
	t.s.Step.Unseen = false
	if err := d.saveSession(ctx, t.Visitor, t.s); err != nil {
		return nil, err
	}
	asked := d.repeat(t.Visitor, t.s, lines(t.s.Step.Title, d.stepText(t.Visitor, t.s.Step)))
	return []Rendering{t.tell("browser-"+newULID(), asked.Text)}, nil
}
