package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/adapters/control"
	"postern/cmd/internal/user"
	"postern/gateway"
)

// wallScript is the play on a platform where one account serves all users.
func (p *play) wallScript() []act {
	of := p.wall.Title
	return []act{
		{title: "Romeo logs in at Prosody and finds the gateway", play: (*play).find},
		{title: "Romeo registers by chat; he is told who can read before he agrees", play: (*play).enlist},
		{title: "The consent receipt arrives and the gateway becomes a contact", play: (*play).receipt},
		{title: "Romeo asks for an invite; Anna opens its link in " + of + " and becomes a contact", play: (*play).letIn},
		{title: "Romeo writes to Anna", play: (*play).write},
		{title: "Anna writes to Romeo", play: (*play).answer},
		{title: "Both correct, react and reply, as far as " + of + " has it", play: (*play).change},
		{title: "A file each way", play: (*play).files},
		{title: "Postern is killed with messages under way and started again", limit: 45 * time.Second, play: (*play).kill},
		{title: "Somebody writes whom nobody has invited", play: (*play).stranger},
		{title: "Romeo asks how his account stands", play: (*play).status},
		{title: "The archive and the ledger tell how often each message arrived", play: (*play).count},
	}
}

var link = regexp.MustCompile(`https?://\S+`)

// letIn gets an invite, and lets Anna come with it.
func (p *play) letIn(ctx context.Context) error {
	before := p.romeo.Count()
	if err := p.ask(ctx, "invite", "the question how he is called, or the link", func(s string) bool { return has("How you are named")(s) || link.MatchString(s) }, 0); err != nil {
		return err
	}
	if !link.MatchString(p.textFrom(p.gw, before, has(""))) {
		if err := p.ask(ctx, "Romeo Montague", "the link", link.MatchString, 0); err != nil {
			return err
		}
	}
	url := link.FindString(p.textFrom(p.gw, before, link.MatchString))
	p.mark = p.romeo.Count()
	var opened control.Opened
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+annaID+"/open", control.OpenIn{URL: url}, &opened); err != nil {
		return err
	}
	p.says(atSandbox, "anna", p.wall.account.Name, "(opens "+url+")", 0)
	s, err := p.see(ctx, "Anna's presence", func(s *user.Stanza) bool {
		return s.Kind == user.Presence && s.Type == "" && strings.HasSuffix(bare(s.From), "@"+p.gw)
	})
	if err != nil {
		return err
	}
	p.alias = bare(s.From)
	p.says(atXMPP, "anna", "romeo", "presence: available, as "+p.alias, 0)
	return nil
}

// change is what changes a message: both ways where the platform has it, else what becomes of it instead.
func (p *play) change(ctx context.Context) error {
	for _, do := range []func(*play, context.Context) error{(*play).correct, (*play).react, (*play).reply} {
		if err := do(p, ctx); err != nil {
			return err
		}
	}
	return nil
}

// Texts of change.
const (
	textSlip    = "Call me but loave"
	textMended  = "Call me but love"
	textSlipped = "Parting is such sweet sorow"
	textSorrow  = "Parting is such sweet sorrow"
	textReply   = "It is, it is."
	nsReplace   = "urn:xmpp:message-correct:0"
	nsReactions = "urn:xmpp:reactions:0"
	nsReply     = "urn:xmpp:reply:0"
	nsHints     = "urn:xmpp:hints"
)

