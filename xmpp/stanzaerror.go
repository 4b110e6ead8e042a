package xmpp

import "strconv"

// Condition is a defined condition of a stanza error (RFC 6120 §8.3.3).
type Condition string

// The conditions of RFC 6120 §8.3.3, and policy-violation among them.
const (
	BadRequest            Condition = "bad-request"
	Conflict              Condition = "conflict"
	FeatureNotImplemented Condition = "feature-not-implemented"
	Forbidden             Condition = "forbidden"
	Gone                  Condition = "gone"
	InternalServerError   Condition = "internal-server-error"
	ItemNotFound          Condition = "item-not-found"
	JIDMalformed          Condition = "jid-malformed"
	NotAcceptable         Condition = "not-acceptable"
	NotAllowed            Condition = "not-allowed"
	NotAuthorized         Condition = "not-authorized"
	PolicyViolation       Condition = "policy-violation"
	RecipientUnavailable  Condition = "recipient-unavailable"
	Redirect              Condition = "redirect"
	RegistrationRequired  Condition = "registration-required"
	RemoteServerNotFound  Condition = "remote-server-not-found"
	RemoteServerTimeout   Condition = "remote-server-timeout"
	ResourceConstraint    Condition = "resource-constraint"
	ServiceUnavailable    Condition = "service-unavailable"
	SubscriptionRequired  Condition = "subscription-required"
	UndefinedCondition    Condition = "undefined-condition"
	UnexpectedRequest     Condition = "unexpected-request"
)

// properties returns the usual error type and the legacy code of XEP-0086 for a
// condition; ok is false for a condition that RFC 6120 does not define.
func (c Condition) properties() (typ string, code int, ok bool) {
	switch c {
	case BadRequest, JIDMalformed:
		return "modify", 400, true
	case Conflict:
		return "cancel", 409, true
	case FeatureNotImplemented:
		return "cancel", 501, true
	case Forbidden:
		return "auth", 403, true
	case Gone:
		return "cancel", 302, true
	case InternalServerError:
		return "cancel", 500, true
	case ItemNotFound, RemoteServerNotFound:
		return "cancel", 404, true
	case NotAcceptable:
		return "modify", 406, true
	case NotAllowed:
		return "cancel", 405, true
	case NotAuthorized:
		return "auth", 401, true
	case PolicyViolation:
		return "cancel", 405, true
	case RecipientUnavailable:
		return "wait", 404, true
	case Redirect:
		return "modify", 302, true
	case RegistrationRequired, SubscriptionRequired:
		return "auth", 407, true
	case RemoteServerTimeout:
		return "wait", 504, true
	case ResourceConstraint:
		return "wait", 500, true
	case ServiceUnavailable:
		return "cancel", 503, true
	case UndefinedCondition:
		return "cancel", 500, true
	case UnexpectedRequest:
		return "wait", 400, true
	}
	return "cancel", 500, false
}

// StanzaError is the error of a stanza (RFC 6120 §8.3.2). Only Condition is
// required; an unknown one is sent as undefined-condition.
type StanzaError struct {
	Condition Condition
	Type      string   // auth, cancel, continue, modify or wait; the condition's usual one when empty
	Text      string   // for people, in Lang
	Lang      string   // xml:lang of Text
	By        string   // JID of the entity that raised the error, if it is not the sender of the reply
	App       *Element // application-specific condition, in a namespace of its own
}

// Error gives the condition and, after it, the text.
func (e *StanzaError) Error() string {
	if e.Text == "" {
		return "xmpp: stanza error: " + string(e.Condition)
	}
	return "xmpp: stanza error: " + string(e.Condition) + ": " + e.Text
}

// Element renders <error/>. legacyCode adds the code attribute that XEP-0077
// §3 asks for, and that nothing else should carry.
func (e *StanzaError) Element(legacyCode bool) *Element {
	cond := e.Condition
	typ, code, ok := cond.properties()
	if !ok {
		cond = UndefinedCondition
	}
	switch e.Type {
	case "auth", "cancel", "continue", "modify", "wait":
		typ = e.Type
	}
	el := NewElement(nsClient, "error", "type", typ)
	if legacyCode {
		el.SetAttr("code", strconv.Itoa(code))
	}
	if e.By != "" {
		el.SetAttr("by", e.By)
	}
	el.Add(NewElement(nsStanzas, string(cond)))
	if e.Text != "" {
		el.Add(NewElement(nsStanzas, "text").SetLang(e.Lang).AddText(e.Text))
	}
	return el.Add(e.App)
}

// ErrorReply answers a stanza with an error: from the exact address it was sent
// to, to the full JID that sent it, with its id. It returns nil where an error
// must not be sent: an error or a result is never answered (RFC 6120 §8.3.1),
// and neither is a stanza whose addresses are missing or invalid.
func ErrorReply(req *Element, e *StanzaError) *Element {
	if req == nil || req.Attr("type") == "error" || req.From().IsZero() || req.To().IsZero() {
		return nil
	}
	register := false
	switch {
	case req.Is(nsClient, "iq"):
		if !isRequest(req) {
			return nil
		}
		register = req.FirstChild().Is(nsRegister, "query")
	case !req.Is(nsClient, "message") && !req.Is(nsClient, "presence"):
		return nil
	}
	return replyEnvelope(req, "error").Add(e.Element(register))
}

// ParseStanzaError reads the <error/> of a stanza of type error. It returns nil
// if the stanza is of another type. A missing or unknown condition reads as
// undefined-condition, so that no bounce is ever taken for a success.
func ParseStanzaError(e *Element) *StanzaError {
	if e.Attr("type") != "error" {
		return nil
	}
	out := &StanzaError{Condition: UndefinedCondition, Type: "cancel"}
	el := e.Child(nsClient, "error")
	if el == nil {
		return out
	}
	out.Type, out.By = el.Attr("type"), el.Attr("by")
	for _, c := range el.Children() {
		switch {
		case c.Name.Space == nsStanzas && c.Name.Local == "text":
			out.Text, out.Lang = c.Text(), c.Lang()
		case c.Name.Space == nsStanzas:
			if _, _, ok := Condition(c.Name.Local).properties(); ok {
				out.Condition = Condition(c.Name.Local)
			}
		default:
			out.App = c
		}
	}
	return out
}
