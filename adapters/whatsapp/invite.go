package whatsapp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// placeholder is where invite_text has its code.
const placeholder = "{code}"

var (
	inviteForm = regexp.MustCompile(`^[a-z2-7]{26}$`)
	// inviteIn finds a code in what a person sent: keyboards change case, and people add words of their own.
	inviteIn = regexp.MustCompile(`(?i)\binvite-([a-z2-7]{26})\b`)
)

// inviteText is the message that an invite link writes for a person, who only has to send it.
type inviteText struct{ before, after string }

func newInviteText(s string) (*inviteText, error) {
	before, after, found := strings.Cut(s, placeholder)
	if !found || strings.Contains(after, placeholder) || len(s) > 500 {
		return nil, errors.New("whatsapp: invite_text: want up to 500 characters with {code} in them once")
	}
	return &inviteText{before, after}, nil
}

func (t *inviteText) write(token string) string { return t.before + "invite-" + token + t.after }

// read finds the token of an invite in a text. bare is true when nothing else was said; else rest is what else was.
func (t *inviteText) read(text string) (token, rest string, bare bool) {
	at := inviteIn.FindStringSubmatchIndex(text)
	if at == nil {
		return "", text, false
	}
	token = strings.ToLower(text[at[2]:at[3]])
	if i := strings.Index(text, t.before+text[at[0]:at[1]]+t.after); i >= 0 {
		rest = text[:i] + text[i+len(t.before)+at[1]-at[0]+len(t.after):]
	} else {
		rest = text[:at[0]] + text[at[1]:]
	}
	rest = strings.TrimSpace(rest)
	words := strings.Fields(strings.ToLower(t.before + " " + t.after))
	bare = strings.Join(strings.Fields(strings.ToLower(rest)), " ") == strings.Join(words, " ") || strings.Trim(rest, "()[]:.,!?-– ") == ""
	return token, rest, bare
}

// Line returns the operator's number.
func (a *Adapter) Line() (gateway.Linked, bool) {
	if a.line.Token == "" {
		return gateway.Linked{}, false
	}
	shown := "number " + a.cfg.PhoneNumberID
	if a.line.Phone != "" {
		shown = "+" + a.line.Phone
	}
	return gateway.Linked{Endpoint: gateway.Endpoint(a.cfg.PhoneNumberID), Secret: a.line.seal(), Shown: shown}, true
}

// InviteURL is a click-to-chat link ("wa.me"): it opens a chat with the number and writes the text into the message field.
func (a *Adapter) InviteURL(ctx context.Context, account gateway.Credentials, token string) (string, error) {
	who, err := parseSecret(account)
	if err != nil {
		return "", sendError(err)
	}
	if token != "" && !inviteForm.MatchString(token) {
		return "", refuse(gateway.Permanent, "bad_token", "this is no token of an invite")
	}
	phone := who.Phone
	if known := a.phone.Load(); phone == "" && known != nil && string(account.Endpoint) == a.cfg.PhoneNumberID {
		phone = *known
	}
	if phone == "" {
		ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
		defer cancel()
		n, err := a.client.number(ctx, who.Token, string(account.Endpoint))
		if err != nil {
			return "", readError(err)
		}
		if phone = digits(n.Display); string(account.Endpoint) == a.cfg.PhoneNumberID {
			a.phone.Store(&phone)
		}
	}
	if !phoneForm.MatchString(phone) {
		return "", refuse(gateway.Permanent, "no_phone", "the number is not told")
	}
	link := url.URL{Scheme: "https", Host: "wa.me", Path: "/" + phone}
	if token != "" {
		// wa.me wants spaces as %20.
		link.RawQuery = "text=" + strings.ReplaceAll(url.QueryEscape(a.invite.write(token)), "+", "%20")
	}
	return link.String(), nil
}

// digits keeps the digits of a phone number as people write it.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// Resolve takes a phone number as it is: "existence is learnt by sending". A business-scoped id is what a person with a hidden number has. On
// a number that serves all people come by invites alone.
func (a *Adapter) Resolve(_ context.Context, account gateway.Credentials, query string) (gateway.Person, error) {
	if line, ok := a.Line(); ok && line.Endpoint == account.Endpoint {
		return gateway.Person{}, gateway.ErrNoPerson
	}
	query = strings.TrimSpace(query)
	if userForm.MatchString(query) {
		return gateway.Person{ID: gateway.ContactID(query), Accepts: true}, nil
	}
	// Without its plus a number would be read as one of the business's own country.
	number, international := strings.CutPrefix(query, "+")
	number = strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(number)
	if !international || !phoneForm.MatchString(number) {
		return gateway.Person{}, gateway.ErrNoPerson
	}
	return gateway.Person{ID: gateway.ContactID(number), Accepts: true}, nil
}

// Block stops a person from writing to the number, or lets them again. "Only users who messaged in the last 24 hours" can be blocked: of
// others the core keeps the block alone.
func (a *Adapter) Block(ctx context.Context, account gateway.Credentials, contact gateway.ContactID, on bool) error {
	if !a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}).Has(gateway.FeatureBlock) {
		return refuse(gateway.Unsupported, string(gateway.FeatureBlock), "not offered here")
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	method := http.MethodPost
	if !on {
		method = http.MethodDelete
	}
	body := blockUsers{Product: product, Users: []blockedUser{{User: string(contact)}}}
	call := rest.Call{Name: "blockUsers", Method: method, Path: rest.Path(string(account.Endpoint), "block_users"), Body: body}
	if _, err := a.client.graph.Do(ctx, who.Token, call, nil); err != nil {
		se := readError(err)
		if se.Code == codeBlockFailed {
			se.Class = gateway.Unsupported
		}
		return se
	}
	return nil
}

// Report is not a thing of the Cloud API.
func (a *Adapter) Report(context.Context, gateway.Credentials, gateway.Report) error {
	return refuse(gateway.Unsupported, string(gateway.FeatureReport), "the Cloud API takes no reports")
}
