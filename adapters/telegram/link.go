package telegram

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"postern/gateway"
)

// fieldToken is the one answer that linking needs.
const fieldToken = "token"

// Keys of the catalogue (gateway/texts) that the form uses.
const (
	textToken        = "telegram.token"
	textTokenHow     = "telegram.token.how"
	textTokenForm    = "telegram.token.form"
	textTokenUnknown = "telegram.token.unknown"
)

// asked is the state of the dialogue: the form was shown.
const asked = "asked"

// allowedUpdates are those that become events. message_reaction and chat_member come only when they are asked for by name.
var allowedUpdates = []string{
	"message", "edited_message", "channel_post", "edited_channel_post", "message_reaction", "callback_query", "poll_answer", "my_chat_member",
	"chat_member",
}

// Link takes the token of a user's bot in two steps: a form, for which nobody need be named, then the check of what was pasted. The
// second may be repeated. Where the configuration has a bot for all there is nothing to ask.
func (a *Adapter) Link(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	if line, ok := a.Line(); ok {
		return gateway.LinkStep{Done: &line}, nil
	}
	if len(in.State) == 0 {
		return askToken(textTokenHow), nil
	}
	token := strings.TrimSpace(in.Answers[fieldToken])
	if !tokenForm.MatchString(token) {
		return askToken(textTokenForm), nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	me, err := a.client.getMe(ctx, token)
	if err != nil {
		if se := readError(err); se.Class != gateway.ReauthNeeded {
			return gateway.LinkStep{}, se
		}
		return askToken(textTokenUnknown), nil
	}
	bot := gateway.Endpoint(strconv.FormatInt(me.ID, 10))
	if err := a.receive(ctx, token, bot, in.Hook); err != nil {
		return gateway.LinkStep{}, err
	}
	return gateway.LinkStep{Done: new(linked(secret{Token: token, Name: me.Username}))}, nil
}

func askToken(hint string) gateway.LinkStep {
	return gateway.LinkStep{
		Title: "Telegram", Text: hint, State: []byte(asked),
		Fields: []gateway.Field{{Name: fieldToken, Label: textToken, Kind: gateway.FieldSecret, Required: true}},
	}
}

// getMe "requires no parameters": it tells whose token it is.
func (c *client) getMe(ctx context.Context, token string) (user, error) {
	var me user
	return me, c.do(ctx, token, "getMe", params{}, &me)
}

// receive tells Telegram where the bot's updates go: to its own address below the instance's webhook, or nowhere, so that they can be
// asked for.
func (a *Adapter) receive(ctx context.Context, token string, bot gateway.Endpoint, hook string) error {
	if a.cfg.Receive == ReceivePoll {
		return a.stopHook(ctx, token)
	}
	if hook == "" {
		return refuse(gateway.Permanent, "no_public_url", "webhooks need http.public_url; receive: poll does without")
	}
	// Repeating it changes nothing: updates that wait stay.
	err := a.client.do(ctx, token, "setWebhook", params{
		"url": strings.TrimRight(hook, "/") + "/" + a.hooks.pathToken(bot), "secret_token": a.hooks.headerToken(bot), "allowed_updates": allowedUpdates,
	}, nil)
	if err != nil {
		return readError(err)
	}
	return nil
}

func (a *Adapter) stopHook(ctx context.Context, token string) error {
	if err := a.client.do(ctx, token, "deleteWebhook", params{}, nil); err != nil {
		return readError(err)
	}
	return nil
}

// Unlink stops a bot's updates. A token that is revoked has none any more. The token itself can be taken back at @BotFather alone, and
// the bot for all goes on.
func (a *Adapter) Unlink(ctx context.Context, account gateway.Credentials) error {
	if line, ok := a.Line(); ok && line.Endpoint == account.Endpoint {
		return nil
	}
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := a.stopHook(ctx, who.Token); err != nil && gateway.ClassOf(err) != gateway.ReauthNeeded {
		return err
	}
	return nil
}

// Register announces the webhook of one bot.
func (a *Adapter) Register(ctx context.Context, account gateway.Credentials, hook string) error {
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	return a.receive(ctx, who.Token, account.Endpoint, hook)
}

// RegistersEach reports whether bots have webhooks at all.
func (a *Adapter) RegistersEach() bool { return a.cfg.Receive == ReceiveWebhook }

// Line returns the operator's bot, whose id is the beginning of its token.
func (a *Adapter) Line() (gateway.Linked, bool) {
	if a.line.Token == "" {
		return gateway.Linked{}, false
	}
	return linked(a.line), true
}

// InviteURL is a deep link: whoever opens it presses Start, and the bot hears "/start TOKEN" ("A-Z, a-z, 0-9, _ and -, up to 64").
func (a *Adapter) InviteURL(ctx context.Context, account gateway.Credentials, token string) (string, error) {
	who, err := parseSecret(account)
	if err != nil {
		return "", sendError(err)
	}
	if token != "" && !invite.MatchString(token) {
		return "", refuse(gateway.Permanent, "bad_token", "this is no token of an invite")
	}
	name := who.Name
	if known := a.name.Load(); name == "" && known != nil && who.Token == a.line.Token {
		name = *known
	}
	if name == "" {
		ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
		defer cancel()
		me, err := a.client.getMe(ctx, who.Token)
		if err != nil {
			return "", readError(err)
		}
		if name = me.Username; who.Token == a.line.Token {
			a.name.Store(&name)
		}
	}
	if !nameForm.MatchString(name) {
		return "", refuse(gateway.Permanent, "no_name", "the bot has no user name")
	}
	link := url.URL{Scheme: "https", Host: "t.me", Path: "/" + name}
	if token != "" {
		link.RawQuery = url.Values{"start": {token}}.Encode()
	}
	return link.String(), nil
}

// linked is an account of a bot.
func linked(s secret) gateway.Linked {
	bot, _, _ := strings.Cut(s.Token, ":")
	shown := "bot " + bot
	if s.Name != "" {
		shown = "@" + s.Name
	}
	return gateway.Linked{Endpoint: gateway.Endpoint(bot), Secret: s.seal(), Shown: shown}
}

// Resolve finds a person by number, when the bot has met them: the API finds nobody by name or phone. On the bot for all, whom it has
// met is not everybody's to know.
func (a *Adapter) Resolve(ctx context.Context, account gateway.Credentials, query string) (gateway.Person, error) {
	if line, ok := a.Line(); ok && line.Endpoint == account.Endpoint {
		return gateway.Person{}, gateway.ErrNoPerson
	}
	c, err := a.person(ctx, account, strings.TrimSpace(query))
	if err != nil {
		return gateway.Person{}, err
	}
	return gateway.Person{ID: contactID(c.ID), Name: fullName(c.FirstName, c.LastName), Accepts: true}, nil
}

// person asks for a private chat by its number.
func (a *Adapter) person(ctx context.Context, account gateway.Credentials, id string) (chat, error) {
	who, err := parseSecret(account)
	if err != nil {
		return chat{}, sendError(err)
	}
	if !isID(id) || id[0] == '-' {
		return chat{}, gateway.ErrNoPerson
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	var c chat
	if err := a.client.do(ctx, who.Token, "getChat", params{"chat_id": id}, &c); err != nil {
		se := readError(err)
		if se.Class == gateway.NotReachable || se.Class == gateway.Permanent {
			return chat{}, gateway.ErrNoPerson
		}
		return chat{}, se
	}
	if c.Type != "private" {
		return chat{}, gateway.ErrNoPerson
	}
	return c, nil
}
