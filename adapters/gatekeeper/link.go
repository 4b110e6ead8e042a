package gatekeeper

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// fieldDisplay is the one answer that enlisting by JID needs. A number or a mail address is asked for under the name of its type.
const fieldDisplay = "display"

// maxDisplay is the document's limit of Display, in characters.
const maxDisplay = 200

// Keys of the catalogue (gateway/texts) that the form uses.
const (
	textDisplay     = "gatekeeper.display"
	textDisplayLong = "gatekeeper.display.long"
	textPending     = "gatekeeper.pending"
)

// linkState is what the core keeps between a form and its answer: the gatekeeper's terms, when the user agreed to them, and what
// a code was sent to.
type linkState struct {
	Terms terms       `json:"terms"`
	At    time.Time   `json:"at"`
	Sent  *codeSought `json:"sent,omitempty"`
}

// linkFields are the questions of the first form. Terms are not among them: the disclosure names them and asks for a yes.
func (a *Adapter) linkFields() []gateway.Field {
	display := gateway.Field{Name: fieldDisplay, Label: textDisplay, Kind: gateway.FieldText}
	if !a.byCode() {
		return []gateway.Field{display}
	}
	return []gateway.Field{{Name: a.cfg.Identifier, Label: "gatekeeper." + a.cfg.Identifier, Kind: gateway.FieldText, Required: true}, display}
}

// Link enlists a user: a form, for which nobody need be named yet, then for a number or a mail address the code that the gatekeeper
// sent there, then the enlistment. Each step may be repeated: enlisting the same identifier again gives the same enlistment.
func (a *Adapter) Link(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if len(in.State) == 0 {
		dir, err := a.client.readDirectory(ctx)
		if err != nil {
			return gateway.LinkStep{}, sendError(unsent(err))
		}
		if v := a.cfg.TermsVersion; v != "" && v != dir.Terms.Version {
			// The disclosure named other terms than those that the user would be bound to.
			return gateway.LinkStep{}, refuse(gateway.Permanent, "terms_outdated", "terms_version is not the gatekeeper's")
		}
		if a.byCode() && dir.Proofs[a.cfg.Identifier] != "code" {
			// We would vouch for what nobody has proved.
			return gateway.LinkStep{}, refuse(gateway.Permanent, "identifier", "the gatekeeper does not prove what identifier names")
		}
		return a.linkForm(linkState{Terms: dir.Terms, At: time.Now().UTC().Truncate(time.Millisecond)}, "")
	}
	var state linkState
	if err := json.Unmarshal(in.State, &state); err != nil {
		return gateway.LinkStep{}, refuse(gateway.Permanent, "bad_state", "the dialogue cannot be continued")
	}
	if state.Sent != nil {
		return a.answerCode(ctx, in, state)
	}
	request, problem := a.enlistment(in, state)
	if problem != "" {
		return a.linkForm(state, problem)
	}
	if a.byCode() {
		state.Sent = &codeSought{Identifier: request.Identifier.Value, Display: request.Display}
		return a.seekCode(ctx, in, state)
	}
	e, err := a.client.createEnlistment(ctx, in.Account, request)
	if err != nil {
		return gateway.LinkStep{}, sendError(err)
	}
	return a.enlisted(e, request, func() (gateway.LinkStep, error) { return a.linkForm(state, textPending) })
}

// enlisted ends the dialogue, or goes on where the gatekeeper takes its time.
func (a *Adapter) enlisted(e enlistment, request enlistmentRequest, pending func() (gateway.LinkStep, error)) (gateway.LinkStep, error) {
	switch e.State {
	case "active":
		secret, err := json.Marshal(person{Enlistment: e.ID, Subject: request.Identifier.Value})
		if err != nil {
			return gateway.LinkStep{}, sendError(err)
		}
		return gateway.LinkStep{Done: &gateway.Linked{Endpoint: gateway.Endpoint(e.InternalID), Secret: secret, Shown: masked(request.Identifier)}}, nil
	case "pending":
		return pending()
	}
	return gateway.LinkStep{}, refuse(gateway.Permanent, rest.Code(e.State), "the gatekeeper did not accept the enlistment")
}

