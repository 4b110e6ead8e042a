package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// client holds one method per method in use. A token stands in each address, which no error tells.
type client struct {
	rest *rest.Client
	// polls waits as long as getUpdates does.
	polls *rest.Client
}

// secret is what Linker seals of an account, and what a line's token_file amounts to.
type secret struct {
	Token string `json:"token"`
	// Name is the bot's user name, for links to it.
	Name string `json:"name,omitempty"`
}

// seal writes the secret as it is kept.
func (s secret) seal() []byte {
	raw, err := json.Marshal(s)
	if err != nil { // two words always encode
		return nil
	}
	return raw
}

// parseSecret reads what Linker sealed.
func parseSecret(account gateway.Credentials) (secret, error) {
	var s secret
	if err := json.Unmarshal(account.Secret, &s); err != nil || !tokenForm.MatchString(s.Token) {
		return s, refuse(gateway.ReauthNeeded, "no_credentials", "the account holds no token")
	}
	return s, nil
}

// path is that of a method ("https://api.telegram.org/bot<token>/METHOD_NAME").
func path(token, method string) string { return rest.Path("bot"+token, method) }

// do calls a method and decodes its result.
func (c *client) do(ctx context.Context, token, method string, in params, result any) error {
	return c.by(ctx, c.rest, token, method, in, result)
}

func (c *client) by(ctx context.Context, rc *rest.Client, token, method string, in params, result any) error {
	var e envelope
	if _, err := rc.Do(ctx, rest.Call{Name: method, Method: http.MethodPost, Path: path(token, method), Body: in}, &e); err != nil {
		return err
	}
	return e.into(method, result)
}

// into reads the result of a call that succeeded.
func (e envelope) into(method string, result any) error {
	if !e.OK || len(e.Result) == 0 || result != nil && json.Unmarshal(e.Result, result) != nil {
		return &rest.Error{Call: method, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no result")}
	}
	return nil
}

// send makes a call of an op, with the bytes of its file where it has one, and returns the message that came of it, where one did. A
// group that became a supergroup has another id: the call is made once more under that.
func (c *client) send(ctx context.Context, token string, out call, body io.ReadSeeker) (sentMessage, error) {
	raw, err := c.post(ctx, token, out, body)
	if to := migrated(err); to != 0 {
		out.params = maps.Clone(out.params)
		out.params["chat_id"] = json.Number(strconv.FormatInt(to, 10))
		raw, err = c.post(ctx, token, out, body)
	}
	if err != nil {
		return sentMessage{}, err
	}
	var sent sentMessage
	if !strings.HasPrefix(out.method, "send") || out.method == "sendChatAction" {
		return sent, nil
	}
	if json.Unmarshal(raw, &sent) != nil || sent.ID == 0 {
		return sent, &rest.Error{Call: out.method, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no message")}
	}
	return sent, nil
}

func (c *client) post(ctx context.Context, token string, out call, body io.ReadSeeker) (json.RawMessage, error) {
	var result json.RawMessage
	if out.file == "" {
		return result, c.do(ctx, token, out.method, out.params, &result)
	}
	if body == nil {
		return nil, refuse(gateway.Unsupported, "media", "the bytes of the file did not come along")
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, &rest.Error{Call: out.method, Err: errors.New("the file cannot be read from its beginning")}
	}
	var e envelope
	err := c.rest.PostFile(ctx, rest.FilePart{
		Call:  rest.Call{Name: out.method, Method: http.MethodPost, Path: path(token, out.method), Form: out.params.form()},
		Field: out.file, FileName: fileName(out.media), MIME: out.media.MIME, From: body, Size: out.media.Size,
	}, &e)
	if err != nil {
		return nil, err
	}
	return e.Result, e.into(out.method, &result)
}

// migrated returns the new id of a group that became a supergroup (ResponseParameters), else 0.
func migrated(err error) int64 {
	var e envelope
	if re, ok := errors.AsType[*rest.Error](err); ok && re.Status == http.StatusBadRequest && re.Decode(&e) == nil {
		return e.Parameters.MigrateTo
	}
	return 0
}
