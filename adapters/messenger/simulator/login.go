package simulator

import (
	"context"
	"crypto/rand"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/sandbox"
)

// page is the login: one link for each account, and with Facebook one for all.
var page = template.Must(template.New("dialog").Parse(`<!doctype html><meta charset="utf-8"><title>Sandbox login</title>
<h1>Connect to the gateway</h1><ul>{{range .}}<li><a href="{{.URL}}">{{.Name}}</a></li>{{end}}</ul>`))

type pageLink struct{ Name, URL string }

// dialog plays the page on which a person grants an app access: whoever opens it chooses, or leaves.
func (p platform) dialog(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || q.Get("client_id") != AppID || q.Get("response_type") != "code" || q.Get("scope") == "" && q.Get("config_id") == "" {
		http.Error(w, "This app cannot be opened: client_id, scope, redirect_uri or response_type is wrong.", http.StatusBadRequest)
		return
	}
	to := func(values url.Values) string {
		u := *back
		have := u.Query()
		maps.Copy(have, values)
		have.Set("state", q.Get("state"))
		u.RawQuery = have.Encode()
		return u.String()
	}
	var links []pageLink
	s.Do(func(st *sandbox.State) {
		offer := func(name, account string) {
			code := strings.ToLower(rand.Text())
			booksOf(st).codes.Add(code, grant{account, q.Get("redirect_uri")}, st.Now().Add(st.Scale(codeLife)), st.Now())
			back := to(url.Values{"code": {code}})
			if p.kind == InstagramLogin {
				back += "#_" // which the documents tell one to strip
			}
			links = append(links, pageLink{name, back})
		}
		if p.kind != InstagramLogin {
			offer("All pages", "")
		}
		for _, a := range st.Accounts() {
			offer(a.Name, a.ID)
		}
	})
	links = append(links, pageLink{"Cancel", to(url.Values{"error": {"access_denied"}, "error_reason": {"user_denied"}})})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, links) // a browser that left is its own loss
}

// redeem takes a code, which is good once and for the redirect_uri of its page.
func (p platform) redeem(st *sandbox.State, q url.Values) (grant, *fault) {
	codes := booksOf(st).codes
	g, ok := codes.Get(q.Get("code"), st.Now())
	switch {
	case q.Get("client_id") != AppID || q.Get("client_secret") != p.kind.Secret():
		return g, &fault{Code: 101, Text: "Error validating client secret."}
	case !ok:
		return g, &fault{Code: 100, Subcode: 36009, Text: "This authorization code has expired."}
	case g.redirect != q.Get("redirect_uri"):
		return g, &fault{Code: 100, Subcode: 36008, Text: "Error validating verification code. Please make sure your redirect_uri is identical"}
	}
	codes.Drop(q.Get("code"))
	return g, nil
}

// accessToken exchanges a code for a person's token, and that for one that lasts.
func (p platform) accessToken(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var f *fault
	out := object{"token_type": "bearer"}
	s.Do(func(st *sandbox.State) {
		b := booksOf(st)
		who := given{account: "", short: true}
		if q.Get("grant_type") == "fb_exchange_token" {
			if _, ok := b.tokens.Get(q.Get("fb_exchange_token"), st.Now()); !ok || q.Get("client_secret") != p.kind.Secret() {
				f = badToken
				return
			}
			who.short = false
		} else if _, f = p.redeem(st, q); f != nil {
			return
		}
		token, life := b.give(st, who)
		out["access_token"], out["expires_in"] = token, int(life/time.Second)
	})
	answer(w, out, f)
}

// pages answers GET /me/accounts: all of them, with their tokens.
func (p platform) pages(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	var f *fault
	data := []object{}
	s.Do(func(st *sandbox.State) {
		if _, ok := booksOf(st).tokens.Get(bearer(r), st.Now()); !ok {
			f = badToken
			return
		}
		for _, a := range st.Accounts() {
			if !a.Revoked {
				data = append(data, p.accountView(a, true))
			}
		}
	})
	answer(w, object{"data": data}, f)
}