func (a *Adapter) linkForm(state linkState, hint string) (gateway.LinkStep, error) {
	raw, err := json.Marshal(state)
	if err != nil {
		return gateway.LinkStep{}, sendError(err)
	}
	return gateway.LinkStep{Title: a.cfg.Platform, Text: hint, State: raw, Fields: a.linkFields()}, nil
}

// enlistment builds the request from the answers; problem says what is wrong with them.
func (a *Adapter) enlistment(in gateway.LinkInput, state linkState) (request enlistmentRequest, problem string) {
	display := strings.TrimSpace(in.Answers[fieldDisplay])
	if len([]rune(display)) > maxDisplay {
		return request, textDisplayLong
	}
	id := identifier{Type: a.cfg.Identifier, Value: string(in.User)} // the XMPP server vouches for it
	if a.byCode() {
		var ok bool
		if id, ok = parseIdentifier(in.Answers[a.cfg.Identifier]); !ok || id.Type != a.cfg.Identifier {
			return request, "gatekeeper." + a.cfg.Identifier + ".bad"
		}
	}
	return a.requestFor(in, state, id, display), ""
}

func (a *Adapter) requestFor(in gateway.LinkInput, state linkState, id identifier, display string) enlistmentRequest {
	locale := in.Lang
	if len(locale) < 2 {
		locale = "en"
	}
	return enlistmentRequest{
		Identifier: id,
		Display:    display,
		Mode:       "plaintext",
		Consent:    consentProof{ReceiptSHA256: hex.EncodeToString(in.ConsentHash), Version: "1", Locale: locale, GivenAt: state.At.Format("2006-01-02T15:04:05.000Z")},
		Terms:      terms{Version: state.Terms.Version, SHA256: state.Terms.SHA256},
	}
}

// createEnlistment enlists.
func (c *client) createEnlistment(ctx context.Context, account gateway.AccountID, request enlistmentRequest) (enlistment, error) {
	var e enlistment
	if err := c.enlist(ctx, account, 0, request, &e); err != nil {
		return enlistment{}, err
	}
	if e.ID == "" || e.InternalID == "" {
		return enlistment{}, unreadable("answer holds no enlistment")
	}
	return e, nil
}

// enlist posts to the enlistments. The key follows from account, round and body: a repeated step is one request, a corrected answer
// or a further round another.
func (c *client) enlist(ctx context.Context, account gateway.AccountID, round int, request enlistmentRequest, out any) error {
	raw, err := json.Marshal(request)
	if err != nil {
		return err
	}
	parts := []string{string(account), string(raw)}
	if round > 0 {
		parts = append(parts, strconv.Itoa(round))
	}
	call := rest.Call{
		Name: "createEnlistment", Method: http.MethodPost, Path: rest.Path("v1", "enlistments"), Header: derivedKey(parts...), Body: request,
	}
	return c.do(ctx, &person{Subject: request.Identifier.Value}, call, out)
}

// unreadable is an answer that says yes and nothing more.
func unreadable(why string) error {
	return &rest.Error{Call: "createEnlistment", Status: http.StatusOK, Written: true, Err: errors.New(why)}
}

// derivedKey makes an Idempotency-Key of what must be the same for a request to be the same.
func derivedKey(parts ...string) http.Header {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return http.Header{headerKey: {base64.RawURLEncoding.EncodeToString(sum[:])}}
}

