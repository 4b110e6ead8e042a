package media

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"postern/gateway"
)

// guard decides which addresses are ever called. A user of ours writes the URL, so whatever it names must be reachable by
// that user anyway: nothing private, nothing on this machine, unless the operator has listed the host.
type guard struct {
	internal map[string]bool // host:port
	public   func(netip.Addr) bool
}

func newGuard(internal []string) guard {
	g := guard{internal: map[string]bool{}, public: public}
	for _, h := range internal {
		if host, port, err := net.SplitHostPort(h); err == nil {
			g.internal[key(host, port)] = true
			continue
		}
		h = strings.Trim(h, "[]")
		g.internal[key(h, "443")], g.internal[key(h, "80")] = true, true
	}
	return g
}

func key(host, port string) string {
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(host), "."), port)
}

const maxURL = 4096 // bytes; no upload service makes longer ones

// parse returns the URL if it may be asked for at all. What its name resolves to is looked at when it is dialled.
func (g guard) parse(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, because(gateway.FileForbidden, "address too long")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, because(gateway.FileForbidden, "malformed address")
	}
	return u, g.check(u)
}

func (g guard) check(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	trusted := g.internal[key(host, port)]
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Scheme == "aesgcm":
		// XEP-0454: the key is in the fragment and has no business here.
		return because(gateway.FileForbidden, "encrypted file")
	case u.Scheme != "https" && (u.Scheme != "http" || !trusted):
		return because(gateway.FileForbidden, "scheme is not https")
	case u.User != nil || u.Opaque != "" || host == "":
		return because(gateway.FileForbidden, "malformed address")
	case trusted:
		return nil
	case err != nil || n != 443 && n < 1024:
		return because(gateway.FileForbidden, "port %s", port)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if !g.public(a) {
			return because(gateway.FileForbidden, "private address")
		}
		return nil
	}
	// 2130706433, 0x7f.1 and 127.1 are 127.0.0.1 to some resolvers: a name never ends in a number (WHATWG URL, host parsing).
	if last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]; last[0] >= '0' && last[0] <= '9' {
		return because(gateway.FileForbidden, "malformed host")
	}
	return nil
}

// redirected looks at where a redirect leads, as if a user had written it (RFC 9110 §15.4).
func (g guard) redirected(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return because(gateway.FileForbidden, "more than %d redirects", maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return because(gateway.FileForbidden, "redirect away from https")
	}
	next.Header = headers() // nothing of the earlier request, such as where it went
	return g.check(next.URL)
}

const maxRedirects = 3

// headers are all that a request for a file says. Content codings are refused, since what they unpack to has no limit.
func headers() http.Header {
	return http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "User-Agent": {"Postern"}}
}

// clients returns the one for fetching and the one for uploading. They share what they may dial; uploads follow no redirect.
func (g guard) clients(cfg Config) (get, put *http.Client) {
	t := &http.Transport{
		DialContext:            g.dialer(cfg),
		TLSClientConfig:        &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    cfg.Timeout,
		ResponseHeaderTimeout:  cfg.Timeout,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        bufferSize,
	}
	get = &http.Client{Transport: t, CheckRedirect: g.redirected}
	put = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return get, put
}

// dialer checks the very address that is dialled, after the name was resolved for the last time: a name that resolves to
// another address a moment later gains nothing.
func (g guard) dialer(cfg Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, because(gateway.FileForbidden, "malformed address")
		}
		d := net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.resolver}
		if !g.internal[key(host, port)] {
			d.Control = func(_, address string, _ syscall.RawConn) error {
				a, err := netip.ParseAddrPort(address)
				if err != nil || !g.public(a.Addr()) {
					return because(gateway.FileForbidden, "private address")
				}
				return nil
			}
		}
		return d.DialContext(ctx, network, addr)
	}
}

// refused are the IPv4 ranges that are nobody's on the public internet (IANA IPv4 Special-Purpose Address Registry, RFC 6890).
var refused = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// Of IPv6 only global unicast passes, without what is special in it: 2001::/23 with Teredo, 6to4, documentation (RFC 6890).
var (
	global   = netip.MustParsePrefix("2000::/3")
	refused6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	nat64    = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 §2.1: the last 32 bits are an IPv4 address
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = netip.MustParsePrefix(p)
	}
	return out
}

// public says whether an address is one that anybody on the internet could call.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	if a = a.Unmap(); a.Is4() {
		return !within(a, refused)
	}
	if nat64.Contains(a) {
		raw := a.As16()
		return !within(netip.AddrFrom4([4]byte(raw[12:])), refused)
	}
	return global.Contains(a) && !within(a, refused6)
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
