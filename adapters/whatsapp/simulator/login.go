package simulator

import (
	"crypto/rand"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"postern/adapters/internal/sandbox"
)

// page is the sign-up: one link for each number.
var page = template.Must(template.New("dialog").Parse(`<!doctype html><meta charset="utf-8"><title>Sandbox sign-up</title>
<h1>Connect a WhatsApp number</h1><ul>{{range .}}<li><a href="{{.URL}}">{{.Name}}</a></li>{{end}}</ul>`))

type pageLink struct{ Name, URL string }

// dialog plays embedded sign-up: whoever opens it chooses a number, or leaves.
func dialog(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || q.Get("client_id") != AppID || q.Get("response_type") != "code" || q.Get("config_id") == "" {
		http.Error(w, "This app cannot be opened: client_id, config_id, redirect_uri or response_type is wrong.", http.StatusBadRequest)
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
		for _, a := range st.Accounts() {
			code := strings.ToLower(rand.Text())
			booksOf(st).codes.Add(code, grant{a.ID, q.Get("redirect_uri")}, st.Now().Add(st.Scale(codeLife)), st.Now())
			links = append(links, pageLink{a.Phone + " " + a.Name, to(url.Values{"code": {code}})})
		}
	})
	links = append(links, pageLink{"Cancel", to(url.Values{"error": {"access_denied"}, "error_reason": {"user_denied"}})})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, links) // a browser that left is its own loss
}

// accessToken exchanges a code, which is good once and for the redirect_uri of its page.
func accessToken(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var token string
	f := &fault{Status: 400, Code: 100, Subcode: 36009, Text: "This authorization code has expired."}
	if q.Get("client_id") != AppID || q.Get("client_secret") != AppSecret {
		answer(w, nil, &fault{Status: 400, Code: 101, Text: "Error validating client secret."})
		return
	}
	s.Do(func(st *sandbox.State) {
		codes := booksOf(st).codes
		g, ok := codes.Get(q.Get("code"), st.Now())
		if !ok {
			return
		}
		if g.redirect != q.Get("redirect_uri") {
			f = &fault{Status: 400, Code: 100, Subcode: 36008, Text: "Error validating verification code. Please make sure your redirect_uri is identical"}
			return
		}
		codes.Drop(q.Get("code"))
		if a := st.Account(g.number); a != nil {
			token, f = a.Token, nil
		}
	})
	answer(w, object{"access_token": token, "token_type": "bearer"}, f)
}

// debugToken says what a token is good for. Tokens of another app are an error.
func debugToken(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	if bearer(r) != AppID+"|"+AppSecret {
		answer(w, nil, badToken)
		return
	}
	token := r.URL.Query().Get("input_token")
	if strings.HasPrefix(token, "EAAforeign") {
		answer(w, nil, &fault{Status: 400, Code: 100, Text: "The App_id in the input_token did not match the Viewing App"})
		return
	}
	data := object{"app_id": AppID, "type": "SYSTEM_USER", "is_valid": false, "error": object{"code": 190, "message": "Invalid OAuth access token."}}
	s.Do(func(st *sandbox.State) {
		a := st.AccountByToken(token)
		if a == nil {
			return
		}
		targets := []string{a.IDs[idAccount]}
		data = object{
			"app_id": AppID, "type": "SYSTEM_USER", "is_valid": true, "expires_at": 0, "user_id": "122000000000001",
			"scopes": []string{"whatsapp_business_management", "whatsapp_business_messaging"},
			"granular_scopes": []object{
				{"scope": "whatsapp_business_management", "target_ids": targets}, {"scope": "whatsapp_business_messaging", "target_ids": targets},
			},
		}
	})
	answer(w, object{"data": data}, nil)
}
