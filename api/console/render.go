package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"postern/gateway"
)

//go:embed pages
var pageFiles embed.FS

// parsePages reads the templates, each with the frame around it. They are in the program, so that one that cannot be read is a fault of it.
func parsePages() map[string]*template.Template {
	frame := template.Must(template.New("frame.tmpl").Funcs(template.FuncMap{
		"when": when, "ago": ago, "number": count, "tone": tone, "word": inWords, "cause": cause,
	}).ParseFS(pageFiles, "pages/frame.tmpl"))
	out := map[string]*template.Template{}
	for _, name := range []string{"adapter", "audit", "case", "cases", "confirm", "decide", "error", "erased", "fidelity", "letters", "overview", "queues", "sign-in", "users", "verify"} {
		out[name] = template.Must(template.Must(frame.Clone()).ParseFS(pageFiles, "pages/"+name+".tmpl"))
	}
	return out
}

// frame is what every page has around it.
type frame struct {
	Title   string
	Path    string
	Token   *gateway.Token // nil where nobody signed in
	Form    string
	Said    string
	Letters int // dead letters, as far as they are counted at the moment
	Links   []link
	Now     time.Time
	Replica string
	Version string
	// Page is the page's own.
	Page any
}

// link is one in the navigation.
type link struct {
	Path, Name string
	Here       bool
}

// May reports whether who looks has at least a role.
func (f frame) May(role string) bool { return f.Token != nil && f.Token.Role.May(gateway.Role(role)) }

func (c *Console) frame(r *http.Request, title string, own any) frame {
	f := frame{Title: title, Path: r.URL.Path, Now: time.Now().UTC(), Replica: c.Replica, Version: c.Version, Page: own}
	v := visitOf(r)
	if v.session == nil {
		return f
	}
	f.Token, f.Form = &v.token, v.form
	if r.Header.Get(liveHeader) == "" {
		f.Said = c.sessions.said(v.id)
	}
	for _, l := range []struct {
		path, name string
		role       gateway.Role
	}{
		{"/console", "Overview", gateway.RoleViewer},
		{"/console/queues", "Queues", gateway.RoleViewer},
		{"/console/dead-letters", "Dead letters", gateway.RoleViewer},
		{"/console/cases", "Cases", gateway.RoleViewer},
		{"/console/users", "Users", gateway.RoleOperator},
		{"/console/audit", "Audit", gateway.RoleAdmin},
		{"/console/fidelity", "Fidelity", gateway.RoleViewer},
	} {
		if v.token.Role.May(l.role) {
			f.Links = append(f.Links, link{l.path, l.name, r.URL.Path == l.path})
		}
	}
	return f
}

// show writes a page, whole or not at all.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name, title string, own any) {
	var out bytes.Buffer
	if err := c.pages()[name].ExecuteTemplate(&out, "frame.tmpl", c.frame(r, title, own)); err != nil {
		c.Log.Error("page not rendered", "page", name, "err", err)
		http.Error(w, "This page met a fault of the gateway; its log says which.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // a browser that is gone hears nothing
}

// errorView says what went wrong, and what to do.
type errorView struct {
	Status     int
	What, Then string
}

func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int, what, then string) {
	if visitOf(r).session == nil { // a page for who signed in, even where nothing was asked for that needs it
		if v, err := c.present(r); err == nil && v.session != nil {
			r = withVisit(r, v)
		}
	}
	c.show(w, r, status, "error", what, errorView{status, what, then})
}

// refuse turns an error of the domain into a page.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, gateway.ErrNotFound) || errors.Is(err, gateway.ErrNoAccount) {
		c.fail(w, r, http.StatusNotFound, "It is not there, or not there any more.", "Somebody else may have been faster, or nothing was ever held. The list shows what there is.")
		return
	}
	if errors.Is(err, gateway.ErrCursor) {
		c.fail(w, r, http.StatusUnprocessableEntity, "There is no such page.", "Begin with the first page of the list.")
		return
	}
	c.away(w, r, err)
}

// away says that the store does not answer.
func (c *Console) away(w http.ResponseWriter, r *http.Request, err error) {
	c.Log.Warn("console cannot answer", "err", err)
	w.Header().Set("Retry-After", "10")
	c.show(w, r, http.StatusServiceUnavailable, "error", "The gateway cannot answer this now.", errorView{
		http.StatusServiceUnavailable, "The gateway cannot answer this now.",
		"Most likely the store does not: /readyz says whether it takes writes, and postern doctor what is wrong with it. Try again in a moment.",
	})
}

// count writes a number of any type in digits that are read at a glance.
func count(v any) string {
	switch v := v.(type) {
	case int:
		return number(float64(v))
	case int64:
		return number(float64(v))
	case float64:
		return number(v)
	}
	return fmt.Sprint(v)
}

// when is a time for the page, to the second.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// ago is how long ago a time was, or how long it is until then.
func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= 0 {
		return age(d) + " ago"
	}
	return "in " + age(t.Sub(now))
}

// tone is how a state looks: good, warn or bad; nothing for what is neither.
func tone(state any) string {
	switch fmt.Sprint(state) {
	case "up", "active", "ok":
		return "good"
	case "open", "appealed", "connecting", "standby", "expiring", "reconsent_needed", "withdrawal_queued", "paused":
		return "warn"
	case "down", "refused", "reauth_needed", "suspended":
		return "bad"
	}
	return ""
}

// inWords is what a state or reason is called on a page.
func inWords(state any) string {
	s := fmt.Sprint(state)
	if w, ok := wording[s]; ok {
		return w
	}
	return s
}

// cause says why an account stands as it does; nothing where that is no news.
func cause(h gateway.Health) string {
	if h.Why == gateway.CauseLinked {
		return ""
	}
	w := inWords(h.Why)
	if h.Code != "" {
		w += " (" + h.Code + ")"
	}
	return w
}

var wording = map[string]string{
	"in": "from platforms", "out": "to platforms", "outbox": "to the XMPP server", "webhook": "webhook",
	"platform": "the platform says so", "credentials": "the platform did not take the credentials", "terms": "the terms have changed",
	"up": "connected", "standby": "another replica carries it", "connecting": "connecting", "down": "not connected", "refused": "refused by the server", "stopped": "stopped",
	"active": "active", "expiring": "expires soon", "reauth_needed": "has to sign in again", "reconsent_needed": "has to consent again", "suspended": "suspended by the platform",
	"open": "open", "decided": "decided", "appealed": "appealed", "closed": "closed", "waiting": "waits for a decision", "abuse": "abuse", "spam": "spam",
	"told": "took the report", "takes_none": "takes no reports from here", "untold": "could not be told",
	"no_action": "nothing is done", "contact_blocked": "the contact is blocked for this user", "forwarded": "passed on to those who can act",
	"withdrawn": "withdrawn", "withdrawal_queued": "withdrawal not confirmed yet",
	"retry": "the platform fails for now", "limit": "a limit of the platform", "reauth": "the user has to sign in again", "window": "the contact has to write first",
	"pause": "the user has paused it", "late": "the user is asked whether it still goes out", "share": "the account has its share of memory", "breaker": "the platform's host fails and is left alone",
	"backlog": "it is late, and goes on at a pace", "server": "the XMPP server is away",
}
