package messenger

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/adapters/internal/graph"
	"postern/gateway"
)

// Answers that linking asks for.
const (
	fieldHow   = "how"
	fieldPage  = "page"
	fieldToken = "token"
)

// Ways to link a page.
const (
	howBrowser = "browser"
	howToken   = "token"
)

// Keys of the catalogue (gateway/texts) that the forms use, behind the platform's name and a dot.
const (
	textHow        = "how"
	textHowBrowser = "how.browser"
	textHowToken   = "how.token"
	textBrowser    = "browser"
	textDeclined   = "declined"
	textToken      = "token"
	textPaste      = "paste"
	textPasteForm  = "paste.form"
	textUnknown    = "paste.unknown"
	textForeign    = "paste.foreign"
	textPage       = "page"
	textNoPage     = "page.none"
)

// Permissions by name (Permissions Reference), for an app without a configuration of its login.
const (
	scopesMessenger = "pages_messaging,pages_manage_metadata,pages_show_list,pages_read_engagement"
	scopesFacebook  = "instagram_basic,instagram_manage_messages,pages_manage_metadata,pages_show_list,business_management"
	scopesInstagram = "instagram_business_basic,instagram_business_manage_messages"
)

// fieldsPage are what a page says of itself, with the Instagram account that is linked to it.
const (
	fieldsMessenger = "id,name"
	fieldsFacebook  = "id,name,instagram_business_account{id,username}"
	fieldsInstagram = "user_id,username"
)

// stage is where a dialogue stands; it is the state that the core keeps sealed.
type stage struct {
	At string `json:"at"`
	// Return is the redirect_uri of the page that was opened: the exchange of its code has to repeat it.
	Return string `json:"return,omitempty"`
	// Pages are what the login is good for.
	Pages []linkPage `json:"pages,omitempty"`
}

type linkPage struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Secret secret `json:"secret"`
}

// Stages of a dialogue.
const (
	atHow     = "how"
	atPaste   = "paste"
	atBrowser = "browser"
	atPage    = "page"
)

