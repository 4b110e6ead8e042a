package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/cmd/internal/user"
	"postern/gateway"
)

// script is the play after the servers are up.
func (p *play) script() []act {
	if p.wall != nil {
		return p.wallScript()
	}
	return []act{
		{title: "Romeo logs in at Prosody and finds the gateway", play: (*play).find},
		{title: "Romeo enlists by chat; he is told who can read before he agrees", play: (*play).enlistAtGatekeeper},
		{title: "The consent receipt arrives and the gateway becomes a contact", play: (*play).receipt},
		{title: "Romeo adds Anna, who is asked and accepts", play: (*play).add},
		{title: "Romeo writes to Anna: typing, text, delivery receipt, read marker", play: (*play).write},
		{title: "Anna writes to Romeo: typing, text, read marker", play: (*play).answer},
		{title: "Postern is killed with messages under way and started again", limit: 45 * time.Second, play: (*play).kill},
		{title: "Romeo asks how his account stands", play: (*play).status},
		{title: "The archive and the ledger tell how often each message arrived", play: (*play).count},
	}
}

// find logs in and looks for the gateway as a client does (XEP-0030).
func (p *play) find(ctx context.Context) error {
	var err error
	u := logins()[0]
	p.romeo, err = user.Dial(ctx, user.Config{
		JID: u.User + "@" + domain, Password: u.Password, Addr: p.prosody.ClientAddr(), Resource: "demo",
		Accept: true, Receipts: true, Carbons: true, Reconnect: true,
	})
	if err != nil {
		return err
	}
	p.note("logged in as %s with a client that shares no code with Postern (mellium.im/xmpp)", p.romeo.FullJID())
	items, err := p.romeo.Items(ctx, domain, "")
	if err != nil {
		return &failure{"the server's list of services", err}
	}
	for _, i := range items.Children("item") {
		if i.Attr("jid") == p.gw {
			return p.identity(ctx)
		}
	}
	return &failure{"the gateway among the server's services", errors.New(items.String())}
}

func (p *play) identity(ctx context.Context) error {
	for {
		info, err := p.romeo.Info(ctx, p.gw, "")
		if refused, ok := errors.AsType[*user.Error](err); ok && refused.Condition != "forbidden" && ctx.Err() == nil {
			continue // the component is still connecting
		}
		if err != nil {
			return &failure{"service discovery of the gateway", err}
		}
		for _, i := range info.Children("identity") {
			p.says(atXMPP, "gateway", "romeo", fmt.Sprintf("I am %q (%s/%s) with %d features", i.Attr("name"), i.Attr("category"), i.Attr("type"), len(info.Children("feature"))), 1)
		}
		return nil
	}
}

// ask writes a line to the gateway and waits for its answer.
func (p *play) ask(ctx context.Context, text, expected string, match func(body string) bool, most int) error {
	p.mark = p.romeo.Count()
	if _, err := p.romeo.Send(ctx, p.gw, text); err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "gateway", text, 0)
	_, err := p.hear(ctx, p.gw, expected, func(s *user.Stanza) bool { return match(s.Body) }, most)
	return err
}

// textFrom returns the first text of somebody that matches, among what came after the n-th stanza.
func (p *play) textFrom(from string, n int, match func(body string) bool) string {
	for _, s := range p.romeo.Stanzas(n) {
		if s.Kind == user.Message && s.Body != "" && bare(s.From) == from && match(s.Body) {
			return s.Body
		}
	}
	return ""
}

func has(part string) func(string) bool {
	return func(body string) bool { return strings.Contains(body, part) }
}

// enlist answers whatever the gateway asks, until it says that romeo is registered.
func (p *play) enlist(ctx context.Context) error {
	question := func(s string) bool {
		return has("(yes or no)")(s) || has("or \"skip\"")(s) || has("You are registered")(s)
	}
	if err := p.ask(ctx, "register", "the disclosure and the question for consent", has("Do you agree?"), 0); err != nil {
		return err
	}
	for answer := "yes"; ; {
		before := p.romeo.Count()
		if err := p.ask(ctx, answer, "the next question, or the confirmation", question, 0); err != nil {
			return err
		}
		last := p.textFrom(p.gw, before, question)
		if has("You are registered")(last) {
			return nil
		}
		if answer = "yes"; has("Name that people there see")(last) {
			answer = "Romeo Montague"
		}
	}
}

// enlistAtGatekeeper is enlist, and a look at what the gatekeeper has of it.
func (p *play) enlistAtGatekeeper(ctx context.Context) error {
	if err := p.enlist(ctx); err != nil {
		return err
	}
	var enlisted struct {
		State string `json:"state"`
	}
	if err := p.watch(ctx, "romeo's enlistment", object{"kind": "enlistment", "user": p.romeo.JID(), "state": "active"}, &enlisted); err != nil {
		return err
	}
	p.says(atSandbox, "gatekeeper", "sandbox", "enlistment of "+p.romeo.JID()+" is "+enlisted.State, 0)
	return nil
}

