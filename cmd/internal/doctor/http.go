package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"postern/gateway"
)

const (
	groupHTTP = "HTTP"
	// publicTimeout bounds the way to http.public_url and back.
	publicTimeout = 10 * time.Second
	// renewWithin is when a certificate should have been renewed: Let's Encrypt's are after two of their three months.
	renewWithin = 14 * 24 * time.Hour
)

// http looks at both listeners from outside.
func (v *visit) http(ctx context.Context) {
	v.admin()
	if v.cfg.HTTP.PublicURL != "" {
		v.public(ctx)
	}
}

func (v *visit) admin() {
	if g := v.gateway; g != nil && g.ready != "" {
		v.found(groupHTTP, Fault, "the gateway that runs is not ready (%s)", g.ready).lost("webhooks may be refused").mend("look into its log")
	} else if g != nil {
		v.found(groupHTTP, OK, "a gateway runs here, and is ready")
	}
	if host, _, err := net.SplitHostPort(v.cfg.HTTP.Admin); err == nil && !loopback(host) {
		v.found(groupHTTP, Loss, "http.admin is at %s, not on loopback", v.cfg.HTTP.Admin).
			lost("who reaches it reads the metrics without a password, and may try tokens").mend("bind it to 127.0.0.1, or keep others out by a firewall")
	}
}

// public calls http.public_url as a platform does.
func (v *visit) public(ctx context.Context) {
	origin := strings.TrimSuffix(v.cfg.HTTP.PublicURL, "/")
	if !strings.HasPrefix(origin, "https://") {
		v.found(groupHTTP, Loss, "http.public_url is not https").lost("most platforms send webhooks to https alone, and files that no upload service takes are not shown").
			mend("put a certificate before http.public: http.tls, or a proxy")
	}
	ctx, cancel := context.WithTimeout(ctx, publicTimeout)
	defer cancel()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: v.o.Roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	began := v.o.Now()
	resp, err := get(ctx, client, origin+v.somePath())
	if err != nil {
		v.unreached(origin, err)
		return
	}
	defer resp.Body.Close()
	v.certificate(origin, resp.TLS)
	v.date(origin, resp.Header.Get("Date"), began, v.o.Now())
	switch {
	case ours(resp):
		v.found(groupHTTP, OK, "a Postern answers at %s", origin)
	case v.gateway == nil && !v.held:
		v.found(groupHTTP, Loss, "%s answers %s, which is no Postern's answer, but no gateway runs either", origin, resp.Status).
			lost("whether webhooks would arrive is not known").mend("run postern doctor once more while the gateway runs")
	default:
		v.found(groupHTTP, Fault, "%s answers %s, which is no Postern's answer", origin, resp.Status).lost("webhooks do not arrive: nothing that people write gets here").
			mend("let the proxy pass /hooks/, /.well-known/, /m/ and /link/ on to http.public")
	}
}

// somePath is one that only a Postern answers as it does. A webhook that is only looked at is logged nowhere.
func (v *visit) somePath() string {
	for _, i := range v.parts.Instances {
		if _, ok := i.Adapter.(gateway.Webhook); ok {
			return "/hooks/" + string(i.ID)
		}
	}
	return "/hooks/"
}

// unreached says why nobody answered.
func (v *visit) unreached(origin string, err error) {
	const lost = "webhooks do not arrive: nothing that people write gets here"
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		v.found(groupHTTP, Fault, "the certificate of %s is over since %s, or not valid yet", origin, invalid.Cert.NotAfter.Format(time.DateOnly)).lost(lost).
			mend("renew it, and look at the clock of this machine")
		return
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		v.found(groupHTTP, Fault, "the certificate of %s is not trusted here (%v)", origin, bad.Err).lost(lost).
			mend("use one of a public authority, with all intermediate certificates, for this very name")
		return
	}
	if v.gateway == nil && !v.held {
		v.found(groupHTTP, Loss, "nobody answers at %s (%v), and no gateway runs", origin, cause(err)).lost("whether webhooks would arrive is not known").
			mend("run postern doctor once more while the gateway runs")
		return
	}
	v.found(groupHTTP, Fault, "%s cannot be reached from here (%v)", origin, cause(err)).lost(lost).
		mend("look at DNS, the firewall and the proxy; from inside of some networks an own public address is out of reach, while platforms reach it")
}

// certificate says how long it lasts.
func (v *visit) certificate(origin string, state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	left := state.PeerCertificates[0].NotAfter.Sub(v.o.Now())
	days := int(left / (24 * time.Hour))
	if left < renewWithin {
		v.found(groupHTTP, Loss, "the certificate of %s ends in %d day(s)", origin, days).lost("after that no webhook arrives").mend("look why it was not renewed")
		return
	}
	v.found(groupHTTP, OK, "the certificate of %s is good for %d days", origin, days)
}

// date holds the other side's clock, which counts whole seconds, against ours.
func (v *visit) date(origin, header string, began, ended time.Time) {
	theirs, err := http.ParseTime(header)
	if err != nil {
		return
	}
	apart := max(began.Sub(theirs.Add(time.Second)), theirs.Sub(ended))
	if apart > clockSlack {
		v.found(groupHTTP, Loss, "the clocks of %s and of this machine are %s apart", origin, apart.Round(time.Second)).lost(clocksLost).mend(clocksDo)
	}
}

// ours recognises a Postern by how it refuses what is no webhook (RFC 9457).
func ours(resp *http.Response) bool {
	var p struct{ Type, Detail string }
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return err == nil && resp.StatusCode == http.StatusNotFound && resp.Header.Get("Content-Type") == "application/problem+json" &&
		json.Unmarshal(raw, &p) == nil && p.Type == "about:blank" && p.Detail != ""
}