// Link takes a page or account that a user has: by a login in a browser, under the operator's app, or by its token. Where the configuration
// has a page for all there is nothing to ask.
func (a *Adapter) Link(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	if line, ok := a.Line(); ok {
		return gateway.LinkStep{Done: &line}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	var at stage
	if len(in.State) > 0 && json.Unmarshal(in.State, &at) != nil {
		return gateway.LinkStep{}, a.refuse(gateway.Permanent, "bad_state", "the dialogue cannot be continued")
	}
	switch at.At {
	case atHow:
		if in.Answers[fieldHow] == howBrowser {
			return a.openBrowser(in, textBrowser)
		}
		return a.askToken(textPaste), nil
	case atBrowser:
		return a.returned(ctx, in, at)
	case atPaste:
		return a.pasted(ctx, in)
	case atPage:
		return a.chosen(ctx, in, at)
	}
	if a.cfg.AppID == "" {
		return a.askToken(textPaste), nil
	}
	return a.ask(stage{At: atHow}, "", gateway.Field{
		Name: fieldHow, Label: a.text(textHow), Kind: gateway.FieldChoice, Required: true, Value: howBrowser,
		Options: []gateway.Choice{{ID: howBrowser, Title: a.text(textHowBrowser)}, {ID: howToken, Title: a.text(textHowToken)}},
	}), nil
}

// text is a key of the catalogue.
func (a *Adapter) text(key string) string { return a.cfg.name() + "." + key }

func (a *Adapter) ask(at stage, hint string, fields ...gateway.Field) gateway.LinkStep {
	raw, err := json.Marshal(at)
	if err != nil {
		raw = nil // strings and numbers always encode
	}
	step := gateway.LinkStep{Title: "Messenger", State: raw, Fields: fields}
	if a.cfg.Platform == Instagram {
		step.Title = "Instagram"
	}
	if hint != "" {
		step.Text = a.text(hint)
	}
	return step
}

func (a *Adapter) askToken(hint string) gateway.LinkStep {
	return a.ask(stage{At: atPaste}, hint, gateway.Field{Name: fieldToken, Label: a.text(textToken), Kind: gateway.FieldSecret, Required: true})
}

// pasted checks a token by using it. One of a person, rather than of a page, stands for their pages.
func (a *Adapter) pasted(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	token := strings.TrimSpace(in.Answers[fieldToken])
	if !tokenForm.MatchString(token) {
		return a.askToken(textPasteForm), nil
	}
	if a.cfg.AppID != "" && !a.cfg.own() {
		grant, err := a.client.graph.Inspect(ctx, a.cfg.AppID, token)
		switch {
		case refused(a, err):
			return a.askToken(textForeign), nil
		case err != nil:
			return gateway.LinkStep{}, a.readError(err)
		case grant.AppID != "" && grant.AppID != a.cfg.AppID:
			return a.askToken(textForeign), nil
		case !grant.Valid:
			return a.askToken(textUnknown), nil
		case grant.Type == "USER":
			return a.offer(ctx, in, token, func(hint string) (gateway.LinkStep, error) { return a.askToken(hint), nil })
		}
	}
	p, err := a.itself(ctx, token)
	switch {
	case refused(a, err):
		return a.askToken(textUnknown), nil
	case err != nil:
		return gateway.LinkStep{}, a.readError(err)
	}
	one, ok := a.pageOf(p, token)
	if !ok {
		return a.askToken(textNoPage), nil
	}
	return a.finish(ctx, in, one)
}

// refused reports whether the platform said no to a token, rather than nothing.
func refused(a *Adapter, err error) bool {
	if err == nil {
		return false
	}
	class := a.readError(err).Class
	return class == gateway.ReauthNeeded || class == gateway.Permanent || class == gateway.NotReachable
}

// itself asks what a token stands for.
func (a *Adapter) itself(ctx context.Context, token string) (p page, err error) {
	fields := fieldsMessenger
	switch {
	case a.cfg.own():
		fields = fieldsInstagram
	case a.cfg.Platform == Instagram:
		fields = fieldsFacebook
	}
	return p, a.client.read(ctx, "readAccount", token, "me", fields, &p)
}

// pageOf is what is linked by a page and its token; ok is false where it has no Instagram account, and that is what is linked.
func (a *Adapter) pageOf(p page, token string) (linkPage, bool) {
	out := linkPage{ID: string(p.ID), Name: p.Name, Secret: secret{Token: token, Made: time.Now().Unix()}}
	switch {
	case a.cfg.own():
		out.ID, out.Name = string(p.UserID), "@"+p.Username
	case a.cfg.Platform == Instagram:
		if p.Instagram == nil {
			return out, false
		}
		out.ID, out.Name, out.Secret.Page = string(p.Instagram.ID), "@"+p.Instagram.Username, string(p.ID)
	}
	return out, idForm.MatchString(out.ID)
}

// openBrowser leads to the login: the user chooses there what the gateway may act for, and comes back with a code.
func (a *Adapter) openBrowser(in gateway.LinkInput, hint string) (gateway.LinkStep, error) {
	if in.Return == "" || in.Token == "" {
		return gateway.LinkStep{}, a.refuse(gateway.Unsupported, "no_public_url", "logging in in a browser needs http.public_url")
	}
	step := a.ask(stage{At: atBrowser, Return: in.Return}, hint)
	q := url.Values{"client_id": {a.cfg.AppID}, "redirect_uri": {in.Return}, "state": {in.Token}, "response_type": {"code"}}
	switch {
	case a.cfg.own():
		q.Set("scope", scopesInstagram)
		step.Redirect = a.cfg.dialog() + "/oauth/authorize?" + q.Encode()
		return step, nil
	case a.cfg.LoginID != "":
		q.Set("config_id", a.cfg.LoginID)
	case a.cfg.Platform == Instagram:
		q.Set("scope", scopesFacebook)
	default:
		q.Set("scope", scopesMessenger)
	}
	step.Redirect = graph.DialogURL(a.cfg.dialog(), a.cfg.Version, q)
	return step, nil
}

// returned reads what the browser brought back.
func (a *Adapter) returned(ctx context.Context, in gateway.LinkInput, at stage) (gateway.LinkStep, error) {
	code := strings.TrimSuffix(in.Answers["code"], "#_") // which Instagram puts behind it
	switch {
	case in.Answers["error"] != "":
		return a.openBrowser(in, textDeclined)
	case code == "": // the user went on by hand, without the page
		return a.openBrowser(in, textBrowser)
	}
	token, err := a.tokenOf(ctx, at.Return, code)
	switch {
	case refused(a, err): // a code is good once, and for some minutes
		return a.openBrowser(in, textDeclined)
	case err != nil:
		return gateway.LinkStep{}, a.readError(err)
	}
	again := func(hint string) (gateway.LinkStep, error) { return a.openBrowser(in, hint) }
	if !a.cfg.own() {
		return a.offer(ctx, in, token.AccessToken, again)
	}
	p, err := a.itself(ctx, token.AccessToken)
	if err != nil {
		return gateway.LinkStep{}, a.readError(err)
	}
	one, ok := a.pageOf(p, token.AccessToken)
	if !ok {
		return again(textNoPage)
	}
	if life := token.Life(); life > 0 {
		one.Secret.Until = time.Now().Add(life).Unix()
	}
	return a.finish(ctx, in, one)
}

// tokenOf makes a token that lasts of a code: sixty days, or, for the pages of a person, until something is changed.
func (a *Adapter) tokenOf(ctx context.Context, redirect, code string) (graph.Token, error) {
	if a.cfg.own() {
		short, err := a.client.exchange(ctx, redirect, code)
		if err != nil {
			return short, err
		}
		return a.client.prolong(ctx, short.AccessToken)
	}
	short, err := a.client.graph.Exchange(ctx, a.cfg.AppID, redirect, code)
	if err != nil {
		return short, err
	}
	return a.client.graph.Prolong(ctx, a.cfg.AppID, short.AccessToken)
}

// offer lists the pages that a person's token is good for, and goes on at once where there is one.
func (a *Adapter) offer(ctx context.Context, in gateway.LinkInput, token string, again func(hint string) (gateway.LinkStep, error)) (gateway.LinkStep, error) {
	all, err := a.client.pages(ctx, token)
	if err != nil {
		return gateway.LinkStep{}, a.readError(err)
	}
	next := stage{At: atPage}
	for _, p := range all {
		if one, ok := a.pageOf(p, p.Token); ok && p.Token != "" {
			next.Pages = append(next.Pages, one)
		}
	}
	switch len(next.Pages) {
	case 0:
		return again(textNoPage)
	case 1:
		return a.finish(ctx, in, next.Pages[0])
	}
	return a.askPage(next), nil
}

func (a *Adapter) askPage(at stage) gateway.LinkStep {
	f := gateway.Field{Name: fieldPage, Label: a.text(textPage), Kind: gateway.FieldChoice, Required: true, Value: at.Pages[0].ID}
	for _, p := range at.Pages {
		f.Options = append(f.Options, gateway.Choice{ID: p.ID, Title: first(p.Name, p.ID)})
	}
	return a.ask(at, "", f)
}

// chosen goes on with one of the pages that a login brought.
func (a *Adapter) chosen(ctx context.Context, in gateway.LinkInput, at stage) (gateway.LinkStep, error) {
	i := slices.IndexFunc(at.Pages, func(p linkPage) bool { return p.ID == in.Answers[fieldPage] })
	switch {
	case len(at.Pages) == 0:
		return gateway.LinkStep{}, a.refuse(gateway.Permanent, "bad_state", "the dialogue cannot be continued")
	case i < 0:
		return a.askPage(at), nil
	}
	return a.finish(ctx, in, at.Pages[i])
}

// finish makes the app hear of the page.
func (a *Adapter) finish(ctx context.Context, in gateway.LinkInput, p linkPage) (gateway.LinkStep, error) {
	if err := a.announce(ctx, p.Secret, gateway.Endpoint(p.ID), in.Hook); err != nil {
		return gateway.LinkStep{}, err
	}
	return gateway.LinkStep{Done: &gateway.Linked{Endpoint: gateway.Endpoint(p.ID), Secret: p.Secret.seal(), Shown: first(p.Name, p.ID)}}, nil
}
