package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Say answers what a visitor wrote to the gateway in a chat. It keeps the dialogue that the chat is in, asks one question at
// a time, and puts everything there is to say into Text. A refusal is an answer too; as the error it is resource-constraint, for a
// visitor who is perhaps a machine, and any other error is internal.
func (d *Desk) Say(ctx context.Context, v Visitor, text string) (Reply, error) {
	if _, err := d.instance(v); err != nil {
		return Reply{}, err
	}
	text = strings.TrimSpace(text)
	v, err := d.speaking(ctx, v)
	if err != nil {
		return Reply{}, err
	}
	s, err := d.chatSession(ctx, v)
	if err != nil {
		return Reply{}, err
	}
	if s == nil {
		if d.isWord(v, textWordsCancel, text) {
			return Reply{Status: ReplyCompleted, Text: d.say(v, textNothingToCancel)}, nil
		}
		if late, err := d.answersLate(ctx, v, text); err != nil {
			return Reply{}, err
		} else if late {
			return d.run(ctx, v, NodeLate, text)
		}
		return d.command(ctx, v, text)
	}
	v.Lang = s.Lang
	questions := d.questions(v, s)
	switch {
	case d.isWord(v, textWordsCancel, text):
		r, err := d.Continue(ctx, v, s.ID, ActionCancel, nil)
		return d.chatReply(ctx, v, r, err)
	case d.isWord(v, textWordsBack, text):
		return d.chatBack(ctx, v, s)
	case d.isWord(v, textHelpWords, text):
		r, err := d.Start(ctx, v, NodeHelp)
		if err != nil {
			return d.chatReply(ctx, v, r, err)
		}
		return d.repeat(v, s, r.Text), nil
	case d.interrupts(v, questions, s.Chat.At, text):
		return d.command(ctx, v, text)
	}
	return d.chatAnswer(ctx, v, s, questions, text)
}

// speaking gives a visitor whose client does not say so the language of their account: it is the one of the notices whose
// words they send.
func (d *Desk) speaking(ctx context.Context, v Visitor) (Visitor, error) {
	if v.Lang != "" {
		return v, nil
	}
	a, err := d.account(ctx, v)
	if err == nil && a != nil {
		v.Lang = a.Lang
	}
	return v, err
}

// interrupts reports whether a text is a command although a question is open: it is, unless the question takes any text.
func (d *Desk) interrupts(v Visitor, questions []question, at int, text string) bool {
	if at < len(questions) && (questions[at].kind == FieldText || questions[at].kind == FieldSecret) {
		return false
	}
	f, _ := d.commandOf(v, text)
	return f != nil
}

// commandOf finds the command that a line begins with.
func (d *Desk) commandOf(v Visitor, text string) (f *flow, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	for i := range d.flows {
		f := &d.flows[i]
		if f.operator && !d.operates(v) {
			continue
		}
		if d.isWord(v, f.words, text) {
			return f, ""
		}
		if f.arg != "" && d.isWord(v, f.words, word) {
			return f, strings.TrimSpace(rest)
		}
	}
	return nil, ""
}

func (d *Desk) command(ctx context.Context, v Visitor, text string) (Reply, error) {
	f, rest := d.commandOf(v, text)
	if f == nil {
		return d.puzzled(ctx, v, Reply{Status: ReplyCompleted, Text: d.say(v, textNotUnderstood)})
	}
	return d.run(ctx, v, f.node, rest)
}

// run begins a command in the chat; rest is what stands behind its word.
func (d *Desk) run(ctx context.Context, v Visitor, node, rest string) (Reply, error) {
	f, t, err := d.enter(ctx, v, node)
	if err != nil {
		return d.chatReply(ctx, v, Reply{}, err)
	}
	t.chat, t.rest = true, rest
	r, err := d.begin(ctx, f, t)
	if err == nil && rest != "" && r.Status == ReplyExecuting {
		id := r.Session
		if questions := d.questions(v, t.s); asksMore(questions, f.arg) {
			t.s.Chat = chatProgress{Got: map[string]string{f.arg: rest}}
			t.s.Chat.pass(questions)
			if err := d.saveSession(ctx, v, t.s); err != nil {
				return Reply{}, err
			}
			return d.chatReply(ctx, v, r, nil)
		}
		if r, err = d.Continue(ctx, v, id, ActionNext, map[string]string{f.arg: rest}); isRefusal(err) {
			r.Session = id // the dialogue is open: the next line may be a better answer
		}
	}
	return d.chatReply(ctx, v, r, err)
}

