package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandbox"
)

type object = map[string]any

// fault is an error of the Graph API.
type fault struct {
	Status, Code, Subcode int
	Text, Details         string
	// After is told in a header; the platform itself never does.
	After time.Duration
}

// answer writes a result, or an error in Graph's envelope, with the usage headers that every answer has.
func answer(w http.ResponseWriter, out any, f *fault) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set(graph.HeaderAppUsage, `{"call_count":1,"total_cputime":0,"total_time":1}`)
	status := http.StatusOK
	if f != nil {
		status = f.Status
		if f.After > 0 {
			h.Set("Retry-After", strconv.Itoa(int((f.After+time.Second-1)/time.Second)))
		}
		e := object{
			"message": fmt.Sprintf("(#%d) %s", f.Code, f.Text), "type": "OAuthException", "code": f.Code, "fbtrace_id": "AzSandboxTrace",
			"error_data": object{"messaging_product": "whatsapp", "details": f.Details},
		}
		if f.Subcode != 0 {
			e["error_subcode"] = f.Subcode
		}
		out = object{"error": e}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // a client that left is its own loss
}

// Errors that several calls have.
var (
	badToken  = &fault{Status: 401, Code: 190, Text: "Invalid OAuth access token - Cannot parse access token"}
	badProof  = &fault{Status: 400, Code: 100, Text: "Invalid appsecret_proof provided in the API argument"}
	noObject  = &fault{Status: 400, Code: 100, Subcode: 33, Text: "Unsupported request. Object does not exist, cannot be loaded due to missing permissions"}
	noProduct = &fault{Status: 400, Code: 100, Text: "The parameter messaging_product is required."}
)

func wrongParam(text string) *fault {
	return &fault{Status: 400, Code: 131009, Text: "Parameter value is not valid", Details: text}
}

func missing(name string) *fault {
	return &fault{Status: 400, Code: 131008, Text: "Required parameter is missing", Details: name}
}

// call is a request by a token that is good for the object of its path.
type call struct {
	s *sandbox.Server
	r *http.Request
	// id is that of the path; number its account where it is a phone number's, or any number of a business account.
	id     string
	number *sandbox.Account
	whole  bool // the path names a business account
	token  string
}

// serve checks the token and the proof before anything else.
func serve(s *sandbox.Server, w http.ResponseWriter, r *http.Request, do func(*call) (any, *fault)) {
	c := &call{s: s, r: r, id: chi.URLParam(r, "id")}
	if f := c.authorize(); f != nil {
		answer(w, nil, f)
		return
	}
	out, f := do(c)
	answer(w, out, f)
}

func (c *call) authorize() (f *fault) {
	c.token = bearer(c.r)
	c.s.Do(func(st *sandbox.State) {
		by := st.AccountByToken(c.token)
		if by == nil {
			f = badToken
			return
		}
		if proof := c.r.URL.Query().Get("appsecret_proof"); proof != "" && proof != proofOf(by.Secret, c.token) {
			f = badProof
			return
		}
		for _, a := range st.Accounts() {
			if a.IDs[idAccount] != by.IDs[idAccount] {
				continue // the token is of another business account
			}
			if a.ID == c.id || a.IDs[idAccount] == c.id {
				c.number, c.whole = a, a.ID != c.id
				break
			}
		}
		if c.number == nil && booksOf(st).handle(c.id, st.Now()) == nil {
			f = noObject
			return
		}
		if c.number == nil {
			c.number = by
		}
	})
	return f
}

func bearer(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	return r.URL.Query().Get("access_token")
}

func proofOf(secret, token string) string {
	s, err := graph.NewSecrets(secret)
	if err != nil {
		return ""
	}
	return s.Proof(token)
}

// decode reads the JSON body.
func (c *call) decode(into any) *fault {
	raw, err := io.ReadAll(io.LimitReader(c.r.Body, 1<<20))
	if err != nil || json.Unmarshal(raw, into) != nil {
		return &fault{Status: 400, Code: 100, Text: "Invalid parameter", Details: "The body is not valid JSON"}
	}
	return nil
}

var done = object{"success": true}

// numberView is what is told of a phone number.
func numberView(a *sandbox.Account) object {
	platform, status := "CLOUD_API", "CONNECTED"
	if a.IDs[idRegistered] == "false" {
		platform, status = "NOT_APPLICABLE", "PENDING"
	}
	return object{
		"id": a.ID, "display_phone_number": a.Phone, "verified_name": a.Name, "quality_rating": "GREEN", "platform_type": platform, "status": status,
		"throughput": object{"level": "STANDARD"}, "is_on_biz_app": a.IDs[idCoexistence] == "true",
	}
}

// getObject answers GET /{number} and GET /{media}.
func getObject(c *call) (out any, f *fault) {
	c.s.Do(func(st *sandbox.State) {
		if c.id == c.number.ID {
			out = numberView(c.number)
			return
		}
		out, f = mediaView(st, c)
	})
	return out, f
}

// postObject answers POST /{number} with a webhook_configuration.
func postObject(c *call) (any, *fault) {
	var in struct {
		Webhook *struct {
			URL    string `json:"override_callback_uri"`
			Verify string `json:"verify_token"`
		} `json:"webhook_configuration"`
	}
	if f := c.decode(&in); f != nil {
		return nil, f
	}
	if in.Webhook == nil || c.whole {
		return nil, missing("webhook_configuration")
	}
	return c.listen([]string{c.number.ID}, in.Webhook.URL, in.Webhook.Verify)
}

