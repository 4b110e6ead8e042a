package telegram_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/adapters/adaptertest"
	"postern/gateway"
)

// errorCases are answers of the server, one for each kind that an op can meet, and a few without its form.
func errorCases() []adaptertest.ErrorCase {
	one := func(status int, description string, class gateway.Class, code string) adaptertest.ErrorCase {
		return adaptertest.ErrorCase{
			Name: description, Status: status, Class: class, Code: code,
			Body: fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q}`, status, description),
		}
	}
	edit := gateway.OpEdit{Target: gateway.Target{IDs: []gateway.MessageID{"57"}, Mine: true}, Content: gateway.PlainText("canary-c0ffee")}
	retract := gateway.OpRetract{Target: edit.Target}
	react := gateway.OpReact{Target: edit.Target, Emojis: []string{"👍"}}
	about := func(op gateway.OpBody, c adaptertest.ErrorCase) adaptertest.ErrorCase { c.Op = op; return c }
	flood := one(429, "Too Many Requests: retry after 7", gateway.RateLimited, "flood")
	flood.Name, flood.RetryAfter, flood.Scope = "flood with a parameter alone", 7*time.Second, gateway.LimitChat
	flood.Body = `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}`
	header := one(429, "Too Many Requests: retry after 3", gateway.RateLimited, "flood")
	header.RetryAfter, header.Scope, header.Header = 3*time.Second, gateway.LimitChat, http.Header{"Retry-After": {"3"}}
	long := one(429, "Too Many Requests: retry after 900", gateway.RateLimited, "flood")
	long.RetryAfter, long.Scope, long.Header = 15*time.Minute, gateway.LimitAccount, http.Header{"Retry-After": {"900"}}
	return []adaptertest.ErrorCase{
		flood, header, long,
		one(401, "Unauthorized", gateway.ReauthNeeded, "unauthorized"),
		one(404, "Not Found", gateway.ReauthNeeded, "unauthorized"),
		one(404, "Not Found: method not found", gateway.Permanent, "no_method"),
		one(421, "Misdirected Request: unallowed token specified", gateway.Permanent, "unallowed_token"),
		one(403, "Forbidden: bot was blocked by the user", gateway.NotReachable, "blocked"),
		one(403, "Forbidden: user is deactivated", gateway.NotReachable, "deactivated"),
		one(403, "Forbidden: bot can't initiate conversation with a user", gateway.NotReachable, "not_started"),
		one(403, "Forbidden: bot can't send messages to bots", gateway.NotReachable, "bot"),
		one(403, "Forbidden: bot was kicked from the group chat", gateway.NotReachable, "forbidden"),
		one(400, "Bad Request: chat not found", gateway.NotReachable, "chat_not_found"),
		one(400, "Bad Request: PEER_ID_INVALID", gateway.NotReachable, "PEER_ID_INVALID"),
		one(400, "Bad Request: have no access to the user", gateway.NotReachable, "no_access"),
		one(400, "Bad Request: not enough rights to send text messages to the chat", gateway.Permanent, "no_rights"),
		one(400, "Bad Request: CHAT_WRITE_FORBIDDEN", gateway.Permanent, "CHAT_WRITE_FORBIDDEN"),
		one(400, "Bad Request: TOPIC_CLOSED", gateway.Permanent, "TOPIC_CLOSED"),
		one(400, "Bad Request: message thread not found", gateway.Permanent, "no_thread"),
		one(400, "Bad Request: message to be replied not found", gateway.Unsupported, "reply"),
		one(400, "Bad Request: message text is empty", gateway.Unsupported, "empty"),
		one(400, "Bad Request: message is too long", gateway.Unsupported, "too_large"),
		one(400, "Bad Request: can't parse entities: character '!' is reserved", gateway.Permanent, ""),
		one(400, "Bad Request: ENTITY_TEXTURL_INVALID", gateway.Permanent, "ENTITY_TEXTURL_INVALID"),
		one(500, "Internal Server Error", gateway.Uncertain, ""),
		one(504, "Gateway Timeout", gateway.Uncertain, ""),
		about(edit, one(400, "Bad Request: message to edit not found", gateway.Unsupported, "not_editable")),
		about(edit, one(400, "Bad Request: message can't be edited", gateway.Unsupported, "not_editable")),
		about(edit, one(400, "Bad Request: there is no text in the message to edit", gateway.Unsupported, "no_text")),
		about(retract, one(400, "Bad Request: message can't be deleted for everyone", gateway.Unsupported, "not_deletable")),
		about(react, one(400, "Bad Request: REACTION_INVALID", gateway.Unsupported, "REACTION_INVALID")),
		about(react, one(400, "Bad Request: message to react not found", gateway.Permanent, "no_target")),
		{Name: "a group that moved, twice", Status: 400, Class: gateway.Permanent, Code: "migrated", Body: `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234567890}}`},
		{Name: "a proxy's 413", Status: 413, Body: "<html>", Class: gateway.Unsupported, Code: "file_too_big"},
		{Name: "a proxy's 502", Status: 502, Body: "<html>canary-c0ffee</html>", Class: gateway.Uncertain},
		{Name: "a redirect elsewhere", Status: 307, Header: http.Header{"Location": {"https://evil.example/"}}, Class: gateway.Retryable},
		{Name: "taken without a message", Status: 200, Body: `{"ok":true,"result":{}}`, Class: gateway.Uncertain},
		{Name: "not ok", Status: 200, Body: `{"ok":false}`, Class: gateway.Uncertain},
		{Name: "endless", Status: 200, Body: `{"ok":true,"result":"` + strings.Repeat("x", 1<<20) + `"}`, Class: gateway.Uncertain},
		{Name: "a code that is none", Status: 400, Body: `{"ok":false,"description":"Bad Request: canary-c0ffee says hello"}`, Class: gateway.Permanent},
	}
}
