package doctor

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// postern answers as http.public does.
func postern(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"type":"about:blank","title":"Not Found","status":404,"detail":"There is nothing at this address."}`))
}

// looked looks at a public URL that a handler answers, by https.
func looked(t *testing.T, h http.HandlerFunc, now func(*x509.Certificate) time.Time, runs bool) *visit {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	v := rig(t, "redis://127.0.0.1:1/0", "p:", srv.URL, Options{Roots: roots, Now: time.Now})
	if now != nil {
		v.o.Now = func() time.Time { return now(srv.Certificate()) }
	}
	if runs {
		v.gateway = &running{}
	}
	v.http(t.Context())
	return v
}

func TestPublic(t *testing.T) {
	other := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hello", http.StatusNotFound) }
	late := func(c *x509.Certificate) time.Time { return c.NotAfter.Add(-36 * time.Hour) }
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		now     func(*x509.Certificate) time.Time
		runs    bool
		level   Level
		text    string
	}{
		{"well", postern, nil, true, OK, "a Postern answers at https://127.0.0.1"},
		{"certificate", postern, nil, true, OK, "is good for"},
		{"somebody else", other, nil, true, Fault, "404 Not Found, which is no Postern's answer"},
		{"nobody yet", other, nil, false, Loss, "but no gateway runs either"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, nil, true, Fault, "302 Found"},
		{"ends soon", postern, late, true, Loss, "ends in 1 day(s)"},
		{"our clock", postern, late, true, Loss, "of this machine are"},
		{"their clock", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-10*time.Second).UTC().Format(http.TimeFormat))
			postern(w, r)
		}, nil, true, Loss, "of this machine are"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			looked(t, tt.handler, tt.now, tt.runs).want(t, tt.level, tt.text)
		})
	}
}

func TestPublicOutOfReach(t *testing.T) {
	v := rig(t, "redis://127.0.0.1:1/0", "p:", "http://127.0.0.1:1", Options{Now: time.Now})
	v.http(t.Context())
	v.want(t, Loss, "http.public_url is not https")
	v.want(t, Loss, "nobody answers at http://127.0.0.1:1 (connection refused), and no gateway runs")
	v.held = true
	v.http(t.Context())
	v.want(t, Fault, "cannot be reached from here (connection refused)")
}

// TestCertificates are what a platform would refuse.
func TestCertificates(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(postern))
	srv.TLS = overAt(t, time.Now().Add(-time.Hour))
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	v := rig(t, "redis://127.0.0.1:1/0", "p:", srv.URL, Options{Roots: roots, Now: time.Now})
	v.http(t.Context())
	v.want(t, Fault, "is over since")

	foreign := httptest.NewTLSServer(http.HandlerFunc(postern))
	defer foreign.Close()
	v = rig(t, "redis://127.0.0.1:1/0", "p:", foreign.URL, Options{Roots: roots, Now: time.Now})
	v.http(t.Context())
	v.want(t, Fault, "is not trusted here")
}

func TestAdmin(t *testing.T) {
	v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
	v.cfg.HTTP.Admin = ":8480"
	v.http(t.Context())
	v.want(t, Loss, "http.admin is at :8480, not on loopback")
	v.webhooks(v.parts.Instances[0])
	v.want(t, Loss, "http.public_url is not set")
	v.platform(t.Context(), v.parts.Instances[0])
	v.want(t, Fault, "could not be asked")
}

// TestRunning reads what a gateway that runs says of itself.
func TestRunning(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("store: no\nrunning: ok\n"))
			return
		}
		_, _ = w.Write([]byte("# HELP x\npostern_component_state{adapter=\"gatekeeper\",state=\"refused\"} 1\npostern_component_state{adapter=\"gatekeeper\",state=\"up\"} 0\n"))
	}))
	defer srv.Close()
	v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
	v.gateway = askRunning(t.Context(), srv.Listener.Addr().String())
	if v.gateway == nil {
		t.Fatal("got nobody")
	}
	v.http(t.Context())
	v.want(t, Fault, "is not ready (store: no; running: ok)")
	i := v.parts.Instances[0]
	for state, level := range map[string]Level{"refused": Fault, "up": OK, "standby": OK, "down": Fault} {
		v.gateway.states["gatekeeper"] = state
		j := v.join(t.Context(), i, "x") // calls nobody
		if j.level != level || j.how == "" {
			t.Errorf("%s: got %s %q, want %s", state, j.level, j.how, level)
		}
	}
	if askRunning(t.Context(), "127.0.0.1:1") != nil {
		t.Error("got a gateway where nobody is")
	}
}
