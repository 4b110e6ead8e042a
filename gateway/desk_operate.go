package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Nodes of the commands for operators. Where Service Administration (XEP-0133) has a node of that meaning it is that one.
const (
	NodeOperate = "operator/status"
	NodeLetters = "operator/dead-letters"
	NodeAdapter = "operator/adapter"
	NodeUser    = "http://jabber.org/protocol/admin#user-stats"
	NodeDisable = "http://jabber.org/protocol/admin#disable-user"
	NodeEnable  = "http://jabber.org/protocol/admin#reenable-user"
	NodeBlocks  = "http://jabber.org/protocol/admin#get-disabled-users-list"
)

// Steering is what operators do by chat: what /v1 offers. Whatever changes something is written down under the actor's name before it is
// done. Of an input that cannot be it says so by an InputError.
type Steering interface {
	LetterSteering
	OrderSteering
	Queues(ctx context.Context) ([]QueueState, []ParkedLanes, error)
	// ParseUser reads a bare JID (RFC 7622).
	ParseUser(s string) (UserID, error)
}

// LetterSteering is about dead letters.
type LetterSteering interface {
	Letters(ctx context.Context, f LetterFilter, after LetterID, n int) (page []Letter, next LetterID, err error)
	ReplayLetter(ctx context.Context, actor string, id LetterID) error
	DropLetter(ctx context.Context, actor string, id LetterID) error
	ReplayLetters(ctx context.Context, actor string, f LetterFilter) (int, error)
	DropLetters(ctx context.Context, actor string, f LetterFilter) (int, error)
}

// OrderSteering is about adapters that are stopped, and who is blocked.
type OrderSteering interface {
	Stopped(a AdapterID) (Stop, bool)
	StopAdapter(ctx context.Context, actor string, a AdapterID, reason string) error
	StartAdapter(ctx context.Context, actor string, a AdapterID) error
	// Block and Unblock return where it stands in the audit log, and the salt of that line, which is kept nowhere else.
	Block(ctx context.Context, actor, who, reason string) (line int64, salt string, err error)
	Unblock(ctx context.Context, actor, who string) (line int64, salt string, err error)
	Blocks() []Block
}

// InputError is an input that cannot be; Input names it.
type InputError interface {
	error
	Input() string
}

// Operate lets operators steer the gateway by chat; it is called before anything runs.
func (d *Desk) Operate(s Steering) { d.steering = s }

// SetAdmins says who the operators are, from now on.
func (d *Desk) SetAdmins(users []UserID) {
	admins := map[UserID]bool{}
	for _, u := range users {
		admins[u] = true
	}
	d.admins.Store(&admins)
}

// operates reports whether a visitor is an operator. The address is the one that their server has put on the stanza (XEP-0114 §4), of a
// domain that is served. Who is blocked is none: that is what another operator does when such an account is stolen.
func (d *Desk) operates(v Visitor) bool {
	admins := d.admins.Load()
	if d.steering == nil || admins == nil || !(*admins)[v.User] {
		return false
	}
	if d.cfg.Orders == nil {
		return true
	}
	_, blocked := d.cfg.Orders.Blocked(v.User)
	return !blocked
}

// actorChat begins the names of operators who write to the gateway.
const actorChat = "chat-"

// actor is how an operator who writes stands in the audit log, which names nobody.
func (d *Desk) actor(v Visitor) string {
	return actorChat + d.cfg.Keyring.Name("operator", string(v.User))[:16]
}

func (d *Desk) operatorFlows() []flow {
	all := []flow{statusOfAllFlow(d), lettersFlow(d), adapterFlow(d), userFlow(d), disableFlow(d), enableFlow(d), blocksFlow(d)}
	for i := range all {
		all[i].operator = true
		all[i].open = func(v Visitor, _ bool) bool { return d.operates(v) }
	}
	return all
}

// steered turns what came of an order into a refusal where it was none of ours to fail.
func (d *Desk) steered(v Visitor, fields []Field, err error) error {
	if in, ok := errors.AsType[InputError](err); ok {
		label := in.Input()
		for _, f := range fields {
			if f.Name == label || f.Name == "accountjid" && label == "jid" {
				label = f.Label
			}
		}
		return d.sessionError(v, BadPayload, NotAcceptable, textOperateWrong, label)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return &Refusal{ItemNotFound, d.say(v, textOperateNone)}
	case errors.Is(err, ErrFull):
		return &Refusal{ResourceConstraint, d.say(v, textOperateFull, MaxBlocks)}
	}
	return err
}