func (p *play) receipt(ctx context.Context) error {
	p.mark = 0
	s, err := p.hear(ctx, p.gw, "the consent receipt", func(s *user.Stanza) bool { return strings.Contains(s.Body, "Receipt of your consent") }, 4)
	if err != nil {
		return err
	}
	if !strings.Contains(s.Body, "SHA-256") {
		return &failure{"a hash in the consent receipt", errors.New(s.Body)}
	}
	return p.subscribed(ctx, p.gw)
}

// subscribed waits until somebody asked for romeo's presence, which his client grants, and shows their own.
func (p *play) subscribed(ctx context.Context, from string) error {
	return p.presences(ctx, from, "subscribe", "")
}

// presences waits for presence of these types, in order.
func (p *play) presences(ctx context.Context, from string, types ...string) error {
	for _, typ := range types {
		s, err := p.see(ctx, "presence "+orAvailable(typ)+" from "+from, func(s *user.Stanza) bool {
			return s.Kind == user.Presence && s.Type == typ && bare(s.From) == from
		})
		if err != nil {
			return err
		}
		p.says(atXMPP, p.name(s.From), "romeo", "presence: "+orAvailable(typ), 0)
	}
	return nil
}

func orAvailable(typ string) string {
	if typ == "" {
		return "available"
	}
	return typ
}

func (p *play) add(ctx context.Context) error {
	before := p.romeo.Count()
	if err := p.ask(ctx, "add "+annaMail, "the new contact's address", has("@"+p.gw), 0); err != nil {
		return err
	}
	for word := range strings.FieldsSeq(p.textFrom(p.gw, before, has("@"+p.gw))) {
		if strings.HasSuffix(word, "@"+p.gw) {
			p.alias = word
		}
	}
	if p.alias == "" {
		return &failure{"an address of Anna", errors.New("none was named")}
	}
	var chat conversation
	if err := p.watch(ctx, "a contact request for Anna", object{"kind": "request", "person": annaID, "state": "pending"}, &chat); err != nil {
		return err
	}
	p.says(atSandbox, chat.Display, "anna", "may I write to you?", 0)
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+annaID+"/answer", object{"to": p.to(), "accept": true}, nil); err != nil {
		return err
	}
	p.says(atSandbox, "anna", chat.Display, "(accepts)", 0)
	p.mark = before
	// Prosody lets the gateway write rosters here (XEP-0356): the contact is there without a question.
	return p.presences(ctx, p.alias, "")
}

func (p *play) write(ctx context.Context) error {
	if p.can(gateway.FeatureTypingOut) {
		if err := p.romeo.Composing(ctx, p.alias); err != nil {
			return err
		}
		if err := p.watch(ctx, "romeo typing", object{"kind": "typing", "person": annaID}, nil); err != nil {
			return err
		}
		p.says(atSandbox, "romeo", "anna", "(is typing)", 0)
	}
	id, err := p.romeo.Send(ctx, p.alias, textWrite)
	if err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", textWrite, 0)
	if err := p.reached(ctx, textWrite); err != nil {
		return err
	}
	if err := p.acknowledged(ctx, id); err != nil {
		return err
	}
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+annaID+"/read", object{"to": p.to()}, nil); err != nil {
		return err
	}
	p.says(atSandbox, "anna", "romeo", "(reads it)", 0)
	if !p.can(gateway.FeatureReadIn) {
		p.note("nothing tells the gateway of that on this platform")
		return nil
	}
	_, err = p.see(ctx, "the read marker (XEP-0333)", func(s *user.Stanza) bool { return s.Displayed == id && bare(s.From) == p.alias })
	if err == nil {
		p.says(atXMPP, "anna", "romeo", "(read)", 0)
	}
	return err
}

// reached waits until Anna has a text and prints it as the sandbox has it.
func (p *play) reached(ctx context.Context, text string) error {
	var got line
	err := p.watch(ctx, fmt.Sprintf("%q at Anna's", text), object{"kind": "message", "person": annaID, "direction": "to_person", "text": text}, &got)
	if err == nil {
		p.says(atSandbox, "romeo", "anna", got.Content.Text, 0)
	}
	return err
}

func (p *play) acknowledged(ctx context.Context, id string) error {
	_, err := p.see(ctx, "the delivery receipt (XEP-0184)", func(s *user.Stanza) bool { return s.Received == id && bare(s.From) == p.alias })
	if err == nil {
		p.says(atXMPP, "anna", "romeo", p.receiptSays(), 0)
	}
	return err
}

