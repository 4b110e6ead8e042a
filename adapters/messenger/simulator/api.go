package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandbox"
)

type object = map[string]any

// fault is an error of the Graph API. Status 0 is 400.
type fault struct {
	Status, Code, Subcode int
	Text                  string
	Transient             bool
}

// answer writes a result, or an error in Graph's envelope, with the usage headers that every answer has.
func answer(w http.ResponseWriter, out any, f *fault) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	if h.Get(graph.HeaderAppUsage) == "" {
		h.Set(graph.HeaderAppUsage, `{"call_count":1,"total_cputime":0,"total_time":1}`)
	}
	status := http.StatusOK
	if f != nil {
		if status = f.Status; status == 0 {
			status = http.StatusBadRequest
		}
		e := object{
			"message": fmt.Sprintf("(#%d) %s", f.Code, f.Text), "type": "OAuthException", "code": f.Code, "is_transient": f.Transient, "fbtrace_id": "AzSandboxTrace",
		}
		if f.Subcode != 0 {
			e["error_subcode"] = f.Subcode
		}
		out = object{"error": e}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // a client that left is its own loss
}

// limited is what is answered above a rate: no Retry-After, but when calls work again in minutes.
func (p platform) limited(w http.ResponseWriter, wait time.Duration) {
	minutes := int((wait + time.Minute - 1) / time.Minute)
	w.Header().Set(graph.HeaderBusinessUsage, fmt.Sprintf(`{"%s":[{"type":"messenger","call_count":100,"total_cputime":25,"total_time":25,"estimated_time_to_regain_access":%d}]}`, DefaultPage, minutes))
	w.Header().Set(graph.HeaderAppUsage, `{"call_count":100,"total_cputime":25,"total_time":25}`)
	f := &fault{Code: 613, Text: "Calls to this api have exceeded the rate limit."}
	if p.kind != Messenger {
		f.Subcode = 2534040
	}
	answer(w, nil, f)
}

// Errors that several calls have.
var (
	badToken = &fault{Status: 400, Code: 190, Subcode: 463, Text: "Error validating access token: Session has expired"}
	badProof = &fault{Code: 100, Text: "Invalid appsecret_proof provided in the API argument"}
	noObject = &fault{Code: 100, Subcode: 33, Text: "Unsupported request. Object does not exist, cannot be loaded due to missing permissions"}
)

func wrong(text string) *fault { return &fault{Code: 100, Text: text} }

// call is a request by the token of an account.
type call struct {
	p       platform
	s       *sandbox.Server
	r       *http.Request
	id      string // of the path
	account *sandbox.Account
}