// inWords is what a code of ours is called, of a closed set; one that an older record has, and nobody knows any more, stands for itself.
func (d *Desk) inWords(v Visitor, of TextKey, code string) string {
	key := of + TextKey(code)
	if text := d.say(v, key); text != string(key) {
		return text
	}
	return code
}

// statusOfAllFlow says how the gateway does.
func statusOfAllFlow(d *Desk) flow {
	return flow{
		node: NodeOperate, title: textOperate, help: textOperateHelp, words: textOperateWords,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			queues, parked, err := d.steering.Queues(ctx)
			if err != nil {
				return outcome{}, err
			}
			var out []string
			for _, id := range slices.Sorted(maps.Keys(d.instances)) {
				if s, ok := d.steering.Stopped(id); ok {
					out = append(out, d.say(t.Visitor, textOperateStopped, id, s.Reason))
				} else {
					out = append(out, d.say(t.Visitor, textOperateRuns, id))
				}
			}
			for _, q := range queues {
				if q.Entries == 0 {
					continue
				}
				where := d.inWords(t.Visitor, textOperateWhere, q.Where)
				if q.Adapter != "" {
					where += " " + string(q.Adapter)
				}
				out = append(out, d.say(t.Visitor, textOperateQueue, where, q.Entries, d.duration(t.Visitor, time.Since(q.Oldest).Round(time.Second))))
			}
			for _, p := range parked {
				out = append(out, d.say(t.Visitor, textOperateParked, d.inWords(t.Visitor, textOperateWhere, p.Where), p.Lanes, d.inWords(t.Visitor, textOperatePark, string(p.Reason))))
			}
			page, next, err := GatherLetters(ctx, d.steering.Letters, LetterFilter{}, "", lettersShown)
			if err != nil {
				return outcome{}, err
			}
			n := fmt.Sprint(len(page))
			if next != "" {
				n += "+"
			}
			out = append(out, d.say(t.Visitor, textOperateDead, n), d.say(t.Visitor, textOperateActor, d.actor(t.Visitor)))
			return outcome{text: strings.Join(out, "\n")}, nil
		},
	}
}

// adapterFlow stops an adapter, or starts it again.
func adapterFlow(d *Desk) flow {
	return flow{
		node: NodeAdapter, title: textOperateAdapter, help: textOperateAdapterHelp, words: textOperateAdapterWords,
		start: func(_ context.Context, t *turn) (outcome, error) {
			var adapters []Choice
			for _, id := range slices.Sorted(maps.Keys(d.instances)) {
				adapters = append(adapters, Choice{string(id), string(id)})
			}
			return outcome{ask: &step{Last: true, Fields: []Field{
				{Name: "adapter", Label: d.say(t.Visitor, textOperateWhich), Kind: FieldChoice, Required: true, Value: string(t.Adapter), Options: adapters},
				{Name: "do", Label: d.say(t.Visitor, textOperateDo), Kind: FieldChoice, Required: true, Options: []Choice{{"stop", d.say(t.Visitor, textOperateStop)}, {"start", d.say(t.Visitor, textOperateStart)}}},
				{Name: "reason", Label: d.say(t.Visitor, textOperateReason), Kind: FieldText},
			}}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			id, err, text := AdapterID(answers["adapter"]), error(nil), textOperateStarted
			if answers["do"] == "stop" {
				err, text = d.steering.StopAdapter(ctx, d.actor(t.Visitor), id, answers["reason"]), textOperateHalted
			} else {
				err = d.steering.StartAdapter(ctx, d.actor(t.Visitor), id)
			}
			return outcome{text: d.say(t.Visitor, text, id)}, d.steered(t.Visitor, t.s.Step.Fields, err)
		},
	}
}

// asksUser begins with a user's address, or that of a domain, and a reason where one is needed.
func (d *Desk) asksUser(label TextKey, reason bool) func(context.Context, *turn) (outcome, error) {
	return func(_ context.Context, t *turn) (outcome, error) {
		fields := []Field{{Name: "accountjid", Label: d.say(t.Visitor, label), Kind: FieldText, Required: true}}
		if reason {
			fields = append(fields, Field{Name: "reason", Label: d.say(t.Visitor, textOperateReason), Kind: FieldText, Required: true})
		}
		return outcome{ask: &step{Fields: fields, Last: true}}, nil
	}
}

func disableFlow(d *Desk) flow {
	return flow{
		node: NodeDisable, title: textOperateBlock, help: textOperateBlockHelp, words: textOperateBlockWords, start: d.asksUser(textOperateWhom, true),
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			line, salt, err := d.steering.Block(ctx, d.actor(t.Visitor), answers["accountjid"], answers["reason"])
			return d.proved(t, textOperateBlocked, answers["accountjid"], line, salt), d.steered(t.Visitor, t.s.Step.Fields, err)
		},
	}
}