func (p *play) answer(ctx context.Context) error {
	if p.can(gateway.FeatureTypingIn) {
		if err := p.annaTypes(ctx); err != nil {
			return err
		}
	}
	if err := p.speak(ctx, textAnswer); err != nil {
		return err
	}
	s, err := p.hear(ctx, p.alias, "Anna's text", func(s *user.Stanza) bool { return s.Body == textAnswer }, 0)
	if err != nil || !p.can(gateway.FeatureReadOut) {
		return err
	}
	if err := p.romeo.Displayed(ctx, p.alias, s.ID); err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", "(read)", 0)
	err = p.watch(ctx, "romeo's read marker", object{"kind": "message", "person": annaID, "direction": "to_user", "text": textAnswer, "status": "read"}, nil)
	if err == nil {
		p.says(atSandbox, "romeo", "anna", "(read)", 0)
	}
	return err
}

// receiptSays is what a delivery receipt means: where a platform does not tell of delivery, that it took the message.
func (p *play) receiptSays() string {
	if p.can(gateway.FeatureDelivered) {
		return "(delivered)"
	}
	return "(taken by " + p.wall.Title + ", which tells nothing of delivery)"
}

func (p *play) annaTypes(ctx context.Context) error {
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+annaID+"/typing", object{"to": p.to(), "state": "composing"}, nil); err != nil {
		return err
	}
	if _, err := p.see(ctx, "Anna typing (XEP-0085)", func(s *user.Stanza) bool { return s.State == "composing" && bare(s.From) == p.alias }); err != nil {
		return err
	}
	p.says(atXMPP, "anna", "romeo", "(is typing)", 0)
	return nil
}

// speak lets Anna say something.
func (p *play) speak(ctx context.Context, text string) error {
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+annaID+"/messages", object{"to": p.to(), "text": text}, nil); err != nil {
		return err
	}
	p.says(atSandbox, "anna", "romeo", text, 0)
	return nil
}

func (p *play) status(ctx context.Context) error {
	return p.ask(ctx, "status", "the state of the account", has("active"), 0)
}

// Texts of the play; the last three are one for each way in which a message can be caught by the kill.
const (
	textWrite    = "But, soft! what light through yonder window breaks?"
	textAnswer   = "It is the east, and I am on the balcony & <listening>."
	textUnderWay = "Sent just before the kill: Anna has it, Postern has no answer yet."
	textWhile    = "Written by Anna while Postern was dead."
	textBounced  = "Written by Romeo while Postern was dead."
)

// count proves in the server's archive (XEP-0313) and in the sandbox that each message of the play arrived once.
func (p *play) count(ctx context.Context) error {
	kept, err := p.romeo.Archive(ctx, time.Time{})
	if err != nil {
		return err
	}
	for _, text := range []string{textAnswer, textWhile} {
		arrived, live := 0, 0
		for _, s := range kept {
			arrived += one(s.Body == text && bare(s.From) == p.alias)
		}
		for _, s := range p.romeo.Stanzas(0) {
			live += one(s.Body == text && bare(s.From) == p.alias && s.Carbon == "")
		}
		if arrived != 1 || live != 1 {
			return &failure{fmt.Sprintf("%q once at romeo's", text), fmt.Errorf("his archive has it %d times, his client read it %d times", arrived, live)}
		}
		p.ok("%-68s once in romeo's archive", text)
	}
	chat, err := p.sandbox.chat(ctx, p.to())
	if err != nil {
		return err
	}
	posts, err := p.sandbox.posts(ctx)
	if err != nil {
		return err
	}
	for _, text := range []string{textWrite, textUnderWay, textBounced} {
		shown, taken, again := 0, 0, ""
		for _, m := range chat.Messages {
			shown += one(m.Content.Text == text)
		}
		for _, e := range posts {
			if taken += one(e.Text == text); e.Text == text && e.Replays > 0 {
				again = fmt.Sprintf(", repeated %d time(s) under the same idempotency key", e.Replays)
			}
		}
		if shown == 2 && text == textUnderWay && !p.knows() {
			// What has no idempotency key and tells nothing back leaves two ways: perhaps twice, or perhaps never.
			p.ok("%-68s twice at Anna's", text)
			p.note("%s has no idempotency key and cannot be asked what it took: sent once more, rather than lost", p.wall.Title)
			continue
		}
		if shown != 1 || taken != 1 {
			return &failure{fmt.Sprintf("%q once at Anna's", text), fmt.Errorf("anna sees it %d times, the ledger has it %d times", shown, taken)}
		}
		p.ok("%-68s once at Anna's%s", text, again)
	}
	return nil
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