// Unlink withdraws the enlistment. One that is already gone is withdrawn.
func (a *Adapter) Unlink(ctx context.Context, account gateway.Credentials) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	who, err := parsePerson(account)
	if err != nil {
		return sendError(err)
	}
	call := rest.Call{Name: "withdrawEnlistment", Method: http.MethodDelete, Path: rest.Path("v1", "enlistments", who.Enlistment)}
	if err := a.client.do(ctx, who, call, nil); err != nil {
		se := sendError(err)
		if se.Code == "not_found" || se.Code == "not_enlisted" {
			return nil
		}
		if se.Class == gateway.Uncertain {
			// Withdrawing twice is withdrawing once.
			se.Class = gateway.Retryable
		}
		return se
	}
	return nil
}

// Resolve finds one person and, where they want to be asked first, asks them.
func (a *Adapter) Resolve(ctx context.Context, account gateway.Credentials, query string) (gateway.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	who, err := parsePerson(account)
	if err != nil {
		return gateway.Person{}, sendError(err)
	}
	id, ok := parseIdentifier(query)
	if !ok {
		return gateway.Person{}, gateway.ErrNoPerson
	}
	var found lookupResponse
	lookup := rest.Call{Name: "lookupPeople", Method: http.MethodPost, Path: "/v1/directory:lookup", Body: lookupRequest{Items: []identifier{id}}}
	if err := a.client.do(ctx, who, lookup, &found); err != nil {
		return gateway.Person{}, sendError(err)
	}
	if len(found.Items) != 1 || found.Items[0].Result != "found" || found.Items[0].Mode != "plaintext" {
		return gateway.Person{}, gateway.ErrNoPerson
	}
	hit := found.Items[0]
	p := gateway.Person{ID: gateway.ContactID(hit.InternalID), Name: cut(hit.Display, maxDisplay), Accepts: hit.Accepts == "open"}
	if p.Accepts {
		return p, nil
	}
	var asked contactRequest
	ask := rest.Call{
		Name: "createContactRequest", Method: http.MethodPost, Path: rest.Path("v1", "contact-requests"),
		Header: idempotencyKey(gateway.NewOpID()), Body: contactRequestCreate{To: hit.InternalID},
	}
	if err := a.client.do(ctx, who, ask, &asked); err != nil {
		return gateway.Person{}, sendError(err)
	}
	p.Accepts = asked.State == "accepted"
	return p, nil
}

// parseIdentifier tells what a user typed: a number in international form, an e-mail address, or a user name.
func parseIdentifier(query string) (identifier, bool) {
	query = strings.TrimSpace(query)
	if number, ok := strings.CutPrefix(query, "+"); ok {
		digits := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" -./()", r) {
				return -1
			}
			return r
		}, number)
		// ITU-T E.164: at most fifteen digits.
		if len(digits) < 5 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
			return identifier{}, false
		}
		return identifier{Type: string(gateway.IdentifierPhone), Value: "+" + digits}, true
	}
	name := strings.TrimPrefix(query, "@")
	switch {
	case name == "" || len(name) > 320 || strings.ContainsAny(name, " \t\r\n"):
		return identifier{}, false
	case strings.Contains(name, "@"):
		return identifier{Type: string(gateway.IdentifierEmail), Value: name}, true
	}
	return identifier{Type: string(gateway.IdentifierUsername), Value: name}, true
}

// Register sets the one webhook of this partner, with the secret that Verify knows. It also reads the directory, so that Caps is
// exact from the start. The account plays no part.
func (a *Adapter) Register(ctx context.Context, _ gateway.Credentials, url string) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	call := rest.Call{Name: "setWebhook", Method: http.MethodPut, Path: rest.Path("v1", "webhook"), Body: webhookSet{URL: url, Secret: a.secret}}
	if err := a.client.do(ctx, nil, call, nil); err != nil {
		return sendError(err)
	}
	return nil
}

// WellKnown publishes the keys that our assertions are signed with.
func (a *Adapter) WellKnown() map[string][]byte {
	return map[string][]byte{"/.well-known/gia-partner/jwks.json": append([]byte(nil), a.client.keys.public...)}
}
