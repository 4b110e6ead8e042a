package graph

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/adapters/internal/rest"
)

// maxHops bounds how many redirects between hosts of a list are followed.
const maxHops = 3

var hostForm = regexp.MustCompile(`^\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// CheckHosts wants a list of hosts to be one.
func CheckHosts(hosts []string) error {
	for _, h := range hosts {
		if !hostForm.MatchString(h) {
			return errors.New("want host names, such as lookaside.fbsbx.com, or .fbsbx.com for all below it")
		}
	}
	return nil
}

// Hosts says where files may be fetched from: the API's own origin, and the hosts of a list; one that begins with a dot stands for all
// below it.
type Hosts struct {
	HTTP    *http.Client
	Base    string
	List    []string
	Timeout time.Duration
	Agent   string
}

// Allows holds an address against the list.
func (h Hosts) Allows(u *url.URL) bool {
	base, err := rest.ParseBase(h.Base)
	if err != nil || u.User != nil || u.Host == "" {
		return false
	}
	if u.Scheme == base.Scheme && u.Host == base.Host {
		return true
	}
	host := strings.ToLower(u.Host)
	return u.Scheme == "https" && slices.ContainsFunc(h.List, func(one string) bool {
		return host == one || strings.HasPrefix(one, ".") && strings.HasSuffix(host, one)
	})
}

// Open opens an address that the API gave out, without a token: it is signed. Redirects are followed from host to host of the list alone.
// The error is always a *rest.Error.
func (h Hosts) Open(ctx context.Context, name, raw string) (*rest.Download, error) {
	for range maxHops {
		u, err := url.Parse(raw)
		if err != nil || !h.Allows(u) {
			return nil, &rest.Error{Call: name, Status: http.StatusNotFound, Written: true, Err: errors.New("the address is not on the list of media_hosts")}
		}
		rc, err := rest.New(h.HTTP, u.Scheme+"://"+u.Host, h.Timeout, h.Agent)
		if err != nil {
			return nil, &rest.Error{Call: name, Err: err}
		}
		body, err := rc.Open(ctx, rest.Call{Name: name, Method: http.MethodGet, Path: u.EscapedPath(), Query: u.Query()})
		re, ok := errors.AsType[*rest.Error](err)
		if !ok || re.Status < 300 || re.Status > 399 || re.Header.Get("Location") == "" {
			return body, err
		}
		next, err := u.Parse(re.Header.Get("Location"))
		if err != nil {
			return nil, re
		}
		raw = next.String()
	}
	return nil, &rest.Error{Call: name, Status: http.StatusNotFound, Written: true, Err: errors.New("too many redirects")}
}