// instagramCode answers POST /oauth/access_token of Instagram Login: a token of an hour.
func (p platform) instagramCode(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		answer(w, nil, wrong("The form cannot be read"))
		return
	}
	var f *fault
	out := object{"permissions": []string{"instagram_business_basic", "instagram_business_manage_messages"}}
	s.Do(func(st *sandbox.State) {
		var g grant
		if g, f = p.redeem(st, r.PostForm); f != nil {
			return
		}
		out["access_token"], _ = booksOf(st).give(st, given{account: g.account, short: true})
		out["user_id"] = number(g.account)
	})
	answer(w, out, f)
}

// instagramProlong answers GET /access_token: a token of sixty days for one of an hour.
func (p platform) instagramProlong(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.renew(s, w, q, "ig_exchange_token", func(_ *sandbox.State, g given) bool { return g.short && q.Get("client_secret") == p.kind.Secret() })
}

// instagramRefresh answers GET /refresh_access_token: another sixty days, for a token that is a day old.
func (p platform) instagramRefresh(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	const day = 24 * time.Hour
	p.renew(s, w, r.URL.Query(), "ig_refresh_token", func(st *sandbox.State, g given) bool { return !g.short && !st.Within(g.made, day) })
}

func (p platform) renew(s *sandbox.Server, w http.ResponseWriter, q url.Values, grantType string, may func(*sandbox.State, given) bool) {
	f := &fault{Code: 190, Text: "Error validating access token."}
	out := object{"token_type": "bearer"}
	s.Do(func(st *sandbox.State) {
		b, token := booksOf(st), q.Get("access_token")
		g, ok := b.tokens.Get(token, st.Now())
		if a := st.AccountByToken(token); a != nil { // of the configuration, and old
			g, ok = given{account: a.ID}, true
		}
		if !ok || q.Get("grant_type") != grantType || !may(st, g) {
			return
		}
		next, life := b.give(st, given{account: g.account})
		out["access_token"], out["expires_in"], f = next, int(life/time.Second), nil
	})
	answer(w, out, f)
}

// debugToken says what a token is good for. Tokens of another app are an error.
func (p platform) debugToken(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	if bearer(r) != AppID+"|"+p.kind.Secret() {
		answer(w, nil, badToken)
		return
	}
	token := r.URL.Query().Get("input_token")
	if strings.HasPrefix(token, "EAAforeign") {
		answer(w, nil, wrong("The App_id in the input_token did not match the Viewing App"))
		return
	}
	data := object{"app_id": AppID, "is_valid": false, "error": object{"code": 190, "message": "Invalid OAuth access token."}}
	s.Do(func(st *sandbox.State) {
		if _, ok := booksOf(st).tokens.Get(token, st.Now()); ok {
			data = object{"app_id": AppID, "type": "USER", "is_valid": true, "expires_at": 0}
		}
		if accountOf(st, token) != nil {
			data = object{"app_id": AppID, "type": "PAGE", "is_valid": true, "expires_at": 0}
		}
	})
	answer(w, object{"data": data}, nil)
}

// registerApp answers POST /{app}/subscriptions: where the webhooks of all pages go, once the address has proved itself.
func (p platform) registerApp(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	if chi.URLParam(r, "id") != AppID || bearer(r) != AppID+"|"+p.kind.Secret() {
		answer(w, nil, badToken)
		return
	}
	if r.ParseForm() != nil || r.PostForm.Get("object") != p.kind.object() || r.PostForm.Get("fields") == "" {
		answer(w, nil, wrong("Param object must be "+p.kind.object()))
		return
	}
	to := r.PostForm.Get("callback_url")
	if !handshake(r.Context(), s.HTTP(), to, r.PostForm.Get("verify_token")) {
		answer(w, nil, &fault{Code: 2200, Text: "Callback verification failed"})
		return
	}
	s.Do(func(st *sandbox.State) {
		for _, a := range st.Accounts() {
			a.Hook.URL = to
			st.Redeliver(a)
		}
		st.Touch()
	})
	answer(w, done, nil)
}

// handshake is the GET by which an address shows that it knows the verify token.
func handshake(ctx context.Context, hc *http.Client, to, verify string) bool {
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
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false
	}
	resp, err := hc.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return err == nil && resp.StatusCode == http.StatusOK && string(body) == challenge
}