// subscribe answers POST /{account}/subscribed_apps, for all numbers of a business account.
func subscribe(c *call) (any, *fault) {
	var in struct {
		URL    string `json:"override_callback_uri"`
		Verify string `json:"verify_token"`
	}
	if c.r.ContentLength != 0 {
		if f := c.decode(&in); f != nil {
			return nil, f
		}
	}
	if !c.whole {
		return nil, noObject
	}
	return c.listen(c.numbers(), in.URL, in.Verify)
}

// numbers are the ids of the numbers of a business account.
func (c *call) numbers() (ids []string) {
	c.s.Do(func(st *sandbox.State) {
		for _, a := range st.Accounts() {
			if a.IDs[idAccount] == c.id {
				ids = append(ids, a.ID)
			}
		}
	})
	return ids
}

// listen sends the webhooks of numbers to an address that proves itself first. Without one the app's own stays, or comes back.
func (c *call) listen(numbers []string, to, verify string) (any, *fault) {
	if len(to) > 200 {
		return nil, wrongParam("override_callback_uri is too long")
	}
	if to != "" && !c.handshake(to, verify) {
		return nil, &fault{Status: 400, Code: 2200, Text: "Callback verification failed"}
	}
	c.s.Do(func(st *sandbox.State) {
		b := booksOf(st)
		for _, id := range numbers {
			a := st.Account(id)
			if _, kept := b.appHook[id]; !kept {
				b.appHook[id] = a.Hook.URL
			}
			a.Hook.URL, a.Hook.Secret, a.Subscribed, a.Hook.Disabled = to, verify, true, false
			if to == "" {
				a.Hook.URL = b.appHook[id]
			}
			st.Redeliver(a)
		}
		st.Touch()
	})
	return done, nil
}

// handshake is the GET by which an address shows that it knows the verify token.
func (c *call) handshake(to, verify string) bool {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return false
	}
	const challenge = "1158201444"
	q := u.Query()
	q.Set("hub.mode", "subscribe")
	q.Set("hub.challenge", challenge)
	q.Set("hub.verify_token", verify)
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(c.r.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false
	}
	resp, err := c.s.HTTP().Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return err == nil && resp.StatusCode == http.StatusOK && string(body) == challenge
}

// subscribed answers GET /{account}/subscribed_apps.
func subscribed(c *call) (any, *fault) {
	app := object{"whatsapp_business_api_data": object{"id": AppID, "name": "Postern Sandbox", "link": "https://www.facebook.com/games/?app_id=" + AppID}}
	data := []object{}
	c.s.Do(func(st *sandbox.State) {
		if !c.number.Subscribed {
			return
		}
		if kept, is := booksOf(st).appHook[c.number.ID]; is && kept != c.number.Hook.URL {
			app["override_callback_uri"] = c.number.Hook.URL
		}
		data = append(data, app)
	})
	return object{"data": data}, nil
}

// unsubscribe answers DELETE /{account}/subscribed_apps.
func unsubscribe(c *call) (any, *fault) {
	if !c.whole {
		return nil, noObject
	}
	ids := c.numbers()
	c.s.Do(func(st *sandbox.State) {
		for _, id := range ids {
			a := st.Account(id)
			a.Subscribed, a.Hook.URL = false, booksOf(st).appHook[id]
		}
		st.Touch()
	})
	return done, nil
}

// phoneNumbers answers GET /{account}/phone_numbers.
func phoneNumbers(c *call) (any, *fault) {
	if !c.whole {
		return nil, noObject
	}
	data := []object{}
	c.s.Do(func(st *sandbox.State) {
		for _, a := range st.Accounts() {
			if a.IDs[idAccount] == c.id {
				data = append(data, numberView(a))
			}
		}
	})
	return object{"data": data}, nil
}

// register answers POST /{number}/register.
func register(c *call) (any, *fault) {
	var in struct {
		Product string `json:"messaging_product"`
		PIN     string `json:"pin"`
	}
	if f := c.decode(&in); f != nil {
		return nil, f
	}
	switch {
	case in.Product != "whatsapp":
		return nil, noProduct
	case len(digits(in.PIN)) != 6 || len(in.PIN) != 6:
		return nil, wrongParam("pin must be 6 digits")
	}
	var f *fault
	c.s.Do(func(st *sandbox.State) {
		if known := c.number.IDs["pin"]; known != "" && known != in.PIN {
			f = &fault{Status: 400, Code: 133005, Text: "Two step verification PIN mismatch"}
			return
		}
		ids := map[string]string{"pin": in.PIN}
		for k, v := range c.number.IDs {
			if k != idRegistered {
				ids[k] = v
			}
		}
		c.number.IDs = ids
		st.Touch()
	})
	return done, f
}

// blockUsers answers POST and DELETE /{number}/block_users: "only users who messaged in the last 24 hours".
func blockUsers(on bool) func(*call) (any, *fault) {
	return func(c *call) (any, *fault) {
		var in struct {
			Product string `json:"messaging_product"`
			Users   []struct {
				User string `json:"user"`
			} `json:"block_users"`
		}
		if f := c.decode(&in); f != nil {
			return nil, f
		}
		if in.Product != "whatsapp" {
			return nil, noProduct
		}
		var f *fault
		users := []object{}
		c.s.Do(func(st *sandbox.State) {
			for _, u := range in.Users {
				chat := chatWith(st, c.number, u.User)
				if chat == nil || on && !st.Within(chatOwn(chat).lastUser, windowFor) {
					f = &fault{Status: 400, Code: 139100, Text: "Failed to block or unblock some users"}
					continue
				}
				chatOwn(chat).shut = on
				users = append(users, object{"input": u.User, "wa_id": digits(chat.Person.Phone), "user_id": chat.Person.IDs[idUser]})
			}
			st.Touch()
		})
		name := "added_users"
		if !on {
			name = "removed_users"
		}
		return object{"messaging_product": "whatsapp", "block_users": object{name: users}}, f
	}
}