// correct is a correction each way (XEP-0308).
func (p *play) correct(ctx context.Context) error {
	id, err := p.romeo.Send(ctx, p.alias, textSlip)
	if err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", textSlip, 0)
	if err := p.reached(ctx, textSlip); err != nil {
		return err
	}
	if err := p.acknowledged(ctx, id); err != nil {
		return err
	}
	if _, err := p.romeo.SendMessage(ctx, user.Outgoing{To: p.alias, Body: textMended, Extra: "<replace xmlns='" + nsReplace + "' id='" + id + "'/>"}); err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", textMended+"   (a correction)", 0)
	var got control.Message
	cond := object{"kind": "message", "person": annaID, "direction": "to_person", "contains": textMended, "edited": p.can(gateway.FeatureEdit)}
	if err := p.watch(ctx, "the correction at Anna's", cond, &got); err != nil {
		return err
	}
	p.says(atSandbox, "romeo", "anna", got.Content.Text+orElse(p.can(gateway.FeatureEdit), "   (corrected)", "   (a new message: "+p.wall.Title+" has no corrections from here)"), 0)

	said, err := p.say(ctx, control.SayIn{Text: textSlipped})
	if err != nil {
		return err
	}
	first, err := p.hear(ctx, p.alias, "Anna's text", func(s *user.Stanza) bool { return s.Body == textSlipped }, 0)
	if err != nil {
		return err
	}
	if err := p.sandbox.do(ctx, http.MethodPatch, "/messages/"+said.MessageID, object{"text": textSorrow}, nil); err != nil {
		return err
	}
	if slices.Contains(p.wall.Untold, gateway.FeatureEdit) {
		_, err = p.hear(ctx, p.alias, "a notice of the correction", func(s *user.Stanza) bool { return strings.Contains(s.Body, "An earlier message was changed") }, 0)
		return err
	}
	_, err = p.see(ctx, "Anna's correction (XEP-0308)", func(s *user.Stanza) bool {
		e := s.Element.Child(nsReplace, "replace")
		return bare(s.From) == p.alias && s.Body == textSorrow && e != nil && e.Attr("id") == first.ID
	})
	if err == nil {
		p.says(atXMPP, "anna", "romeo", textSorrow+"   (corrected)", 0)
	}
	return err
}

// react is a reaction each way (XEP-0444), to what was just corrected.
func (p *play) react(ctx context.Context) error {
	s, err := p.see(ctx, "Anna's text", func(s *user.Stanza) bool { return bare(s.From) == p.alias && s.Body == textSlipped })
	if err != nil {
		return err
	}
	emoji := "❤"
	if len(p.wall.caps.Reactions) > 0 {
		emoji = p.wall.caps.Reactions[0]
	}
	if p.can(gateway.FeatureReact) {
		extra := "<reactions xmlns='" + nsReactions + "' id='" + s.ID + "'><reaction>" + emoji + "</reaction></reactions><store xmlns='" + nsHints + "'/>"
		if _, err := p.romeo.SendMessage(ctx, user.Outgoing{To: p.alias, Extra: extra}); err != nil {
			return err
		}
		p.says(atXMPP, "romeo", "anna", "(reacts with "+emoji+")", 0)
		if err := p.watch(ctx, "romeo's reaction", object{"kind": "message", "person": annaID, "direction": "to_user", "reaction": emoji}, nil); err != nil {
			return err
		}
		p.says(atSandbox, "romeo", "anna", "("+emoji+")", 0)
	}
	var mine control.Message
	if err := p.watch(ctx, "romeo's first text", object{"kind": "message", "person": annaID, "direction": "to_person", "text": textWrite}, &mine); err != nil {
		return err
	}
	if err := p.sandbox.do(ctx, http.MethodPut, "/messages/"+mine.ID+"/reactions", object{"emojis": []string{"❤"}, "person": annaID}, nil); err != nil {
		return err
	}
	_, err = p.see(ctx, "Anna's reaction (XEP-0444)", func(s *user.Stanza) bool {
		e := s.Element.Child(nsReactions, "reactions")
		return bare(s.From) == p.alias && e != nil && strings.Contains(e.String(), "❤")
	})
	if err == nil {
		p.says(atXMPP, "anna", "romeo", "(reacts with ❤)", 0)
	}
	return err
}

// reply is an answer of Anna's to one of romeo's messages (XEP-0461).
func (p *play) reply(ctx context.Context) error {
	var mine control.Message
	if err := p.watch(ctx, "romeo's first text", object{"kind": "message", "person": annaID, "direction": "to_person", "text": textWrite}, &mine); err != nil {
		return err
	}
	if _, err := p.say(ctx, control.SayIn{Text: textReply, ReplyTo: mine.ID}); err != nil {
		return err
	}
	s, err := p.see(ctx, "Anna's reply (XEP-0461)", func(s *user.Stanza) bool {
		return bare(s.From) == p.alias && strings.HasSuffix(s.Body, textReply) && s.Element.Child(nsReply, "reply") != nil
	})
	if err == nil {
		p.says(atXMPP, "anna", "romeo", s.Body, 0)
	}
	return err
}

