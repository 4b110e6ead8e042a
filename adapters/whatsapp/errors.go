package whatsapp

import (
	"strconv"

	"postern/adapters/internal/graph"
	"postern/gateway"
)

const (
	name = "whatsapp"
	// codeForeignToken is Graph's answer to a token of another app, and to a parameter that is wrong.
	codeForeignToken = "100"
	// codeBlockFailed says that a person could not be blocked, as one who has not written for a day.
	codeBlockFailed = "139100"
	// codeNoType, and in groups codeNoGroupType, say that the API has no such type of message.
	codeNoType      = "131051"
	codeNoGroupType = "130501"
	// codePairLimit says that one person got too much.
	codePairLimit = 131056
)

// codeClasses says what kind of failure the platform's own codes are (Error codes); Graph's general ones are package graph's. None of
// these refusals was acted on.
var codeClasses = map[int]gateway.Class{
	3: gateway.ReauthNeeded, 131005: gateway.ReauthNeeded, // permission, access denied
	33: gateway.ReauthNeeded, // the number is gone, or no longer shared with us
	// What only the operator or Meta can mend holds for every message until then: the account waits, its user hears so.
	131031: gateway.ReauthNeeded, 131045: gateway.ReauthNeeded, 133010: gateway.ReauthNeeded,
	// No name yet, no means of payment, terms not signed: the token is good, and each message is refused for itself.
	131037: gateway.Permanent, 131042: gateway.Permanent, 134011: gateway.Permanent,
	368: gateway.RateLimited, 131048: gateway.RateLimited, // policy block, spam limit
	4: gateway.RateLimited, 80007: gateway.RateLimited, 130429: gateway.RateLimited, 133016: gateway.RateLimited, 131208: gateway.RateLimited,
	132069:        gateway.RateLimited,
	codePairLimit: gateway.RateLimited,
	1:             gateway.Uncertain, 2: gateway.Uncertain, 131000: gateway.Uncertain,
	131016: gateway.Retryable, 131057: gateway.Retryable, 133004: gateway.Retryable, // service unavailable, maintenance, server unavailable
	131047: gateway.WindowClosed,
	131026: gateway.NotReachable, 130472: gateway.NotReachable, 131049: gateway.NotReachable, 131050: gateway.NotReachable, 130497: gateway.NotReachable,
	131051: gateway.Unsupported, 131052: gateway.Unsupported, 131053: gateway.Unsupported, 130501: gateway.Unsupported, 131060: gateway.Unsupported,
	100: gateway.Permanent, 131008: gateway.Permanent, 131009: gateway.Permanent, 131021: gateway.Permanent, 131062: gateway.Permanent,
	132000: gateway.Permanent, 132001: gateway.Permanent, 132005: gateway.Permanent, 132007: gateway.Permanent, 132012: gateway.Permanent,
	132015: gateway.Permanent, 132016: gateway.Permanent, 132068: gateway.Permanent,
	133000: gateway.Permanent, 133005: gateway.Permanent, 133006: gateway.Permanent, 133008: gateway.Permanent, 133009: gateway.Permanent,
	133015: gateway.Retryable, // deregistered a moment ago
	134100: gateway.Permanent, 134101: gateway.Permanent, 134102: gateway.Permanent, 131055: gateway.Permanent, 135000: gateway.Permanent,
	// 137000: the person's identity key is another than the one that was trusted.
	137000: gateway.Permanent, 139100: gateway.Permanent,
	131020: gateway.Permanent, 131041: gateway.Permanent, 131059: gateway.Permanent, 131202: gateway.Permanent, 131204: gateway.Permanent,
	131207: gateway.Permanent, 131209: gateway.Permanent, 131210: gateway.Permanent, 131211: gateway.Permanent, 131212: gateway.Permanent,
	131213: gateway.Permanent, 131214: gateway.Permanent, 131215: gateway.Permanent,
	2593107: gateway.Permanent, 2593108: gateway.Permanent, 2593109: gateway.Permanent,
}

// blocked are the codes by which a number as a whole cannot act, wherever they turn up.
var blocked = map[int]gateway.AccountStanding{
	131031: gateway.AccountSuspended, 368: gateway.AccountSuspended, 190: gateway.AccountReauthNeeded, 131045: gateway.AccountReauthNeeded,
	133010: gateway.AccountReauthNeeded, 33: gateway.AccountReauthNeeded,
}

func classOf(f graph.Fault) (gateway.Class, bool) {
	class, known := codeClasses[f.Code]
	return class, known
}

// sendError turns what the client returned into the error that leaves the adapter.
func sendError(err error) *gateway.SendError {
	se := graph.SendError(name, err, classOf)
	if se.Class == gateway.RateLimited && se.Code == strconv.Itoa(codePairLimit) {
		// The pair limit is one chat's: that one waits, and longer each time ("retry after 4^n seconds").
		se.Scope = gateway.LimitChat
	}
	return se
}

// readError is for calls that change nothing, or nothing more the second time.
func readError(err error) *gateway.SendError { return graph.ReadError(name, err, classOf) }

// refuse is an error of our own, before any network I/O.
func refuse(class gateway.Class, code, why string) *gateway.SendError {
	return graph.Refuse(name, class, code, why)
}

// failure is why an accepted message will not be delivered: the platform has given up, so that nothing of it is tried again.
func failure(errs []wireError) *gateway.Failure {
	f := &gateway.Failure{Class: gateway.Permanent}
	if len(errs) == 0 {
		return f
	}
	code, err := strconv.Atoi(string(errs[0].Code))
	if err != nil {
		return f
	}
	f.Code = strconv.Itoa(code)
	switch class := codeClasses[code]; class {
	case gateway.WindowClosed, gateway.NotReachable, gateway.Unsupported:
		f.Class = class
	case gateway.Uncertain, gateway.Retryable, gateway.RateLimited, gateway.ReauthNeeded, gateway.Permanent:
	}
	return f
}
