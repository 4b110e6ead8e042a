package telegram

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// answers says for the descriptions of the server what kind of failure they are: the first row whose status and words fit. The server
// writes them freely, so that they are matched by parts, in lower case; the code is ours where the server has none.
var answers = []struct {
	status int
	words  string
	class  gateway.Class
	code   string
}{
	{401, "", gateway.ReauthNeeded, "unauthorized"},
	{404, "method not found", gateway.Permanent, "no_method"},
	{404, "", gateway.ReauthNeeded, "unauthorized"}, // "Not Found" is what a token of another form gets
	{421, "", gateway.Permanent, "unallowed_token"},
	{409, "webhook", gateway.Permanent, "webhook_active"},
	{409, "", gateway.Permanent, "other_poller"},

	{403, "bot was blocked by the user", gateway.NotReachable, "blocked"},
	{403, "user is deactivated", gateway.NotReachable, "deactivated"},
	{403, "can't initiate conversation", gateway.NotReachable, "not_started"},
	{403, "can't send messages to bots", gateway.NotReachable, "bot"},
	{403, "", gateway.NotReachable, "forbidden"},

	{400, "chat not found", gateway.NotReachable, "chat_not_found"},
	{400, "user not found", gateway.NotReachable, "chat_not_found"},
	{400, "peer_id_invalid", gateway.NotReachable, "PEER_ID_INVALID"},
	{400, "have no access to the user", gateway.NotReachable, "no_access"},
	{400, "upgraded to a supergroup", gateway.Permanent, "migrated"},
	{400, "not enough rights", gateway.Permanent, "no_rights"},
	{400, "have no rights", gateway.Permanent, "no_rights"},
	{400, "administrator rights", gateway.Permanent, "no_rights"},
	{400, "write_forbidden", gateway.Permanent, "CHAT_WRITE_FORBIDDEN"},
	{400, "topic_closed", gateway.Permanent, "TOPIC_CLOSED"},
	{400, "message thread not found", gateway.Permanent, "no_thread"},

	// A feature's name as code makes the core try the message without it.
	{400, "message to be replied not found", gateway.Unsupported, string(gateway.FeatureReply)},
	{400, "message is not modified", gateway.Permanent, codeSame},
	{400, "no text in the message to edit", gateway.Unsupported, codeNoText},
	{400, "message to edit not found", gateway.Unsupported, "not_editable"},
	{400, "message can't be edited", gateway.Unsupported, "not_editable"},
	{400, "message_id_invalid", gateway.Unsupported, "MESSAGE_ID_INVALID"},
	{400, "message to delete not found", gateway.Permanent, codeGone},
	{400, "message can't be deleted", gateway.Unsupported, "not_deletable"},
	{400, "message to react not found", gateway.Permanent, "no_target"},
	{400, "reaction_invalid", gateway.Unsupported, "REACTION_INVALID"},

	{400, "message text is empty", gateway.Unsupported, "empty"},
	{400, "text must be non-empty", gateway.Unsupported, "empty"},
	{400, "message is too long", gateway.Unsupported, "too_large"},
	{400, "caption is too long", gateway.Unsupported, "too_large"},
	{400, "file is too big", gateway.Unsupported, codeTooBig},
	{413, "", gateway.Unsupported, codeTooBig},
	{400, "photo_invalid_dimensions", gateway.Unsupported, codeNoPhoto},
	{400, "image_process_failed", gateway.Unsupported, codeNoPhoto},
	{400, "photo_save_file_invalid", gateway.Unsupported, codeNoPhoto},
	{400, "photo_ext_invalid", gateway.Unsupported, codeNoPhoto},
	{400, "voice_messages_forbidden", gateway.Unsupported, codeNoPhoto},
	{400, "video_file_invalid", gateway.Unsupported, codeNoPhoto},
	{400, "sticker_", gateway.Unsupported, codeNoPhoto},
	{400, "wrong file identifier", gateway.Permanent, codeStale},
	{400, "wrong file_id", gateway.Permanent, codeStale},
	{400, "temporarily unavailable", gateway.Permanent, codeStale},
	{400, "wrong type of the web page content", gateway.Unsupported, "unsupported_type"},
}

// Codes that the adapter itself looks for.
const (
	codeSame    = "not_modified"
	codeNoText  = "no_text"
	codeGone    = "message_gone"
	codeNoPhoto = "not_as_such"
	codeTooBig  = "file_too_big"
	codeStale   = "file_unavailable"
)

// serverCode is an error of Telegram's own servers, which the Bot API passes on as it is.
var serverCode = regexp.MustCompile(`^(?:[A-Za-z ]+: )?([A-Z][A-Z0-9_]{3,60})$`)

// classify says what an answer means.
func classify(status int, description string) (gateway.Class, string) {
	low := strings.ToLower(description)
	for _, a := range answers {
		if a.status == status && strings.Contains(low, a.words) {
			return a.class, a.code
		}
	}
	code := ""
	if m := serverCode.FindStringSubmatch(description); m != nil {
		code = m[1]
	}
	switch {
	case status == http.StatusTooManyRequests:
		return gateway.RateLimited, "flood"
	case status >= 300 && status < 400, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return gateway.Retryable, code // nothing was acted on
	case status >= 400 && status < 500:
		return gateway.Permanent, code
	}
	return gateway.Uncertain, code
}

// sendError turns what the client returned into the error that leaves the adapter.
func sendError(err error) *gateway.SendError {
	if se, ok := errors.AsType[*gateway.SendError](err); ok {
		return se
	}
	out := &gateway.SendError{Err: cause{err}}
	re, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return out
	}
	var e envelope
	_ = re.Decode(&e) // a proxy's page says nothing
	out.RetryAfter = re.RetryAfter
	if s := e.Parameters.RetryAfter; out.RetryAfter == 0 && s > 0 {
		out.RetryAfter = min(time.Duration(s), 24*60*60) * time.Second
	}
	switch {
	case !re.Written:
		out.Class = gateway.Retryable
	case re.Status == 0 || re.Status < 300:
		out.Class = gateway.Uncertain // no answer, or a 2xx that cannot be read
	default:
		out.Class, out.Code = classify(re.Status, e.Description)
	}
	if out.Class == gateway.RateLimited {
		// The server does not say which of its limits it means. That of a chat is over in a moment.
		if out.Scope = gateway.LimitChat; out.RetryAfter > chatFlood {
			out.Scope = gateway.LimitAccount
		}
	}
	return out
}

// chatFlood is the longest wait that is taken for a chat's own.
const chatFlood = time.Minute

// readError is for calls that change nothing, or the same again: to try once more is always right.
func readError(err error) *gateway.SendError {
	se := sendError(err)
	if se.Class == gateway.Uncertain {
		se.Class = gateway.Retryable
	}
	return se
}

// cause gives an error the adapter's name in front.
type cause struct{ err error }

func (c cause) Error() string { return "telegram: " + c.err.Error() }
func (c cause) Unwrap() error { return c.err }

// refuse is an error of our own, before any network I/O.
func refuse(class gateway.Class, code, why string) *gateway.SendError {
	return &gateway.SendError{Class: class, Code: code, Err: errors.New("telegram: " + why)}
}
