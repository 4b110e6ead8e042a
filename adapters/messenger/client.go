package messenger

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

// agent is our User-Agent: "some CDNs refuse an empty or odd one".
const agent = "Postern"

// client holds one method per operation in use.
type client struct {
	cfg    Config
	graph  *graph.Client
	plain  *rest.Client // the API without a version, where Instagram Login has its tokens
	tokens *rest.Client // where Instagram Login makes tokens of codes
	hosts  graph.Hosts
	secret string
}

func newClient(cfg Config, hc *http.Client, secrets *graph.Secrets) (*client, error) {
	c := &client{cfg: cfg, hosts: graph.Hosts{HTTP: hc, Base: cfg.base(), List: cfg.MediaHosts, Timeout: cfg.Timeout, Agent: agent}}
	var err error
	if c.plain, err = rest.New(hc, cfg.base(), cfg.Timeout, agent); err != nil {
		return nil, err
	}
	if c.tokens, err = rest.New(hc, cfg.tokens(), cfg.Timeout, agent); err != nil {
		return nil, err
	}
	proof := secrets
	if cfg.own() { // appsecret_proof is a thing of graph.facebook.com
		proof = nil
	}
	c.graph = graph.NewClient(c.plain, cfg.Version, proof)
	return c, nil
}

// node is whose edges are called: the page, or the account's own token's owner, whose id differs from what webhooks name.
func (c *client) node(who secret, account gateway.Endpoint) string {
	switch {
	case c.cfg.own():
		return "me"
	case who.Page != "":
		return who.Page
	}
	return string(account)
}

// taken is what an answer told of a message.
type taken struct {
	id string
	at time.Time
}

// send makes one request of the Send API, with its file where that goes along. What it answers to actions has no message.
func (c *client) send(ctx context.Context, who secret, from gateway.Endpoint, r outbound, body io.ReadSeeker) (taken, error) {
	call := rest.Call{Name: "send", Method: http.MethodPost, Path: rest.Path(c.node(who, from), "messages")}
	if r.Action != "" {
		call.Name = "sendAction"
	}
	var a accepted
	var header http.Header
	var err error
	if r.file != nil && !r.link && body != nil {
		err = c.sendFile(ctx, who, call, r, body, &a)
	} else {
		call.Body = r
		header, err = c.graph.Do(ctx, who.Token, call, &a)
	}
	if err != nil {
		return taken{}, err
	}
	if r.Message == nil {
		return taken{}, nil
	}
	if a.MessageID == "" {
		return taken{}, &rest.Error{Call: call.Name, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no message id")}
	}
	return taken{string(a.MessageID), sentAt(header)}, nil
}

// sentAt is by when a message was surely sent, by the platform's clock, against which watermarks are held: the answer's Date counts whole
// seconds and is a moment later than the message. Where it does not tell, our own clock has to do.
func sentAt(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		at = time.Now().Add(-time.Second)
	}
	return at.Add(-time.Second).UTC()
}

// sendFile posts a message with its file as a form (Send API, "Sending attachments from file").
func (c *client) sendFile(ctx context.Context, who secret, call rest.Call, r outbound, body io.ReadSeeker, out *accepted) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return &rest.Error{Call: call.Name, Err: errors.New("the file cannot be read from its beginning")}
	}
	attachment := *r.Message.Attachment
	attachment.Payload = outLocation{}
	message := *r.Message
	message.Attachment = &attachment
	call.Form = url.Values{}
	for name, v := range map[string]any{"recipient": r.Recipient, "message": message, "reply_to": r.ReplyTo} {
		raw, err := json.Marshal(v)
		if err != nil {
			return &rest.Error{Call: call.Name, Err: errors.New("request does not encode as a form")}
		}
		if string(raw) != "null" {
			call.Form.Set(name, string(raw))
		}
	}
	for name, v := range map[string]string{"messaging_type": r.Type, "tag": r.Tag} {
		if v != "" {
			call.Form.Set(name, v)
		}
	}
	return c.graph.PostFile(ctx, who.Token, rest.FilePart{
		Call: call, Field: "filedata", FileName: r.file.name, MIME: r.file.mime, From: body, Size: r.file.size,
	}, out)
}

// takeThread takes a conversation over from another app.
func (c *client) takeThread(ctx context.Context, who secret, from gateway.Endpoint, person party) error {
	body := struct {
		Recipient party `json:"recipient"`
	}{person}
	call := rest.Call{Name: "takeThreadControl", Method: http.MethodPost, Path: rest.Path(c.node(who, from), "take_thread_control"), Body: body}
	_, err := c.graph.Do(ctx, who.Token, call, nil)
	return err
}

// fields of the webhook, which an app subscribes to for each page or account.
func (c *Config) fields() string {
	names := []string{
		"messages", "messaging_postbacks", "message_reads", "message_deliveries", "message_reactions", "message_edits", "message_echoes",
		"messaging_referrals", "messaging_optins", "messaging_handovers", "messaging_policy_enforcement", "standby",
	}
	if c.Platform == Instagram {
		names = []string{
			"messages", "messaging_postbacks", "messaging_seen", "message_reactions", "message_edit", "messaging_referral", "messaging_optins",
			"messaging_handover", "standby",
		}
	}
	return strings.Join(names, ",")
}

// pageFields are those of the page behind an Instagram account: "any page field" makes Instagram's come.
const pageFields = "messages"

// subscribe makes the app hear of a page or account. It may be repeated.
func (c *client) subscribe(ctx context.Context, who secret, account gateway.Endpoint) error {
	fields := c.cfg.fields()
	if who.Page != "" {
		fields = pageFields
	}
	_, err := c.graph.Do(ctx, who.Token, rest.Call{
		Name: "subscribeApp", Method: http.MethodPost, Path: rest.Path(c.node(who, account), "subscribed_apps"), Query: url.Values{"subscribed_fields": {fields}},
	}, nil)
	return err
}

