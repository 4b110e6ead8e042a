package messenger_test

import (
	"fmt"
	"net/http"
	"time"

	"postern/adapters/adaptertest"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

// errorCases are answers of the platforms, one for each row of their tables.
func errorCases(kind simulator.Kind) []adaptertest.ErrorCase {
	one := func(status, code, subcode int, class gateway.Class) adaptertest.ErrorCase {
		c := adaptertest.ErrorCase{Name: fmt.Sprintf("%d/%d", code, subcode), Status: status, Class: class, Code: fmt.Sprint(code)}
		c.Body = fmt.Sprintf(`{"error":{"message":"(#%d) canary-c0ffee","type":"OAuthException","code":%d,"fbtrace_id":"A"`, code, code)
		if subcode != 0 {
			c.Code, c.Body = c.Name, c.Body+fmt.Sprintf(`,"error_subcode":%d`, subcode)
		}
		c.Body += "}}"
		return c
	}
	reply := gateway.OpMessage{Content: gateway.PlainText("canary-c0ffee"), ReplyTo: &gateway.Target{IDs: []gateway.MessageID{"m_1"}}}
	answer := one(400, 100, 0, gateway.Unsupported)
	answer.Name, answer.Op, answer.Code = "an answer that is refused", reply, "reply"
	regain := one(400, 613, 0, gateway.RateLimited)
	regain.Name, regain.RetryAfter = "usage headers", 12*time.Minute
	regain.Header = http.Header{"X-Business-Use-Case-Usage": {`{"102030405060708":[{"type":"messenger","call_count":101,"estimated_time_to_regain_access":12}]}`}}
	thread := one(400, 9, 2018352, gateway.RateLimited)
	thread.Scope = gateway.LimitChat
	all := []adaptertest.ErrorCase{
		answer, regain, thread,
		one(500, 1, 0, gateway.Uncertain), one(500, 1, 99, gateway.Uncertain), one(500, 1, 1357046, gateway.Uncertain), one(400, 1, 1357046, gateway.Uncertain),
		one(503, 2, 0, gateway.Uncertain), one(400, 1200, 0, gateway.Uncertain), one(503, 2, 1545133, gateway.Retryable), one(503, 2, 2018344, gateway.Retryable),
		one(400, 4, 0, gateway.RateLimited), one(400, 4, 2018022, gateway.RateLimited), one(400, 4, 2018354, gateway.RateLimited),
		one(400, 17, 0, gateway.RateLimited), one(400, 32, 0, gateway.RateLimited), one(400, 80006, 0, gateway.RateLimited),
		one(400, 341, 0, gateway.RateLimited), one(400, 368, 0, gateway.RateLimited), one(403, 10, 1893063, gateway.RateLimited),
		one(403, 10, 2018278, gateway.WindowClosed), one(403, 10, 2018065, gateway.WindowClosed),
		one(400, 10, 2018108, gateway.NotReachable), one(400, 551, 0, gateway.NotReachable), one(403, 200, 1545041, gateway.NotReachable),
		one(400, 230, 0, gateway.NotReachable), one(400, 100, 2018001, gateway.NotReachable),
		one(403, 10, 0, gateway.ReauthNeeded), one(403, 200, 0, gateway.ReauthNeeded), one(403, 299, 0, gateway.ReauthNeeded),
		one(403, 200, 2018028, gateway.ReauthNeeded), one(403, 200, 2018021, gateway.ReauthNeeded), one(400, 102, 0, gateway.ReauthNeeded),
		one(401, 190, 458, gateway.ReauthNeeded), one(400, 190, 463, gateway.ReauthNeeded), one(400, 190, 0, gateway.ReauthNeeded),
		one(400, 100, 33, gateway.ReauthNeeded),
		one(400, 100, 2018109, gateway.Unsupported), one(400, 100, 2018047, gateway.Unsupported), one(400, 100, 2018074, gateway.Permanent),
		one(400, 100, 0, gateway.Permanent), one(400, 10900, 0, gateway.Permanent), one(400, 10903, 0, gateway.Permanent), one(400, 2022, 0, gateway.Permanent),
		one(400, 987654, 0, gateway.Permanent), one(500, 987654, 0, gateway.Uncertain),
	}
	if kind == simulator.Messenger {
		return all
	}
	return append(all,
		one(403, 10, 2534022, gateway.WindowClosed), one(400, 613, 2534040, gateway.RateLimited), one(403, 200, 2534041, gateway.ReauthNeeded),
		one(400, 100, 2534014, gateway.NotReachable), one(400, 100, 2534001, gateway.NotReachable), one(400, 100, 2534029, gateway.NotReachable),
		one(400, 100, 2534015, gateway.Permanent), one(400, 100, 2534037, gateway.Permanent), one(400, 100, 2534013, gateway.Permanent),
		one(400, 100, 2534025, gateway.Permanent),
	)
}
