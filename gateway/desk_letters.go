package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// lettersShown is how many dead letters one step shows.
const lettersShown = 20

// lettersPlace is where a list of dead letters goes on.
type lettersPlace struct {
	Adapter AdapterID `json:"a,omitempty"`
	Code    string    `json:"c,omitempty"`
	After   LetterID  `json:"l,omitempty"`
}

// lettersFlow lists dead letters, replays and drops them: one, those of an adapter or a code, or all. They are shown without their content.
func lettersFlow(d *Desk) flow {
	return flow{
		node: NodeLetters, title: textOperateLetters, help: textOperateLettersHelp, words: textOperateLettersWords,
		start: func(_ context.Context, t *turn) (outcome, error) {
			return outcome{ask: d.asksLetters(t, "", lettersPlace{}, false)}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			f := LetterFilter{Adapter: AdapterID(answers["adapter"]), Code: answers["code"]}
			switch answers["do"] {
			case "list":
				return d.listLetters(ctx, t, lettersPlace{Adapter: f.Adapter, Code: f.Code})
			case "more":
				var p lettersPlace
				if err := json.Unmarshal(t.s.Step.State, &p); err != nil {
					return outcome{}, fmt.Errorf("gateway: desk: dead letters: %w", err)
				}
				return d.listLetters(ctx, t, p)
			}
			return d.changeLetters(ctx, t, f, answers)
		},
	}
}

// asksLetters asks what to do with which; more is true where a list goes on.
func (d *Desk) asksLetters(t *turn, text string, p lettersPlace, more bool) *step {
	do := []Choice{{"list", d.say(t.Visitor, textOperateList)}, {"replay", d.say(t.Visitor, textOperateReplay)}, {"drop", d.say(t.Visitor, textOperateDrop)}}
	if more {
		do = slices.Insert(do, 0, Choice{"more", d.say(t.Visitor, textOperateMore)})
	}
	adapters := []Choice{}
	for _, id := range slices.Sorted(maps.Keys(d.instances)) {
		adapters = append(adapters, Choice{string(id), string(id)})
	}
	state, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings
	}
	return &step{Text: text, State: state, MayEnd: true, Fields: []Field{
		{Name: "do", Label: d.say(t.Visitor, textOperateDo), Kind: FieldChoice, Required: true, Value: do[0].ID, Options: do},
		{Name: "id", Label: d.say(t.Visitor, textOperateLetter), Kind: FieldText},
		{Name: "adapter", Label: d.say(t.Visitor, textOperateOf), Kind: FieldChoice, Value: string(p.Adapter), Options: adapters},
		{Name: "code", Label: d.say(t.Visitor, textOperateCode), Kind: FieldText, Value: p.Code},
		{Name: "all", Label: d.say(t.Visitor, textOperateAll), Kind: FieldBool},
	}}
}

func (d *Desk) listLetters(ctx context.Context, t *turn, p lettersPlace) (outcome, error) {
	page, next, err := GatherLetters(ctx, d.steering.Letters, LetterFilter{Adapter: p.Adapter, Code: p.Code}, p.After, lettersShown)
	if err != nil {
		return outcome{}, err
	}
	var out []string
	for _, l := range page {
		told := []string{
			l.Died.UTC().Format(time.DateTime), string(l.Adapter), d.inWords(t.Visitor, textOperateWhere, l.Where), d.inWords(t.Visitor, textOperateWhat, l.What),
			d.inWords(t.Visitor, textOperateClass, l.Why.Class.String()), l.Why.Code,
		}
		out = append(out, string(l.ID)+": "+strings.Join(slices.DeleteFunc(told, func(s string) bool { return s == "" }), ", "))
	}
	text := strings.Join(out, "\n")
	if len(out) == 0 {
		text = d.say(t.Visitor, textOperateNoLetters)
	}
	p.After = next
	return outcome{replace: true, ask: d.asksLetters(t, text, p, next != "")}, nil
}

// changeLetters replays or drops.
func (d *Desk) changeLetters(ctx context.Context, t *turn, f LetterFilter, answers map[string]string) (outcome, error) {
	replay, actor, id := answers["do"] == "replay", d.actor(t.Visitor), LetterID(answers["id"])
	n, err := 1, error(nil)
	switch none := f == (LetterFilter{}); {
	case id != "" && replay:
		err = d.steering.ReplayLetter(ctx, actor, id)
	case id != "":
		err = d.steering.DropLetter(ctx, actor, id)
	case none != (answers["all"] == "true"): // a forgotten filter is no order for everything
		return outcome{}, d.sessionError(t.Visitor, BadPayload, NotAcceptable, textOperateWrong, d.say(t.Visitor, textOperateAll))
	case replay:
		n, err = d.steering.ReplayLetters(ctx, actor, f)
	default:
		n, err = d.steering.DropLetters(ctx, actor, f)
	}
	if err != nil {
		return outcome{}, d.steered(t.Visitor, t.s.Step.Fields, err)
	}
	if replay {
		return outcome{text: d.say(t.Visitor, textOperateReplayed, n)}, nil
	}
	return outcome{text: d.say(t.Visitor, textOperateDropped, n)}, nil
}
