package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"postern/cmd/internal/app"
	"postern/gateway"
)

// Options are for tests; the zero value looks at the world as it is.
type Options struct {
	// Roots are the certificate authorities that http.public_url is judged by; nil is those of the system.
	Roots *x509.CertPool
	// Now is the clock of this machine; nil is the real one.
	Now func() time.Time
}

// visit is one look at everything.
type visit struct {
	cfg   *app.Config
	o     Options
	parts app.Parts
	// store is nil when it could not be opened, and in memory.
	store gateway.Store
	// gateway is what the one that runs says of itself; nil when none answers at http.admin.
	gateway *running
	// held: some component is another process's, so that a gateway runs somewhere.
	held     bool
	findings []Finding
}

// Examine looks at everything that a configuration names. It changes nothing but short-lived keys in Redis, and joins the XMPP
// server for moments as components that nobody is.
func Examine(ctx context.Context, cfg *app.Config, o Options) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	client := app.Client()
	defer client.CloseIdleConnections()
	v := &visit{cfg: cfg, o: o, parts: app.OpenParts(cfg, client)}
	v.files()
	v.redis(ctx)
	if v.store != nil {
		defer func() { _ = v.store.Close() }() // the visit is over either way
	}
	v.gateway = askRunning(ctx, cfg.HTTP.Admin)
	joined := v.server(ctx)
	v.http(ctx)
	for n, i := range v.parts.Instances {
		v.granted(i, joined[n])
		v.webhooks(i)
		v.platform(ctx, i)
	}
	return v.findings
}

func (v *visit) found(group string, level Level, text string, args ...any) *Finding {
	v.findings = append(v.findings, Finding{Group: group, Level: level, Text: fmt.Sprintf(text, args...)})
	return &v.findings[len(v.findings)-1]
}

// lost completes a finding.
func (f *Finding) lost(what string) *Finding {
	f.Lost = what
	return f
}

// mend completes a finding with what to do.
func (f *Finding) mend(do string, lines ...string) *Finding {
	f.Do, f.Lines = do, lines
	return f
}

// get asks over HTTP, without following redirects.
func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}
