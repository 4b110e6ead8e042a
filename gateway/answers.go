package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// QuestionTTL is how long a number can answer a poll or buttons.
	QuestionTTL = 7 * 24 * time.Hour
	// maxQuestions is how many of a chat's last questions can be answered.
	maxQuestions = 4
)

// posed is a poll or an interactive message that the user was shown.
type posed struct {
	ID       MessageID `json:"id"`
	Asked    time.Time `json:"at"`
	Text     string    `json:"text,omitempty"`
	Options  []Choice  `json:"options"`
	Multiple bool      `json:"multiple,omitempty"`
	// Answered is the op that answered it: a number without a reply answers a question once.
	Answered OpID `json:"answered,omitempty"`
}

// posedIn returns the question that a message asks.
func posedIn(b Message, at time.Time) (posed, bool) {
	for _, p := range b.Content.Parts {
		switch p := p.(type) {
		case Poll:
			return posed{ID: b.ID, Asked: at, Text: p.Question, Options: p.Options, Multiple: p.Multiple}, len(p.Options) > 0
		case Interactive:
			return posed{ID: b.ID, Asked: at, Text: p.Body, Options: p.Choices}, len(p.Choices) > 0
		case Text, Media, Location, ContactCard, Sticker, UnsupportedPart:
		}
	}
	return posed{}, false
}

// poses keeps a question, so that a number can answer it. The contact says that there is one: other chats look for none.
func (w *inWalk) poses(ctx context.Context, b Message) *verdict {
	q, ok := posedIn(b, w.entry.At)
	if !ok || w.in.Event.FromMe {
		return nil
	}
	qs, err := w.o.g.questions(ctx, w.account, w.contact)
	if err == nil {
		qs = slices.DeleteFunc(qs, func(old posed) bool { return old.ID == q.ID })
		qs = append(qs, q)
		err = w.o.g.putQuestions(ctx, w.account, w.contact.Alias, qs[max(0, len(qs)-maxQuestions):])
	}
	if err == nil {
		var c *Contact
		c, err = w.o.g.identity.Revise(ctx, w.account, w.contact.Alias, func(c *Contact) { c.Asked = q.Asked.Unix() })
		if c != nil {
			w.contact = c
		}
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// questions returns what a contact asked lately, oldest first.
func (g *Gateway) questions(ctx context.Context, a *Account, c *Contact) ([]posed, error) {
	if c.Asked == 0 || time.Since(time.Unix(c.Asked, 0)) > QuestionTTL {
		return nil, nil
	}
	got, err := g.store.Load(ctx, RecordKey{accountOwner(a.ID), RecordQuestion, string(c.Alias)})
	if err != nil || got[0] == nil {
		return nil, err
	}
	plain, err := a.Keys.Data.Open(questionPlace(a.ID, c.Alias), got[0])
	if err != nil {
		return nil, nil // written under a key that is gone: nobody can answer it
	}
	var qs []posed
	if err := json.Unmarshal(plain, &qs); err != nil {
		return nil, nil // of a version that this one does not know
	}
	return open(qs, time.Now()), nil
}

// open returns the questions that are not too old to be answered.
func open(qs []posed, now time.Time) []posed {
	return slices.DeleteFunc(qs, func(q posed) bool { return now.Sub(q.Asked) > QuestionTTL })
}

func (g *Gateway) putQuestions(ctx context.Context, a *Account, alias Alias, qs []posed) error {
	plain, err := json.Marshal(qs)
	if err != nil {
		return err
	}
	sealed := a.Keys.Data.Seal(questionPlace(a.ID, alias), plain)
	return g.store.Save(ctx, accountOwner(a.ID), Change{Kind: RecordQuestion, Name: string(alias), Value: sealed, TTL: QuestionTTL})
}

func questionPlace(a AccountID, alias Alias) string {
	return string(accountOwner(a)) + "/question/" + string(alias)
}

// answer makes a message that picks options of a question the answer to it. What could mean something else stays a text.
func (w *outWalk) answer(ctx context.Context) *verdict {
	b, ok := w.out.Op.Body.(OpMessage)
	if !ok || w.contact.Asked == 0 || len(b.Content.Parts) != 1 {
		return nil
	}
	t, ok := b.Content.Parts[0].(Text)
	if !ok {
		return nil
	}
	qs, err := w.o.g.questions(ctx, w.account, w.contact)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	i := asks(qs, b.ReplyTo, w.out.Op)
	if i < 0 {
		return nil
	}
	q := qs[i]
	picked := picks(q, t.Text)
	if picked == nil {
		return nil
	}
	w.out.Op.Body = OpAnswer{Target: Target{IDs: []MessageID{q.ID}, At: q.Asked, Excerpt: q.Text}, Choices: picked}
	if q.Answered == w.out.Op.ID {
		return nil
	}
	qs[i].Answered = w.out.Op.ID
	if err := w.o.g.putQuestions(ctx, w.account, w.contact.Alias, qs); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// asks finds the question that a message may answer: the one it replies to, or the one that an earlier try of it answered, or
// else the newest that was there when it was written, while that has no answer; -1 for none.
func asks(qs []posed, reply *Target, op Op) int {
	if reply != nil {
		return slices.IndexFunc(qs, func(q posed) bool { return slices.Contains(reply.IDs, q.ID) })
	}
	if i := slices.IndexFunc(qs, func(q posed) bool { return q.Answered == op.ID }); i >= 0 {
		return i
	}
	for i, q := range slices.Backward(qs) {
		if q.Asked.After(op.At) {
			continue
		}
		if q.Answered != "" {
			break
		}
		return i
	}
	return -1
}

// picks returns the options that an answer names by number or title, nil when it is anything else.
func picks(q posed, text string) []Choice {
	text = strings.TrimSpace(text)
	named := -1
	for i, o := range q.Options {
		if strings.EqualFold(strings.TrimSpace(o.Title), text) {
			if named >= 0 {
				return nil
			}
			named = i
		}
	}
	numbers := numbersIn(text, len(q.Options))
	switch {
	case named >= 0 && (numbers == nil || len(numbers) == 1 && numbers[0] == named):
		return []Choice{q.Options[named]}
	case named >= 0, len(numbers) == 0, len(numbers) > 1 && !q.Multiple:
		return nil
	}
	out := make([]Choice, len(numbers))
	for i, n := range numbers {
		out[i] = q.Options[n]
	}
	return out
}

// numbersIn reads "2", "2.", "#2" or "1, 3" as indexes of so many options, nil when there is anything else in it.
func numbersIn(text string, options int) []int {
	var out []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;+&\n", r) }) {
		n, err := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(word, "#"), ".)"))
		if err != nil || n < 1 || n > options || len(word) > 5 {
			return nil
		}
		if !slices.Contains(out, n-1) {
			out = append(out, n-1)
		}
	}
	return out
}