// serve checks the token and the proof before anything else.
func (p platform) serve(s *sandbox.Server, w http.ResponseWriter, r *http.Request, do func(*call) (any, *fault)) {
	c := &call{p: p, s: s, r: r, id: chi.URLParam(r, "id")}
	var f *fault
	s.Do(func(st *sandbox.State) {
		token := bearer(r)
		c.account = accountOf(st, token)
		switch proof := r.URL.Query().Get("appsecret_proof"); {
		case c.account == nil:
			f = badToken
		case proof != "" && proof != proofOf(p.kind.Secret(), token):
			f = badProof
		}
	})
	if f != nil {
		answer(w, nil, f)
		return
	}
	out, f := do(c)
	if f == overRate {
		p.limited(w, time.Minute)
		return
	}
	answer(w, out, f)
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

// mine reports whether the path names the account of the token: "me", its id, or, by the token of a page, that page's.
func (c *call) mine() bool {
	switch c.p.kind {
	case FacebookLogin:
		return c.id == "me" || c.id == c.account.IDs[idPage]
	case InstagramLogin, Messenger:
	}
	return c.id == "me" || c.id == c.account.ID
}

var done = object{"success": true}

// subscribe answers POST /{page}/subscribed_apps.
func subscribe(c *call) (any, *fault) {
	fields := c.r.FormValue("subscribed_fields")
	switch {
	case !c.mine():
		return nil, noObject
	case fields == "":
		return nil, wrong("The parameter subscribed_fields is required.")
	}
	c.s.Do(func(st *sandbox.State) {
		c.account.Subscribed, c.account.Hook.Disabled, c.account.Hook.Events = true, false, strings.Split(fields, ",")
		if c.p.kind == FacebookLogin { // "any page field": what comes is the app's choice
			c.account.Hook.Events = nil
		}
		st.Redeliver(c.account)
		st.Touch()
	})
	return done, nil
}

// subscribed answers GET /{page}/subscribed_apps.
func subscribed(c *call) (any, *fault) {
	data := []object{}
	c.s.Do(func(*sandbox.State) {
		if c.account.Subscribed && !c.account.Hook.Disabled {
			data = append(data, object{"id": AppID, "name": "Postern Sandbox", "subscribed_fields": c.account.Hook.Events})
		}
	})
	return object{"data": data}, nil
}

// unsubscribe answers DELETE /{page}/subscribed_apps.
func unsubscribe(c *call) (any, *fault) {
	if !c.mine() {
		return nil, noObject
	}
	c.s.Do(func(st *sandbox.State) {
		c.account.Subscribed = false
		st.Touch()
	})
	return done, nil
}

// profileOfPage answers POST /{page}/messenger_profile: of it, Get Started is played.
func profileOfPage(c *call) (any, *fault) {
	var in struct {
		GetStarted struct {
			Payload string `json:"payload"`
		} `json:"get_started"`
	}
	if json.NewDecoder(c.r.Body).Decode(&in) != nil || in.GetStarted.Payload == "" || !c.mine() {
		return nil, wrong("Param get_started must have a payload")
	}
	c.s.Do(func(st *sandbox.State) { booksOf(st).started[c.account.ID] = true })
	return object{"result": "success"}, nil
}

// takeThread answers POST /{page}/take_thread_control.
func takeThread(c *call) (any, *fault) {
	var in struct {
		Recipient struct {
			ID string `json:"id"`
		} `json:"recipient"`
	}
	if json.NewDecoder(c.r.Body).Decode(&in) != nil || !c.mine() {
		return nil, wrong("Param recipient must be an object")
	}
	var f *fault
	c.s.Do(func(st *sandbox.State) {
		chat := st.ChatOf(c.account, in.Recipient.ID)
		if chat == nil {
			f = c.p.nobody()
			return
		}
		chatOwn(chat).taken = true
	})
	return done, f
}

// getObject answers GET /me, GET /{page}, GET /{person} and GET /{message}.
func getObject(c *call) (out any, f *fault) {
	c.s.Do(func(st *sandbox.State) {
		switch {
		case c.mine():
			out = c.p.accountView(c.account, false)
		case c.id == c.account.ID: // the Instagram account itself, by the page's token
			out = object{"id": c.account.ID, "username": c.account.Username, "name": c.account.Name}
		case st.MessageOf(c.account, c.id) != nil:
			out = messageView(st, st.MessageOf(c.account, c.id))
		default:
			out, f = c.p.personView(st, c.account, c.id)
		}
	})
	return out, f
}

// accountView is what is told of a page, or of an account by its own token.
func (p platform) accountView(a *sandbox.Account, token bool) object {
	out := object{"id": a.ID, "name": a.Name}
	switch p.kind {
	case InstagramLogin:
		// id is scoped to the app, user_id is what webhooks name.
		out = object{"id": "3" + sandbox.Digits(a.ID, 15), "user_id": a.ID, "username": a.Username, "name": a.Name}
	case FacebookLogin:
		out["id"], out["instagram_business_account"] = a.IDs[idPage], object{"id": a.ID, "username": a.Username}
	case Messenger:
	}
	if token {
		out["access_token"] = a.Token
	}
	return out
}

// personView is a profile, which is shown once the person has written.
func (p platform) personView(st *sandbox.State, a *sandbox.Account, id string) (any, *fault) {
	c := st.ChatOf(a, id)
	if c == nil || c.Person == nil || c.Person.IDs[idNoProfile] == "true" {
		return nil, noObject
	}
	who := c.Person
	out := object{"id": id, "name": who.Display, "first_name": who.First, "last_name": who.Last}
	if p.kind != Messenger {
		out = object{"id": id, "name": who.Display, "username": who.Username, "follower_count": 7, "is_verified_user": false}
	}
	if m := st.Media(who.Avatar); m != nil {
		out["profile_pic"] = link(st, m, m.ID+".png")
	}
	return out, nil
}

// conversations answers GET /{page}/conversations for one person: the twenty newest messages.
func conversations(c *call) (out any, f *fault) {
	q := c.r.URL.Query()
	want := "messenger"
	if c.p.kind != Messenger {
		want = "instagram"
	}
	if q.Get("platform") != want || !c.mine() {
		return nil, wrong("Param platform is wrong")
	}
	data := []object{}
	c.s.Do(func(st *sandbox.State) {
		chat := st.ChatOf(c.account, q.Get("user_id"))
		if chat == nil {
			return
		}
		all := chat.Messages()
		messages := []object{}
		for i := len(all) - 1; i >= 0 && len(messages) < 20; i-- {
			messages = append(messages, messageView(st, all[i]))
		}
		data = append(data, object{"id": "t_" + sandbox.Digits(chat.ID, 15), "messages": object{"data": messages}})
	})
	return object{"data": data}, nil
}

// messageView is a message as a conversation has it.
func messageView(st *sandbox.State, m *sandbox.Message) object {
	from := object{"id": m.Chat.Account.ID}
	if !m.FromUser {
		from = object{"id": m.Chat.Native}
	}
	out := object{"id": m.Native, "created_time": m.SentAt.UTC().Format("2006-01-02T15:04:05-0700"), "from": from, "message": m.Content.Text}
	files := []object{}
	for _, part := range m.Content.Media {
		f := st.Media(part.MediaID)
		if f == nil {
			continue
		}
		one := object{"id": f.ID, "mime_type": f.Type, "name": f.Name, "size": f.Size}
		switch sandbox.KindOf(f.Type) {
		case "image":
			one["image_data"] = object{"url": link(st, f, nameOf(part))}
		case "video":
			one["video_data"] = object{"url": link(st, f, nameOf(part))}
		default:
			one["file_url"] = link(st, f, nameOf(part))
		}
		files = append(files, one)
	}
	if len(files) > 0 {
		out["attachments"] = object{"data": files}
	}
	return out
}
