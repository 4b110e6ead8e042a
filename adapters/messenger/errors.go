package messenger

import (
	"errors"
	"strconv"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

const (
	codeParameter = 100
	codeDuplicate = 506
	codeThread    = 9
	// subcodeMissing is Graph's "object does not exist or cannot be loaded due to missing permissions".
	subcodeMissing = 33
)

// pair is a code with its subcode; 0 stands for every other subcode of a code.
type pair struct{ code, subcode int }

// faultControl says that another app has the conversation (Conversation Routing).
var faultControl = pair{10, 2018300}

// codeClasses says what kind of failure the platforms' own codes are (Messenger Platform, Error Codes); Graph's general ones are package
// graph's. But for what is Uncertain none of these refusals was acted on.
var codeClasses = map[pair]gateway.Class{
	{1, 0}: gateway.Uncertain, {1, 99}: gateway.Uncertain,
	{1, 1357046}: gateway.Uncertain, // "reply not valid JSON", and yet it may have been sent
	{2, 0}:       gateway.Uncertain, {1200, 0}: gateway.Uncertain,
	{2, 1545133}: gateway.Retryable, {2, 2018344}: gateway.Retryable,

	{4, 0}: gateway.RateLimited, {4, 2018022}: gateway.RateLimited, {4, 2018354}: gateway.RateLimited, {17, 0}: gateway.RateLimited,
	{32, 0}: gateway.RateLimited, {613, 0}: gateway.RateLimited, {80006, 0}: gateway.RateLimited, {9, 2018352}: gateway.RateLimited,
	{341, 0}: gateway.RateLimited, {368, 0}: gateway.RateLimited, {10, 1893063}: gateway.RateLimited, // restricted for a time

	{10, 2018278}: gateway.WindowClosed, {10, 2018065}: gateway.WindowClosed, {10, 2534022}: gateway.WindowClosed,

	{10, 2018108}: gateway.NotReachable, {200, 1545041}: gateway.NotReachable, {551, 0}: gateway.NotReachable, {230, 0}: gateway.NotReachable,
	{100, 2018001}: gateway.NotReachable, {100, 2534014}: gateway.NotReachable, {100, 2534001}: gateway.NotReachable,
	{100, 2534029}: gateway.NotReachable,

	// What only the owner, the operator or Meta can mend holds for every message until then: the account waits, its user hears so.
	{200, 2018028}: gateway.ReauthNeeded, {200, 2018021}: gateway.ReauthNeeded, {200, 2534041}: gateway.ReauthNeeded,
	{100, subcodeMissing}: gateway.ReauthNeeded,
	{10, 2018300}:         gateway.Permanent,

	{100, 2018109}: gateway.Unsupported, {100, 2018008}: gateway.Unsupported, {100, 2018047}: gateway.Unsupported,
	{100, 2018294}: gateway.Unsupported,
	{100, 0}:       gateway.Permanent, {100, 2018074}: gateway.Permanent, {100, 2534015}: gateway.Permanent, {100, 2534037}: gateway.Permanent,
	{100, 2534013}: gateway.Permanent, {100, 2534025}: gateway.Permanent, {506, 0}: gateway.Permanent,
	{10900, 0}: gateway.Permanent, {10903, 0}: gateway.Permanent, {10904, 0}: gateway.Permanent, {2022, 0}: gateway.Permanent,
}

// fetchFailed reports whether Meta could not get a file from where it was told that it is.
func fetchFailed(f pair) bool {
	return f == pair{codeParameter, 2018008} || f == pair{codeParameter, 2018047} || f == pair{codeParameter, 2018294}
}

// named reports whether a subcode says what is wrong.
func (p pair) named() bool {
	_, known := codeClasses[p]
	return known && p.subcode != 0
}

func classOf(f graph.Fault) (gateway.Class, bool) {
	if class, known := codeClasses[pair{f.Code, f.Subcode}]; known {
		return class, true
	}
	class, known := codeClasses[pair{f.Code, 0}]
	return class, known
}

// faultOf reads what a refusal says; the zero value where there is none.
func faultOf(err error) pair {
	re, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return pair{}
	}
	f, ok := graph.FaultOf(re)
	if !ok {
		return pair{}
	}
	return pair{f.Code, f.Subcode}
}

// sendError turns what the client returned into the error that leaves the adapter.
func (a *Adapter) sendError(err error) *gateway.SendError {
	return detailed(graph.SendError(a.cfg.name(), err, classOf), err)
}

// readError is for calls that change nothing, or nothing more the second time.
func (a *Adapter) readError(err error) *gateway.SendError {
	return detailed(graph.ReadError(a.cfg.name(), err, classOf), err)
}

// detailed adds the subcode, which says more than the code, and whose limit it was.
func detailed(se *gateway.SendError, err error) *gateway.SendError {
	f := faultOf(err)
	if f.subcode != 0 {
		se.Code = strconv.Itoa(f.code) + "/" + strconv.Itoa(f.subcode)
	}
	if f.code == codeThread && se.Class == gateway.RateLimited {
		se.Scope = gateway.LimitChat
	}
	return se
}

// refuse is an error of our own, before any network I/O.
func (a *Adapter) refuse(class gateway.Class, code, why string) *gateway.SendError {
	return a.cfg.refuse(class, code, why)
}

func (c *Config) refuse(class gateway.Class, code, why string) *gateway.SendError {
	return graph.Refuse(c.name(), class, code, why)
}
