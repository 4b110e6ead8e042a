package console

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"postern/api"
	"postern/gateway"
)

// liveHeader is what the script sends when a page keeps itself fresh.
const liveHeader = "Postern-Live"

// cookie is the one that names a session. On this machine, where there is no TLS, it goes over http; anywhere else browsers send it back
// by https only, to this host and no other (__Host-).
func cookie(r *http.Request, id string) *http.Cookie {
	k := &http.Cookie{Name: "__Host-postern", Value: id, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
	if r.TLS == nil && loopback(r.Host) {
		k.Name, k.Path, k.Secure = "postern", "/console", false
	}
	return k
}

// loopback reports whether a Host header names this machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// visitKey is where the session of a request is in its context.
type visitKey struct{}

// visit is a request of somebody who signed in.
type visit struct {
	*session
	id string
}

func withVisit(r *http.Request, v visit) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
}

func visitOf(r *http.Request) visit {
	v, _ := r.Context().Value(visitKey{}).(visit)
	return v
}

// present returns the session of a request; none where there is none, or its token is over.
func (c *Console) present(r *http.Request) (visit, error) {
	k, err := r.Cookie(cookie(r, "").Name)
	if err != nil {
		return visit{}, nil //nolint:nilerr // nobody signed in
	}
	s := c.sessions.seen(k.Value, r.Header.Get(liveHeader) == "")
	if s == nil {
		return visit{}, nil
	}
	switch err := c.Control.Guard.Still(r.Context(), s.token); {
	case errors.Is(err, gateway.ErrToken):
		c.sessions.end(k.Value)
		return visit{}, nil
	case err != nil:
		return visit{}, err
	}
	return visit{s, k.Value}, nil
}

// needs lets requests through of who signed in with at least a role. What changes something has to bring the word of its session.
func (c *Console) needs(role gateway.Role) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := c.present(r)
			switch {
			case err != nil:
				c.away(w, r, err)
				return
			case v.session == nil && r.Header.Get(liveHeader) != "":
				w.WriteHeader(http.StatusUnauthorized) // the script then asks for the page itself
				return
			case v.session == nil:
				to := "/console/sign-in"
				if r.Method == http.MethodGet && r.URL.Path != "/console" {
					to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
				}
				http.Redirect(w, r, to, http.StatusSeeOther)
				return
			}
			r = withVisit(r, v)
			if !v.token.Role.May(role) {
				c.fail(w, r, http.StatusForbidden, "This needs the role "+string(role)+".",
					"Your token "+v.token.Name+" has the role "+string(v.token.Role)+". Sign in with another, which postern token create NAME --role "+string(role)+" makes.")
				return
			}
			if r.Method == http.MethodPost {
				if err := r.ParseForm(); err != nil {
					c.fail(w, r, http.StatusBadRequest, "The form could not be read.", "Nothing was done. Go back, and send it once more.")
					return
				}
				if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("form")), []byte(v.form)) != 1 {
					c.fail(w, r, http.StatusForbidden, "This form is of another session.", "Nothing was done. Load the page that it is on anew, and send it from there.")
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// signInView is the page on which one signs in.
type signInView struct{ Next, Wrong string }

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	if v, err := c.present(r); err == nil && v.session != nil {
		http.Redirect(w, r, inside(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	c.show(w, r, http.StatusOK, "sign-in", "Sign in", signInView{Next: inside(r.URL.Query().Get("next"))})
}

// signIn turns a token into a session. One that was there before ends: who signs in gets a word that nobody knew.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "The form could not be read.", "Go back, and send it once more.")
		return
	}
	next := inside(r.PostForm.Get("next"))
	t, err := c.Control.Guard.Admit(r, strings.TrimSpace(r.PostForm.Get("token")))
	switch {
	case errors.Is(err, api.ErrTired):
		w.Header().Set("Retry-After", "60")
		c.show(w, r, http.StatusTooManyRequests, "sign-in", "Sign in", signInView{next, "Too many wrong tokens came from this address. Wait a minute, then try again."})
	case errors.Is(err, gateway.ErrToken):
		c.show(w, r, http.StatusUnauthorized, "sign-in", "Sign in", signInView{next, "This token is unknown or over. Copy it whole, with postern_ at its beginning, or make another."})
	case err != nil:
		c.away(w, r, err)
	default:
		if old, err := r.Cookie(cookie(r, "").Name); err == nil {
			c.sessions.end(old.Value)
		}
		http.SetCookie(w, cookie(r, c.sessions.begin(t)))
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	c.sessions.end(visitOf(r).id)
	gone := cookie(r, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, "/console/sign-in", http.StatusSeeOther)
}

// inside is an address of the console that one asked for; the overview for any other.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil || path.Clean(u.Path) != u.Path ||
		!strings.HasPrefix(u.Path, "/console/") || strings.HasPrefix(u.Path, "/console/sign-") {
		return "/console"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.Query().Encode()}).String()
}