// unsubscribe ends what subscribe began.
func (c *client) unsubscribe(ctx context.Context, who secret, account gateway.Endpoint) error {
	call := rest.Call{Name: "unsubscribeApp", Method: http.MethodDelete, Path: rest.Path(c.node(who, account), "subscribed_apps")}
	_, err := c.graph.Do(ctx, who.Token, call, nil)
	return err
}

// registerApp tells Meta where the app's webhooks go, in the app's own name ("Webhooks, Subscriptions"). Meta asks that address at once.
func (c *client) registerApp(ctx context.Context, appToken, verify, hook string) error {
	object, fields := "page", c.cfg.fields()
	if c.cfg.Platform == Instagram {
		object = "instagram"
	}
	_, err := c.graph.Do(ctx, "", rest.Call{
		Name: "registerApp", Method: http.MethodPost, Path: rest.Path(c.cfg.AppID, "subscriptions"),
		Header: http.Header{"Authorization": {"Bearer " + appToken}},
		Form:   url.Values{"object": {object}, "callback_url": {hook}, "verify_token": {verify}, "fields": {fields}, "include_values": {"true"}},
	}, nil)
	return err
}

// getStarted gives a page the button by which a new chat begins, so that an invite comes back (Messenger Profile, get_started).
func (c *client) getStarted(ctx context.Context, who secret, account gateway.Endpoint) error {
	body := map[string]any{"get_started": map[string]string{"payload": payloadStart}}
	call := rest.Call{Name: "setProfile", Method: http.MethodPost, Path: rest.Path(c.node(who, account), "messenger_profile"), Body: body}
	_, err := c.graph.Do(ctx, who.Token, call, nil)
	return err
}

// read reads fields of a node.
func (c *client) read(ctx context.Context, name, token, node, fields string, out any) error {
	_, err := c.graph.Do(ctx, token, rest.Call{Name: name, Method: http.MethodGet, Path: rest.Path(node), Query: url.Values{"fields": {fields}}}, out)
	return err
}

// pages lists those that a user's token is good for, up to a page of them.
func (c *client) pages(ctx context.Context, token string) ([]page, error) {
	var list struct {
		Data []page `json:"data"`
	}
	_, err := c.graph.Do(ctx, token, rest.Call{
		Name: "listPages", Method: http.MethodGet, Path: "/me/accounts",
		Query: url.Values{"fields": {"id,name,access_token,instagram_business_account{id,username}"}, "limit": {"100"}},
	}, &list)
	return list.Data, err
}

// instagramTokens are what Instagram Login gives. Some answers have it in a list.
type instagramTokens struct {
	graph.Token
	Data []graph.Token `json:"data"`
}

func (t instagramTokens) token(name string) (graph.Token, error) {
	if t.AccessToken == "" && len(t.Data) > 0 {
		t.Token = t.Data[0]
	}
	if t.AccessToken == "" {
		return graph.Token{}, &rest.Error{Call: name, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no token")}
	}
	return t.Token, nil
}

// exchange makes a token of an hour of the code that came back in the browser (Business Login for Instagram).
func (c *client) exchange(ctx context.Context, redirect, code string) (graph.Token, error) {
	var t instagramTokens
	call := rest.Call{Name: "exchangeCode", Method: http.MethodPost, Path: "/oauth/access_token", Form: url.Values{
		"client_id": {c.cfg.AppID}, "client_secret": {c.secret}, "grant_type": {"authorization_code"}, "redirect_uri": {redirect}, "code": {code},
	}}
	if _, err := c.tokens.Do(ctx, call, &t); err != nil {
		return graph.Token{}, err
	}
	return t.token(call.Name)
}

// prolong makes a token of sixty days of one of an hour.
func (c *client) prolong(ctx context.Context, token string) (graph.Token, error) {
	var t instagramTokens
	call := rest.Call{Name: "prolongToken", Method: http.MethodGet, Path: "/access_token", Query: url.Values{
		"grant_type": {"ig_exchange_token"}, "client_secret": {c.secret}, "access_token": {token},
	}}
	if _, err := c.plain.Do(ctx, call, &t); err != nil {
		return graph.Token{}, err
	}
	return t.token(call.Name)
}

// refresh gives a token of sixty days another sixty; it has to be a day old at least.
func (c *client) refresh(ctx context.Context, token string) (graph.Token, error) {
	var t instagramTokens
	call := rest.Call{Name: "refreshToken", Method: http.MethodGet, Path: "/refresh_access_token", Query: url.Values{
		"grant_type": {"ig_refresh_token"}, "access_token": {token},
	}}
	if _, err := c.plain.Do(ctx, call, &t); err != nil {
		return graph.Token{}, err
	}
	return t.token(call.Name)
}

// conversation reads the newest messages with a person.
func (c *client) conversation(ctx context.Context, who secret, account gateway.Endpoint, with gateway.ContactID) ([]kept, error) {
	var list struct {
		Data []struct {
			Messages struct {
				Data []kept `json:"data"`
			} `json:"messages"`
		} `json:"data"`
	}
	_, err := c.graph.Do(ctx, who.Token, rest.Call{
		Name: "readConversation", Method: http.MethodGet, Path: rest.Path(c.node(who, account), "conversations"),
		Query: url.Values{"platform": {c.cfg.name()}, "user_id": {string(with)}, "fields": {"messages.limit(20){id,created_time,from,message}"}},
	}, &list)
	var out []kept
	for _, d := range list.Data {
		out = append(out, d.Messages.Data...)
	}
	return out, err
}