// say lets Anna say something.
func (p *play) say(ctx context.Context, in control.SayIn) (said control.Said, err error) {
	in.To = p.to()
	if err = p.sandbox.do(ctx, http.MethodPost, "/people/"+annaID+"/messages", in, &said); err != nil {
		return said, err
	}
	shown := in.Text
	if in.Content != nil {
		shown = fmt.Sprintf("(%s, %d bytes)", in.Content.Media[0].Name, in.Content.Media[0].Size)
	}
	p.says(atSandbox, "anna", "romeo", shown, 0)
	return said, nil
}

// files is one each way, whose bytes arrive as they were sent.
func (p *play) files(ctx context.Context) error {
	web, err := p.web()
	if err != nil {
		return err
	}
	defer web.CloseIdleConnections()
	text := []byte("%PDF-1.4\n" + strings.Repeat("The orchard walls are high and hard to climb. ", 4000))
	url, err := p.romeo.Upload(ctx, web, p.prosody.Upload(), user.File{Name: "plan.pdf", Type: "application/pdf", Size: int64(len(text)), Body: bytes.NewReader(text)})
	if err != nil {
		return err
	}
	if _, err := p.romeo.Share(ctx, p.alias, url); err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", url, 0)
	cond := object{"kind": "message", "person": annaID, "direction": "to_person", "has": "media"}
	if !p.can(gateway.FeatureMedia) {
		cond = object{"kind": "message", "person": annaID, "direction": "to_person", "contains": url}
	}
	var got control.Message
	if err := p.watch(ctx, "the file at Anna's", cond, &got); err != nil {
		return err
	}
	if p.can(gateway.FeatureMedia) {
		if err := same(got.Content.Media[0].SHA256, text); err != nil {
			return &failure{"the file as it was, in the sandbox", err}
		}
		p.says(atSandbox, "romeo", "anna", fmt.Sprintf("(a file of %d bytes, as they were)", got.Content.Media[0].Size), 0)
	}
	return p.fileBack(ctx, web)
}

func (p *play) fileBack(ctx context.Context, web *http.Client) error {
	var part control.MediaPart
	if err := p.sandbox.do(ctx, http.MethodPost, "/media", control.MediaIn{Width: 320, Height: 200, Name: "rose.png"}, &part); err != nil {
		return err
	}
	if _, err := p.say(ctx, control.SayIn{Content: &control.Content{Media: []control.MediaPart{part}}}); err != nil {
		return err
	}
	s, err := p.see(ctx, "Anna's picture", func(s *user.Stanza) bool { return bare(s.From) == p.alias && s.Shared() != "" })
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Shared(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := same(part.SHA256, raw); err != nil {
		return &failure{"the picture as it was, at romeo's server", err}
	}
	p.says(atXMPP, "anna", "romeo", s.Shared(), 0)
	p.note("%d bytes, as they were", len(raw))
	return nil
}

// same compares bytes with a hash in hex.
func same(want string, got []byte) error {
	if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != want {
		return fmt.Errorf("%d bytes with the hash %x, want %s", len(got), sum, want)
	}
	return nil
}

// web is a client that trusts Prosody's certificate.
func (p *play) web() (*http.Client, error) {
	file, _, err := p.lab.CA()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		return nil, errors.New("demo: no certificate of the servers")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}, nil
}

// stranger is somebody who found the account by themselves: they hear how to reach a user, and nobody hears them.
func (p *play) stranger(ctx context.Context) error {
	const who, text = "nurse", "Is anybody there?"
	before := p.romeo.Count()
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+who+"/open", control.OpenIn{To: p.to()}, nil); err != nil {
		return err
	}
	if err := p.sandbox.do(ctx, http.MethodPost, "/people/"+who+"/messages", control.SayIn{To: p.to(), Text: text}, nil); err != nil {
		return err
	}
	p.says(atSandbox, who, p.wall.account.Name, text, 0)
	var got control.Message
	cond := object{"kind": "message", "person": who, "direction": "to_person", "contains": "invite link"}
	if err := p.watch(ctx, "the gateway's answer to a stranger", cond, &got); err != nil {
		return err
	}
	p.says(atSandbox, "gateway", who, got.Content.Text, 0)
	for _, s := range p.romeo.Stanzas(before) {
		if strings.Contains(s.Body, text) {
			return &failure{"that romeo hears nothing of a stranger", errors.New(s.XML())}
		}
	}
	return nil
}

func orElse(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}