// asksMore reports whether a step needs an answer besides the one to a field.
func asksMore(questions []question, answered string) bool {
	return slices.ContainsFunc(questions, func(q question) bool { return q.fields[0].Required && q.fields[0].Name != answered })
}

// pass moves on to the next question that has no answer yet: the line that began the dialogue may have given a later one.
func (p *chatProgress) pass(questions []question) {
	for p.At < len(questions) {
		if _, answered := p.Got[questions[p.At].fields[0].Name]; !answered {
			return
		}
		p.At++
	}
}

// chatBack goes to the question before, or to the step before.
func (d *Desk) chatBack(ctx context.Context, v Visitor, s *session) (Reply, error) {
	if s.Chat.At == 0 {
		r, err := d.Continue(ctx, v, s.ID, ActionPrev, nil)
		if err != nil {
			r.Session = s.ID
		}
		return d.chatReply(ctx, v, r, err)
	}
	s.Chat.At--
	for _, q := range d.questions(v, s)[s.Chat.At:] { // they are asked again
		for _, f := range q.fields {
			delete(s.Chat.Got, f.Name)
		}
	}
	if err := d.saveSession(ctx, v, s); err != nil {
		return Reply{}, err
	}
	return d.repeat(v, s, ""), nil
}

// chatAnswer takes one answer, and submits the step when it was the last.
func (d *Desk) chatAnswer(ctx context.Context, v Visitor, s *session, questions []question, text string) (Reply, error) {
	if s.Chat.At < len(questions) {
		q := questions[s.Chat.At]
		got, refusal := d.read(v, q, text)
		if refusal != nil {
			return d.puzzled(ctx, v, d.repeat(v, s, refusal.Text))
		}
		if s.Chat.Got == nil {
			s.Chat.Got = map[string]string{}
		}
		maps.Copy(s.Chat.Got, got)
		s.Chat.pass(questions)
		if s.Chat.At < len(questions) {
			if err := d.saveSession(ctx, v, s); err != nil {
				return Reply{}, err
			}
			return d.repeat(v, s, ""), nil
		}
	} else if !d.isWord(v, textWordsNext, text) {
		return d.puzzled(ctx, v, d.repeat(v, s, ""))
	}
	r, err := d.Continue(ctx, v, s.ID, ActionNext, s.Chat.Got)
	if !isRefusal(err) {
		return d.chatReply(ctx, v, r, err)
	}
	r.Session = s.ID
	if r, err = d.retry(ctx, v, r, err, questions, s.Chat.Got); err != nil {
		return Reply{}, err
	}
	return d.puzzled(ctx, v, r)
}

// puzzled answers a line that made no sense where it came. After many of them it refuses, which reaches the client as an error:
// a machine that answers every message with another would never end, and nobody answers an error (RFC 6120 §8.3.1).
func (d *Desk) puzzled(ctx context.Context, v Visitor, r Reply) (Reply, error) {
	if ok, err := d.budget(ctx, v, "puzzled"); err != nil {
		return Reply{}, err
	} else if !ok {
		return Reply{}, &Refusal{ResourceConstraint, d.say(v, TextBusy)}
	}
	return r, nil
}

// retry asks a refused step again, from its first question that is no consent: that was given.
func (d *Desk) retry(ctx context.Context, v Visitor, r Reply, refused error, questions []question, got map[string]string) (Reply, error) {
	s, err := d.loadSession(ctx, v, r.Session)
	if err != nil {
		return d.chatReply(ctx, v, Reply{}, refused)
	}
	s.Chat = chatProgress{}
	if len(questions) > 1 && questions[0].consent {
		s.Chat = chatProgress{At: 1, Got: map[string]string{}}
		for _, f := range questions[0].fields {
			s.Chat.Got[f.Name] = got[f.Name]
		}
	}
	if err := d.saveSession(ctx, v, s); err != nil {
		return Reply{}, err
	}
	return d.chatReply(ctx, v, r, refused)
}

