package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// Linking carries registrations through a browser; *gateway.Desk is one, with what it shows sent on.
type Linking interface {
	Browse(ctx context.Context, adapter gateway.AdapterID, token string) (gateway.Page, error)
	Returned(ctx context.Context, adapter gateway.AdapterID, token string, answers map[string]string) (gateway.Page, error)
	PageOver(lang string) gateway.Page
}

const (
	// linkCookie ties the way back to the browser that set out: whoever hands another the address of the platform's page gets
	// nothing by it.
	linkCookie = "postern_link"
	// Bounds of what a platform adds to the address.
	maxReturned = 16
	maxAnswered = 4096
	// linksAtOnce is how many of these pages may be on their way at a time: callers need no credentials, and each waits for the store.
	linksAtOnce = 256
)

const pageStyle = `:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.5rem}
p{white-space:pre-line}a{display:inline-block;margin-top:1rem;padding:.6rem 1.2rem;border:2px solid;border-radius:.5rem;color:inherit}`

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{.Title}}</title><style>{{.Style}}</style></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Link}}<a href="{{.Link}}" rel="noreferrer">{{.Label}}</a>{{end}}</main></body></html>
`))

// links serves the browser steps of registrations.
type links struct {
	from  Linking
	known map[gateway.AdapterID]bool
	busy  chan struct{} // one per page on its way
	log   *slog.Logger
}

// bounded lets no more than linksAtOnce in.
func (l *links) bounded(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case l.busy <- struct{}{}:
			defer func() { <-l.busy }()
			page(w, r)
		default:
			refuseForNow(w, retrySoon, "Too many pages at once.")
		}
	}
}

// setOut shows the page that leads to the platform's.
func (l *links) setOut(w http.ResponseWriter, r *http.Request) {
	a, token := gateway.AdapterID(chi.URLParam(r, "instance")), chi.URLParam(r, "token")
	if !l.known[a] {
		notFound(w, r)
		return
	}
	page, err := l.from.Browse(r.Context(), a, token)
	if err == nil {
		// Lax: it comes along when the platform leads back here.
		http.SetCookie(w, &http.Cookie{
			Name: linkCookie, Value: token, Path: "/link/" + string(a), MaxAge: int(gateway.SessionTTL.Seconds()), HttpOnly: true,
			Secure: true, SameSite: http.SameSiteLaxMode,
		})
	}
	l.show(w, r, page, err)
}

// comeBack goes on with what the platform's page added to the address.
func (l *links) comeBack(w http.ResponseWriter, r *http.Request) {
	a := gateway.AdapterID(chi.URLParam(r, "instance"))
	if !l.known[a] {
		notFound(w, r)
		return
	}
	query := r.URL.Query()
	answers := map[string]string{}
	for name, values := range query {
		if len(answers) >= maxReturned || len(values) != 1 || len(name)+len(values[0]) > maxAnswered {
			l.show(w, r, gateway.Page{}, gateway.ErrPageOver)
			return
		}
		answers[name] = values[0]
	}
	token := answers["state"]
	delete(answers, "state")
	cookie, err := r.Cookie(linkCookie)
	if err != nil || token == "" || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(token)) != 1 {
		l.show(w, r, gateway.Page{}, gateway.ErrPageOver)
		return
	}
	page, err := l.from.Returned(r.Context(), a, token, answers)
	l.show(w, r, page, err)
}

func (l *links) show(w http.ResponseWriter, r *http.Request, page gateway.Page, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, gateway.ErrPageOver):
		status, page = http.StatusGone, l.from.PageOver(r.Header.Get("Accept-Language"))
	case err != nil:
		l.log.Warn("page not shown", "err", err)
		refuseForNow(w, retrySoon, "The gateway cannot go on with this now.")
		return
	}
	h := w.Header()
	sum := sha256.Sum256([]byte(pageStyle))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(sum[:])+"'")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, struct {
		gateway.Page
		Style template.CSS
	}{page, pageStyle}) // a browser that left is its own loss
}
