package whatsapp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

// product is in every body that the Cloud API takes.
const product = "whatsapp"

// client holds one method per operation in use.
type client struct {
	graph *graph.Client
	files *http.Client // for media, whose hosts are others
	cfg   Config
}

// send posts one message, and returns its id where it is one. What it answers to reading and typing has none.
func (c *client) send(ctx context.Context, token string, number gateway.Endpoint, m outbound) (string, error) {
	call := rest.Call{Name: "sendMessage", Method: http.MethodPost, Path: rest.Path(string(number), "messages"), Body: m}
	if m.Status != "" {
		call.Name = "markRead"
		var done success
		_, err := c.graph.Do(ctx, token, call, &done)
		return "", err
	}
	var a accepted
	if _, err := c.graph.Do(ctx, token, call, &a); err != nil {
		return "", err
	}
	if len(a.Messages) == 0 || a.Messages[0].ID == "" {
		return "", &rest.Error{Call: call.Name, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no message id")}
	}
	return string(a.Messages[0].ID), nil
}

// number asks how a phone number stands.
func (c *client) number(ctx context.Context, token, id string) (phoneNumber, error) {
	var n phoneNumber
	_, err := c.graph.Do(ctx, token, rest.Call{
		Name: "readPhoneNumber", Method: http.MethodGet, Path: rest.Path(id),
		Query: url.Values{"fields": {"id,display_phone_number,verified_name,platform_type,status"}},
	}, &n)
	if err == nil && string(n.ID) != id {
		err = &rest.Error{Call: "readPhoneNumber", Status: http.StatusOK, Written: true, Err: errors.New("answer is about another number")}
	}
	return n, err
}

// numbers lists the phone numbers of a business account, one page of them.
func (c *client) numbers(ctx context.Context, token, account string) ([]phoneNumber, error) {
	var page struct {
		Data []phoneNumber `json:"data"`
	}
	_, err := c.graph.Do(ctx, token, rest.Call{
		Name: "listPhoneNumbers", Method: http.MethodGet, Path: rest.Path(account, "phone_numbers"),
		Query: url.Values{"fields": {"id,display_phone_number,verified_name,platform_type,status"}, "limit": {"100"}},
	}, &page)
	return page.Data, err
}

// register puts a number into the Cloud API, under its two-step verification PIN or a new one.
func (c *client) register(ctx context.Context, token, id, pin string) error {
	body := struct {
		Product string `json:"messaging_product"`
		PIN     string `json:"pin"`
	}{product, pin}
	_, err := c.graph.Do(ctx, token, rest.Call{Name: "registerPhoneNumber", Method: http.MethodPost, Path: rest.Path(id, "register"), Body: body}, nil)
	return err
}

// override is where webhooks go instead of the app's own address.
type override struct {
	URL    string `json:"override_callback_uri,omitempty"`
	Verify string `json:"verify_token,omitempty"`
}

// subscribe makes the app hear of a business account; with an address, there.
func (c *client) subscribe(ctx context.Context, token, account string, to override) error {
	var body any
	if to.URL != "" {
		body = to
	}
	_, err := c.graph.Do(ctx, token, rest.Call{Name: "subscribeApp", Method: http.MethodPost, Path: rest.Path(account, "subscribed_apps"), Body: body}, nil)
	return err
}

// subscribed reports whether the account's webhooks go to an address.
func (c *client) subscribed(ctx context.Context, token, account, to string) (bool, error) {
	var list struct {
		Data []struct {
			URL string `json:"override_callback_uri"`
		} `json:"data"`
	}
	_, err := c.graph.Do(ctx, token, rest.Call{Name: "readSubscribedApps", Method: http.MethodGet, Path: rest.Path(account, "subscribed_apps")}, &list)
	for _, app := range list.Data {
		if strings.HasSuffix(app.URL, "/"+to) {
			return true, err
		}
	}
	return false, err
}

// unsubscribe ends what subscribe began.
func (c *client) unsubscribe(ctx context.Context, token, account string) error {
	_, err := c.graph.Do(ctx, token, rest.Call{Name: "unsubscribeApp", Method: http.MethodDelete, Path: rest.Path(account, "subscribed_apps")}, nil)
	return err
}

// redirectNumber sends the webhooks of one number to an address; an empty one ends that.
func (c *client) redirectNumber(ctx context.Context, token, id string, to override) error {
	body := struct {
		Webhook struct {
			URL    string `json:"override_callback_uri"`
			Verify string `json:"verify_token,omitempty"`
		} `json:"webhook_configuration"`
	}{}
	body.Webhook.URL, body.Webhook.Verify = to.URL, to.Verify
	_, err := c.graph.Do(ctx, token, rest.Call{Name: "setWebhookOverride", Method: http.MethodPost, Path: rest.Path(id), Body: body}, nil)
	return err
}