// chatReply turns what the flow said into a line of chat and keeps the chat's dialogue.
func (d *Desk) chatReply(ctx context.Context, v Visitor, r Reply, err error) (Reply, error) {
	out := Reply{Session: r.Session, Node: r.Node, Status: r.Status, After: r.After, NoteError: r.NoteError}
	open := r.Status == ReplyExecuting
	switch refusal, ok := errors.AsType[*Refusal](err); {
	case ok:
		out.Status, out.Text, out.NoteError = ReplyCompleted, refusal.Text, true
		open = r.Session != ""
	case err != nil:
		return Reply{}, err
	default:
		out.Text = lines(r.Text, r.Note)
	}
	if !open {
		return out, d.setChatSession(ctx, v, "")
	}
	s, err := d.loadSession(ctx, v, r.Session)
	if err != nil {
		return Reply{}, err
	}
	if err := d.setChatSession(ctx, v, s.ID); err != nil {
		return Reply{}, err
	}
	before := out.Text
	if r.Status == ReplyExecuting { // a new step: its text comes with the first question
		before = lines(r.Title, d.stepText(v, s.Step))
	}
	asked := d.repeat(v, s, before)
	asked.After, asked.NoteError = out.After, out.NoteError
	return asked, nil
}

// repeat asks the current question, with something before it.
func (d *Desk) repeat(v Visitor, s *session, before string) Reply {
	return Reply{Session: s.ID, Node: s.Node, Status: ReplyExecuting, Text: lines(before, d.ask(v, s)), Redirect: s.Step.Redirect}
}

// lines joins the non-empty parts with an empty line between them.
func lines(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n\n")
}

// stepText is all of a step that is no question.
func (d *Desk) stepText(v Visitor, st step) string {
	parts := []string{st.Text}
	for _, f := range st.Fields {
		if f.Kind == FieldDisplay {
			parts = append(parts, strings.TrimSpace(f.Label+" "+f.Value))
		}
	}
	if st.Redirect != "" {
		parts = append(parts, d.say(v, textOpenPage, st.Redirect))
	}
	return lines(parts...)
}

// question is what a chat asks at one time: a field, or all points of a consent together.
type question struct {
	kind    FieldKind
	consent bool
	fields  []Field
}

func (d *Desk) questions(_ Visitor, s *session) []question {
	var out []question
	consent := question{kind: FieldBool, consent: true}
	for _, f := range s.Step.Fields {
		switch {
		case isConsent(f):
			consent.fields = append(consent.fields, f)
		case f.Kind != FieldDisplay:
			out = append(out, question{kind: f.Kind, fields: []Field{f}})
		}
	}
	if len(consent.fields) > 0 {
		out = append([]question{consent}, out...)
	}
	return out
}

// ask puts the current question into words; without questions it says how to go on.
func (d *Desk) ask(v Visitor, s *session) string {
	questions := d.questions(v, s)
	if s.Chat.At >= len(questions) {
		return d.say(v, textAskNext)
	}
	q := questions[s.Chat.At]
	if q.consent {
		var text strings.Builder
		text.WriteString(d.say(v, textAskConsent))
		for _, f := range q.fields {
			text.WriteString("\n- " + f.Label)
		}
		return text.String() + "\n" + d.say(v, textAskYesNo)
	}
	f := q.fields[0]
	var text strings.Builder
	text.WriteString(f.Label)
	switch f.Kind {
	case FieldBool:
		text.WriteString(" " + d.say(v, textAskYesNo))
	case FieldChoice:
		for i, o := range f.Options {
			text.WriteString("\n" + strconv.Itoa(i+1) + ". " + o.Title)
		}
		text.WriteString("\n" + d.say(v, textAskNumber))
	case FieldSecret:
		text.WriteString("\n" + d.say(v, textAskSecret))
	case FieldText, FieldDisplay:
	}
	if !f.Required {
		text.WriteString("\n" + d.say(v, textAskSkip))
	}
	return text.String()
}

// read takes an answer to a question.
func (d *Desk) read(v Visitor, q question, text string) (map[string]string, *Refusal) {
	got := map[string]string{}
	for _, f := range q.fields {
		value := text
		switch {
		case !f.Required && d.isWord(v, textWordsSkip, text):
			value = ""
		case f.Kind == FieldChoice:
			value = choice(f, text)
		}
		clean, err := d.checkAnswer(v, f, value)
		if err != nil {
			refusal, _ := errors.AsType[*Refusal](err)
			if q.consent {
				refusal = &Refusal{refusal.Condition, d.say(v, textConsentNo)}
			}
			return nil, refusal
		}
		got[f.Name] = clean
	}
	return got, nil
}

// choice reads a number of the list, or the name of an option, as the option's id.
func choice(f Field, text string) string {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(f.Options) {
		return f.Options[n-1].ID
	}
	for _, o := range f.Options {
		if strings.EqualFold(o.Title, text) {
			return o.ID
		}
	}
	return text
}