// proved says what was done to whom, and where that is written down.
func (d *Desk) proved(t *turn, key TextKey, who string, line int64, salt string) outcome {
	return outcome{text: d.say(t.Visitor, key, who), note: d.say(t.Visitor, textOperateProved, line, salt)}
}

func enableFlow(d *Desk) flow {
	return flow{
		node: NodeEnable, title: textOperateUnblock, help: textOperateUnblockHelp, words: textOperateUnblockWords, start: d.asksUser(textOperateWhom, false),
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			line, salt, err := d.steering.Unblock(ctx, d.actor(t.Visitor), answers["accountjid"])
			return d.proved(t, textOperateUnblocked, answers["accountjid"], line, salt), d.steered(t.Visitor, t.s.Step.Fields, err)
		},
	}
}

// userFlow says what accounts a user has, and what they may do: not with whom they write.
func userFlow(d *Desk) flow {
	return flow{
		node: NodeUser, title: textOperateUser, help: textOperateUserHelp, words: textOperateUserWords, start: d.asksUser(textOperateUserJID, false),
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			user, err := d.steering.ParseUser(answers["accountjid"])
			if err != nil {
				return outcome{}, d.sessionError(t.Visitor, BadPayload, NotAcceptable, textOperateWrong, d.say(t.Visitor, textOperateUserJID))
			}
			accounts, err := d.Holdings(ctx, user)
			if err != nil {
				return outcome{}, err
			}
			if len(accounts) == 0 {
				return outcome{}, &Refusal{ItemNotFound, d.say(t.Visitor, textOperateNone)}
			}
			var out []string
			for _, a := range accounts {
				out = append(out, d.say(t.Visitor, textOperateAccount, a.Adapter, d.inWords(t.Visitor, textOperateStanding, string(a.Health.Standing)), a.CreatedAt.UTC().Format(time.DateOnly), a.ID))
			}
			return outcome{text: strings.Join(out, "\n")}, nil
		},
	}
}

// blocksShown is how many blocks one step shows.
const blocksShown = 50

func blocksFlow(d *Desk) flow {
	page := func(t *turn, after string) outcome {
		all := d.steering.Blocks()
		from, _ := slices.BinarySearchFunc(all, after+"\x00", func(b Block, who string) int { return strings.Compare(b.Who, who) })
		if after == "" {
			from = 0
		}
		shown := all[from:min(len(all), from+blocksShown)]
		var out []string
		for _, b := range shown {
			out = append(out, fmt.Sprintf("%s (%s, %s): %s", b.Who, b.By, b.At.UTC().Format(time.DateOnly), b.Reason))
		}
		switch text := strings.Join(out, "\n"); {
		case len(out) == 0:
			return outcome{text: d.say(t.Visitor, textOperateNoBlocks)}
		case from+len(shown) == len(all):
			return outcome{text: text}
		default:
			return outcome{replace: true, ask: &step{Text: text, State: []byte(shown[len(shown)-1].Who), MayEnd: true}}
		}
	}
	return flow{
		node: NodeBlocks, title: textOperateBlocks, help: textOperateBlocksHelp, words: textOperateBlocksWords,
		start: func(_ context.Context, t *turn) (outcome, error) { return page(t, ""), nil },
		answer: func(_ context.Context, t *turn, _ map[string]string) (outcome, error) {
			return page(t, string(t.s.Step.State)), nil
		},
	}
}
