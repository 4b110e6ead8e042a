package gatekeeper

import (
	"context"
	"encoding/json"
	"strings"

	"postern/gateway"
)

// fieldCode is the answer that proves a number or a mail address; the other field only says which.
const (
	fieldCode = "code"
	fieldTo   = "to"
)

// Keys of the catalogue (gateway/texts) for the step of the code.
const (
	textCode      = "gatekeeper.code"
	textCodeOver  = "gatekeeper.code.over"
	textCodeSent  = "gatekeeper.code.sent"
	textCodeTo    = "gatekeeper.code.to"
	textCodeWrong = "gatekeeper.code.wrong"
)

// codeSought is what a code was sent to, and how it is named at the gatekeeper.
type codeSought struct {
	Identifier   string `json:"identifier"`
	Display      string `json:"display,omitempty"`
	Verification string `json:"verification"`
	// Round counts the codes that the user asked for beyond the first.
	Round int `json:"round,omitempty"`
}

// byCode reports whether the gatekeeper proves what users are enlisted by; a JID is proved by the XMPP server.
func (a *Adapter) byCode() bool { return a.cfg.Identifier != string(gateway.IdentifierJID) }

// seekCode has the gatekeeper send a code, and asks for it.
func (a *Adapter) seekCode(ctx context.Context, in gateway.LinkInput, state linkState) (gateway.LinkStep, error) {
	request := a.requestFor(in, state, a.sought(state), state.Sent.Display)
	var begun verificationBegun
	if err := a.client.enlist(ctx, in.Account, state.Sent.Round, request, &begun); err != nil {
		return gateway.LinkStep{}, sendError(err)
	}
	if begun.Verification.ID == "" {
		// Perhaps it enlisted the user at once. We would vouch for what nobody has proved.
		return gateway.LinkStep{}, sendError(unreadable("answer holds no verification"))
	}
	state.Sent.Verification = begun.Verification.ID
	return a.codeForm(state, textCodeSent)
}

// answerCode enlists by the code that the user gave; no code asks for another one. A wrong guess counts at the gatekeeper.
func (a *Adapter) answerCode(ctx context.Context, in gateway.LinkInput, state linkState) (gateway.LinkStep, error) {
	code := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -", r) {
			return -1
		}
		return r
	}, in.Answers[fieldCode])
	switch {
	case code == "":
		state.Sent.Round++
		return a.seekCode(ctx, in, state)
	case len(code) < 4 || len(code) > 10 || strings.Trim(code, "0123456789") != "":
		return a.codeForm(state, textCodeWrong)
	}
	request := a.requestFor(in, state, a.sought(state), state.Sent.Display)
	request.Proof = &codeProof{VerificationID: state.Sent.Verification, Code: code}
	e, err := a.client.createEnlistment(ctx, in.Account, request)
	if err != nil {
		switch se := sendError(err); se.Code {
		case "verification_failed":
			return a.codeForm(state, textCodeWrong)
		case "verification_expired":
			return a.codeForm(state, textCodeOver)
		default:
			return gateway.LinkStep{}, se
		}
	}
	return a.enlisted(e, request, func() (gateway.LinkStep, error) { return a.codeForm(state, textPending) })
}

func (a *Adapter) sought(state linkState) identifier {
	return identifier{Type: a.cfg.Identifier, Value: state.Sent.Identifier}
}

func (a *Adapter) codeForm(state linkState, hint string) (gateway.LinkStep, error) {
	raw, err := json.Marshal(state)
	if err != nil {
		return gateway.LinkStep{}, sendError(err)
	}
	return gateway.LinkStep{Title: a.cfg.Platform, Text: hint, State: raw, Fields: []gateway.Field{
		{Name: fieldTo, Label: textCodeTo, Kind: gateway.FieldDisplay, Value: masked(a.sought(state))},
		{Name: fieldCode, Label: textCode, Kind: gateway.FieldText},
	}}, nil
}

// masked is how an account is named to its user, and to whoever looks over their shoulder: enough to tell two apart.
func masked(id identifier) string {
	switch gateway.Identifier(id.Type) {
	case gateway.IdentifierPhone:
		return "+•••" + id.Value[max(len(id.Value)-4, len(id.Value)/2):]
	case gateway.IdentifierEmail:
		local, domain, _ := strings.Cut(id.Value, "@")
		for _, first := range local {
			return string(first) + "•••@" + domain
		}
		return "•••@" + domain
	case gateway.IdentifierUsername, gateway.IdentifierJID, gateway.IdentifierOpaque:
	}
	return id.Value
}
