package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

// Answers that linking asks for.
const (
	fieldHow    = "how"
	fieldNumber = "phone_number_id"
	fieldToken  = "token"
	fieldPIN    = "pin"
)

// Ways to link a number.
const (
	howBrowser = "browser"
	howToken   = "token"
)

// Keys of the catalogue (gateway/texts) that the forms use.
const (
	textHow        = "whatsapp.how"
	textHowBrowser = "whatsapp.how.browser"
	textHowToken   = "whatsapp.how.token"
	textBrowser    = "whatsapp.browser"
	textDeclined   = "whatsapp.declined"
	textNumberID   = "whatsapp.number_id"
	textToken      = "whatsapp.token"
	textPaste      = "whatsapp.paste"
	textPasteForm  = "whatsapp.paste.form"
	textUnknown    = "whatsapp.paste.unknown"
	textForeign    = "whatsapp.paste.foreign"
	textNumber     = "whatsapp.number"
	textNoNumber   = "whatsapp.number.none"
	textPIN        = "whatsapp.pin"
	textPINHow     = "whatsapp.pin.how"
	textPINWrong   = "whatsapp.pin.wrong"
)

var (
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{20,1000}$`)
	pinForm   = regexp.MustCompile(`^[0-9]{6}$`)
)

// scopes are the permissions whose targets are business accounts.
var scopes = []string{"whatsapp_business_management", "whatsapp_business_messaging"}

// stage is where a dialogue stands; it is the state that the core keeps sealed.
type stage struct {
	At string `json:"at"`
	// Return is the redirect_uri of the page that was opened: the exchange of its code has to repeat it.
	Return string `json:"return,omitempty"`
	// Token is what the page brought, Numbers what it is good for.
	Token   string       `json:"token,omitempty"`
	Numbers []linkNumber `json:"numbers,omitempty"`
}

type linkNumber struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Phone   string `json:"phone"`
	Name    string `json:"name"`
}

// Stages of a dialogue.
const (
	atHow     = "how"
	atPaste   = "paste"
	atBrowser = "browser"
	atNumber  = "number"
	atPIN     = "pin"
)

// Link takes a number that a user has: by Meta's embedded sign-up in a browser, under the operator's app, or by its id and a system user's
// token. Where the configuration has a number for all there is nothing to ask.
func (a *Adapter) Link(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	if line, ok := a.Line(); ok {
		return gateway.LinkStep{Done: &line}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	var at stage
	if len(in.State) > 0 && json.Unmarshal(in.State, &at) != nil {
		return gateway.LinkStep{}, refuse(gateway.Permanent, "bad_state", "the dialogue cannot be continued")
	}
	switch at.At {
	case atHow:
		if in.Answers[fieldHow] == howBrowser {
			return a.openBrowser(in, textBrowser)
		}
		return ask(stage{At: atPaste}, textPaste, pasteFields()...), nil
	case atBrowser:
		return a.returned(ctx, in, at)
	case atPaste:
		return a.pasted(ctx, in)
	case atNumber:
		return a.chosen(ctx, in, at)
	case atPIN:
		return a.registered(ctx, in, at)
	}
	if a.cfg.SignupID == "" {
		return ask(stage{At: atPaste}, textPaste, pasteFields()...), nil
	}
	return ask(stage{At: atHow}, "", gateway.Field{
		Name: fieldHow, Label: textHow, Kind: gateway.FieldChoice, Required: true, Value: howBrowser,
		Options: []gateway.Choice{{ID: howBrowser, Title: textHowBrowser}, {ID: howToken, Title: textHowToken}},
	}), nil
}

func ask(at stage, hint string, fields ...gateway.Field) gateway.LinkStep {
	raw, err := json.Marshal(at)
	if err != nil {
		raw = nil // strings always encode
	}
	return gateway.LinkStep{Title: "WhatsApp", Text: hint, State: raw, Fields: fields}
}

func pasteFields() []gateway.Field {
	return []gateway.Field{
		{Name: fieldNumber, Label: textNumberID, Kind: gateway.FieldText, Required: true},
		{Name: fieldToken, Label: textToken, Kind: gateway.FieldSecret, Required: true},
	}
}

// pasted checks a number's id and a token by using them.
func (a *Adapter) pasted(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	id, token := strings.TrimSpace(in.Answers[fieldNumber]), strings.TrimSpace(in.Answers[fieldToken])
	again := func(hint string) (gateway.LinkStep, error) {
		return ask(stage{At: atPaste}, hint, pasteFields()...), nil
	}
	if !numberForm.MatchString(id) || !tokenForm.MatchString(token) {
		return again(textPasteForm)
	}
	grant, err := a.client.graph.Inspect(ctx, a.cfg.AppID, token)
	if err != nil {
		se := readError(err)
		if se.Code == codeForeignToken {
			return again(textForeign)
		}
		return gateway.LinkStep{}, se
	}
	switch {
	case grant.AppID != "" && grant.AppID != a.cfg.AppID:
		return again(textForeign)
	case !grant.Valid:
		return again(textUnknown)
	}
	n, err := a.client.number(ctx, token, id)
	if err != nil {
		if se := readError(err); se.Class != gateway.ReauthNeeded && se.Class != gateway.Permanent {
			return gateway.LinkStep{}, se
		}
		return again(textUnknown)
	}
	account, err := a.accountOf(ctx, token, id, grant.Targets(scopes...))
	if err != nil {
		return gateway.LinkStep{}, err
	}
	return a.take(ctx, in, token, n, account)
}

// accountOf finds the business account that a number belongs to among those that a token is good for; empty where it is none of them.
func (a *Adapter) accountOf(ctx context.Context, token, id string, accounts []string) (string, error) {
	for _, account := range accounts {
		numbers, err := a.client.numbers(ctx, token, account)
		if err != nil {
			if se := readError(err); se.Class != gateway.Permanent && se.Class != gateway.ReauthNeeded {
				return "", se
			}
			continue // of an account that this permission does not reach
		}
		if slices.ContainsFunc(numbers, func(n phoneNumber) bool { return string(n.ID) == id }) {
			return account, nil
		}
	}
	return "", nil
}

// openBrowser leads to Meta's embedded sign-up (Embedded Signup, Facebook Login for Business): the user makes or chooses a business, an
// account and a number there, and comes back with a code.
func (a *Adapter) openBrowser(in gateway.LinkInput, hint string) (gateway.LinkStep, error) {
	if in.Return == "" || in.Token == "" {
		return gateway.LinkStep{}, refuse(gateway.Unsupported, "no_public_url", "signing up in a browser needs http.public_url")
	}
	step := ask(stage{At: atBrowser, Return: in.Return}, hint)
	step.Redirect = graph.DialogURL(a.cfg.DialogURL, a.cfg.Version, url.Values{
		"client_id": {a.cfg.AppID}, "config_id": {a.cfg.SignupID}, "redirect_uri": {in.Return}, "state": {in.Token},
		"response_type": {"code"}, "override_default_response_type": {"true"}, "extras": {`{"setup":{},"version":"v3"}`},
	})
	return step, nil
}

// returned reads what the browser brought back, and what the token that comes of it is good for.
func (a *Adapter) returned(ctx context.Context, in gateway.LinkInput, at stage) (gateway.LinkStep, error) {
	code := in.Answers["code"]
	switch {
	case in.Answers["error"] != "":
		return a.openBrowser(in, textDeclined)
	case code == "": // the user went on by hand, without the page
		return a.openBrowser(in, textBrowser)
	}
	t, err := a.client.graph.Exchange(ctx, a.cfg.AppID, at.Return, code)
	if err != nil {
		// A code is good once, and for ten minutes.
		if se := readError(err); se.Class != gateway.Permanent && se.Class != gateway.ReauthNeeded {
			return gateway.LinkStep{}, se
		}
		return a.openBrowser(in, textDeclined)
	}
	grant, err := a.client.graph.Inspect(ctx, a.cfg.AppID, t.AccessToken)
	if err != nil {
		return gateway.LinkStep{}, readError(err)
	}
	next := stage{At: atNumber, Token: t.AccessToken}
	for _, account := range grant.Targets(scopes...) {
		numbers, err := a.client.numbers(ctx, t.AccessToken, account)
		if err != nil {
			return gateway.LinkStep{}, readError(err)
		}
		for _, n := range numbers {
			next.Numbers = append(next.Numbers, linkNumber{ID: string(n.ID), Account: account, Phone: n.Display, Name: n.Name})
		}
	}
	switch len(next.Numbers) {
	case 0:
		return a.openBrowser(in, textNoNumber)
	case 1:
		in.Answers = map[string]string{fieldNumber: next.Numbers[0].ID}
		return a.chosen(ctx, in, next)
	}
	return askNumber(next), nil
}

func askNumber(at stage) gateway.LinkStep {
	f := gateway.Field{Name: fieldNumber, Label: textNumber, Kind: gateway.FieldChoice, Required: true, Value: at.Numbers[0].ID}
	for _, n := range at.Numbers {
		f.Options = append(f.Options, gateway.Choice{ID: n.ID, Title: strings.TrimSpace(n.Phone + " " + n.Name)})
	}
	return ask(at, "", f)
}

// chosen goes on with one of the numbers that a sign-up brought.
func (a *Adapter) chosen(ctx context.Context, in gateway.LinkInput, at stage) (gateway.LinkStep, error) {
	i := slices.IndexFunc(at.Numbers, func(n linkNumber) bool { return n.ID == in.Answers[fieldNumber] })
	if i < 0 {
		if len(at.Numbers) == 0 {
			return gateway.LinkStep{}, refuse(gateway.Permanent, "bad_state", "the dialogue cannot be continued")
		}
		return askNumber(at), nil
	}
	n, err := a.client.number(ctx, at.Token, at.Numbers[i].ID)
	if err != nil {
		return gateway.LinkStep{}, readError(err)
	}
	return a.take(ctx, in, at.Token, n, at.Numbers[i].Account)
}

// take ends a dialogue with a number that is in the Cloud API, or asks for what it takes to put it there. A number that also lives in the
// app on a phone is there already.
func (a *Adapter) take(ctx context.Context, in gateway.LinkInput, token string, n phoneNumber, account string) (gateway.LinkStep, error) {
	s := secret{Token: token, Account: account, Phone: digits(n.Display)}
	if !n.OnPhone && (n.Platform == "NOT_APPLICABLE" || n.Status == "PENDING" || n.Status == "DISCONNECTED") {
		return askPIN(stage{At: atPIN, Token: token, Numbers: []linkNumber{{ID: string(n.ID), Account: account, Phone: n.Display}}}, textPINHow), nil
	}
	return a.finish(ctx, in, string(n.ID), s)
}

func askPIN(at stage, hint string) gateway.LinkStep {
	return ask(at, hint, gateway.Field{Name: fieldPIN, Label: textPIN, Kind: gateway.FieldSecret, Required: true})
}

// registered registers a number under a PIN.
func (a *Adapter) registered(ctx context.Context, in gateway.LinkInput, at stage) (gateway.LinkStep, error) {
	if len(at.Numbers) != 1 {
		return gateway.LinkStep{}, refuse(gateway.Permanent, "bad_state", "the dialogue cannot be continued")
	}
	n, pin := at.Numbers[0], strings.TrimSpace(in.Answers[fieldPIN])
	if !pinForm.MatchString(pin) {
		return askPIN(at, textPINWrong), nil
	}
	if err := a.client.register(ctx, at.Token, n.ID, pin); err != nil {
		switch se := readError(err); se.Code {
		case "133005", "133006", "133008", "133009": // wrong PIN, not verified, too many guesses, too fast
			return askPIN(at, textPINWrong), nil
		default:
			return gateway.LinkStep{}, se
		}
	}
	return a.finish(ctx, in, n.ID, secret{Token: at.Token, Account: n.Account, Phone: digits(n.Phone)})
}

// finish makes the app hear of the number.
func (a *Adapter) finish(ctx context.Context, in gateway.LinkInput, id string, s secret) (gateway.LinkStep, error) {
	if err := a.announce(ctx, s, gateway.Endpoint(id), in.Hook); err != nil {
		return gateway.LinkStep{}, err
	}
	shown := "+" + s.Phone
	if s.Phone == "" {
		shown = "number " + id
	}
	return gateway.LinkStep{Done: &gateway.Linked{Endpoint: gateway.Endpoint(id), Secret: s.seal(), Shown: shown}}, nil
}

// maxHook is the longest override_callback_uri (Webhooks, override).
const maxHook = 200

// announce sends a number's webhooks to an address of its own, for the whole business account where that is known: what Meta tells of an
// account comes there too. Without a public address the app's own stays in charge. It may be repeated.
func (a *Adapter) announce(ctx context.Context, s secret, number gateway.Endpoint, hook string) error {
	to := override{}
	if hook != "" {
		to = override{URL: strings.TrimRight(hook, "/") + "/" + a.pathToken(number), Verify: a.verifyToken}
		if len(to.URL) > maxHook {
			return refuse(gateway.Permanent, "long_url", "the address of the webhook is longer than Meta takes")
		}
	}
	var err error
	switch {
	case s.Account != "":
		err = a.client.subscribe(ctx, s.Token, s.Account, to)
	case to.URL != "":
		err = a.client.redirectNumber(ctx, s.Token, string(number), to)
	}
	if err != nil {
		return readError(err)
	}
	return nil
}

// Unlink ends what announce began. A business account whose webhooks have gone to another number's address since stays subscribed for that
// one. The token is the user's to revoke; one that is revoked, or a number that is gone, has nothing to end.
func (a *Adapter) Unlink(ctx context.Context, account gateway.Credentials) error {
	if line, ok := a.Line(); ok && line.Endpoint == account.Endpoint {
		return nil
	}
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if who.Account == "" {
		err = a.client.redirectNumber(ctx, who.Token, string(account.Endpoint), override{})
	} else {
		var ours bool
		if ours, err = a.client.subscribed(ctx, who.Token, who.Account, a.pathToken(account.Endpoint)); err == nil && ours {
			err = a.client.unsubscribe(ctx, who.Token, who.Account)
		}
	}
	if err == nil {
		return nil
	}
	se := readError(err)
	if se.Class == gateway.ReauthNeeded {
		return nil
	}
	re, ok := errors.AsType[*rest.Error](err)
	if ok && re.Status == http.StatusNotFound {
		return nil
	}
	return se
}

// Register announces the webhook of one number.
func (a *Adapter) Register(ctx context.Context, account gateway.Credentials, hook string) error {
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	return a.announce(ctx, who, account.Endpoint, hook)
}

// RegistersEach reports that each number has an address of its own.
func (a *Adapter) RegistersEach() bool { return true }
