package media

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"postern/gateway"
	"postern/xmpp/conformance"
)

func TestPublic(t *testing.T) {
	tests := map[string]bool{
		"1.1.1.1": true, "93.184.216.34": true, "172.15.255.255": true, "172.32.0.1": true, "100.63.0.1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false,
		"192.0.0.8": false, "192.0.2.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false,
		"224.0.0.1": false, "239.255.255.250": false, "240.0.0.1": false, "255.255.255.255": false,
		"2606:4700:4700::1111": true, "2a00:1450:4001:81c::200e": true,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12:3456::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, "::7f00:1": false, "::1.1.1.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::1.1.1.1": true, "64:ff9b:1::1.1.1.1": false,
		"2002:7f00:1::1": false, "2002:101:101::1": false, "2001:0:53aa:64c::1": false, "2001:db8::1": false, "3fff::1": false,
		"fec0::1": false, "5f00::1": false, "100::1": false,
	}
	for raw, want := range tests {
		if got := public(netip.MustParseAddr(raw)); got != want {
			t.Errorf("%s: got public %v, want %v", raw, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address: got public")
	}
}

func TestAddressesOfFiles(t *testing.T) {
	g := newGuard([]string{"upload.example.org", "files.example.org:5281", "[::1]:5281"})
	tests := []struct {
		url string
		ok  bool
	}{
		{"https://up.example.net/a.jpg", true},
		{"https://up.example.net:443/a.jpg", true},
		{"https://up.example.net:5443/a.jpg", true},
		{"https://1.1.1.1/a.jpg", true},
		{"https://[2606:4700:4700::1111]/a.jpg", true},
		{"http://upload.example.org/a.jpg", true},
		{"http://UPLOAD.example.org./a.jpg", true},
		{"http://files.example.org:5281/a.jpg", true},
		{"https://[::1]:5281/a.jpg", true},
		{"http://up.example.net/a.jpg", false},
		{"http://upload.example.org:6379/a.jpg", false},
		{"http://files.example.org/a.jpg", false},
		{"https://up.example.net:22/a.jpg", false},
		{"https://up.example.net:0/a.jpg", false},
		{"https://up.example.net:99999/a.jpg", false},
		{"https://user:secret@up.example.net/a.jpg", false},
		{"https://user@upload.example.org/a.jpg", false},
		{"https:up.example.net/a.jpg", false},
		{"https:///a.jpg", false},
		{"//up.example.net/a.jpg", false},
		{"", false},
		{"file:///etc/passwd", false},
		{"ftp://up.example.net/a.jpg", false},
		{"gopher://up.example.net/", false},
		{"data:text/plain,x", false},
		{"aesgcm://up.example.net/a.jpg#00", false},
		{"https://up.example.net/a.jpg\r\nHost: x", false},
		{"https://" + strings.Repeat("a", maxURL), false},
	}
	for _, tt := range tests {
		if _, err := g.parse(tt.url); (err == nil) != tt.ok {
			t.Errorf("%.60q: got %v, want allowed %v", tt.url, err, tt.ok)
		}
	}
}

// names is a DNS server on loopback. It answers A questions by n, the how manieth question of that name this is, from 0.
func names(t *testing.T, answer func(name string, n int) netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	wg.Go(func() {
		seen, buf := map[string]int{}, make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(buf[:n]); err != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if name := strings.TrimSuffix(q.Name.String(), "."); q.Type == dnsmessage.TypeA {
				if a := answer(name, seen[name]); a.IsValid() {
					m.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0},
						Body:   &dnsmessage.AResource{A: a.As4()},
					}}
				} else {
					m.RCode = dnsmessage.RCodeNameError
				}
				seen[name]++
			}
			if raw, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(raw, from)
			}
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestForgedAddresses: whatever a user writes, nobody on this machine or in its network is called.
func TestForgedAddresses(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 68)
	var called atomic.Int32
	victim := serve(t, func(http.ResponseWriter, *http.Request) { called.Add(1) })
	_, port, err := net.SplitHostPort(hostOf(t, victim))
	if err != nil {
		t.Fatal(err)
	}
	loop := netip.MustParseAddr("127.0.0.1")
	r := names(t, func(name string, n int) netip.Addr {
		switch {
		case strings.HasPrefix(name, "rebind"):
			if n%2 == 0 {
				return netip.MustParseAddr("10.1.2.3")
			}
			return loop
		case strings.HasPrefix(name, "metadata"):
			return netip.MustParseAddr("169.254.169.254")
		case strings.HasPrefix(name, "nobody"):
			return netip.Addr{}
		}
		return loop
	})
	f := open(t, Config{resolver: r}, nil)
	f.cfg.Roots.AddCert(victim.Certificate())
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.0.0.1.", "0.0.0.0", "0",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[fe80::1%25lo]",
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fd00::1]", "100.64.0.1", "%31%32%37.0.0.1", "１２７.0.0.1",
		"localhost", "LOCALHOST.", "loop.example.net", "metadata.example.net", "rebind.example.net", "rebind.example.net.",
	} {
		_, err := f.Fetch(t.Context(), gateway.Media{Handle: "https://" + host + ":" + port + "/a.jpg"}, 0)
		fe, ok := err.(*gateway.FileError) //nolint:errorlint // the contract says: a FileError, not one inside of another
		p.That(ok && fe.Reason == gateway.FileForbidden, "%s: got %v, want it forbidden", host, err)
	}
	_, err = f.Fetch(t.Context(), gateway.Media{Handle: "https://nobody.example.net/a.jpg"}, 0)
	wantReason(t, f, err, gateway.FileGone)
	p.That(called.Load() == 0, "the server on loopback was called %d times", called.Load())
}

// TestRebinding: the answer that was looked at is the one that is dialled, whatever the name resolves to a moment later.
// 127.0.0.2 stands for an address of the internet, 127.0.0.1 for one that must not be called.
func TestRebinding(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 68)
	var called, asked atomic.Int32
	victim := serve(t, func(http.ResponseWriter, *http.Request) { called.Add(1) })
	_, port, err := net.SplitHostPort(hostOf(t, victim))
	if err != nil {
		t.Fatal(err)
	}
	open2, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fine")) }))
	_ = srv.Listener.Close()
	srv.Listener = open2
	srv.StartTLS()
	t.Cleanup(srv.Close)

	r := names(t, func(_ string, n int) netip.Addr {
		asked.Add(1)
		return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 - n%2)})
	})
	f := open(t, Config{resolver: r}, nil)
	f.cfg.Roots.AddCert(victim.Certificate())
	f.guard.public = func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.2") }
	f.getter, f.putter = f.guard.clients(f.cfg)
	for n := range int32(6) {
		got, err := f.Fetch(t.Context(), gateway.Media{Handle: "https://flip.example.com:" + port + "/a.txt"}, 0)
		if n%2 == 0 {
			p.Must(err == nil, "the allowed address: %v", err)
			p.That(string(read(t, got)) == "fine", "the allowed address served something else")
			_ = got.Close()
		} else {
			wantReason(t, f, err, gateway.FileForbidden)
		}
		p.That(asked.Load() == n+1, "asked for the address %d times in %d fetches: what was checked may not be what was dialled", asked.Load(), n+1)
	}
	p.That(called.Load() == 0, "the server on loopback was called")
}

func TestRedirects(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 68)
	var called atomic.Int32
	victim := serve(t, func(http.ResponseWriter, *http.Request) { called.Add(1) })
	plain := "http://" + hostOf(t, victim)
	var referred atomic.Bool
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Referer() != "" || r.Header.Get("Cookie") != "" {
			referred.Store(true)
		}
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/hops/%d", &n); err == nil {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			if n == 0 {
				_, _ = w.Write([]byte("here"))
				return
			}
			http.Redirect(w, r, fmt.Sprintf("/hops/%d", n-1), http.StatusFound)
			return
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	front := srv.URL
	f := open(t, Config{}, nil, srv)
	f.cfg.Roots.AddCert(victim.Certificate())
	for _, to := range []string{
		victim.URL + "/a.jpg", plain, "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "file:///etc/passwd",
		"gopher://127.0.0.1/", "http://example.org/", "https://user:pw@example.org/", "https://localhost/", "aesgcm://example.org/#00",
		strings.Replace(front, "https://", "http://", 1) + "/hops/0", front + "/hops/3",
	} {
		_, err := f.Fetch(t.Context(), gateway.Media{Handle: front + "/?to=" + strings.ReplaceAll(to, "#", "%23")}, 0)
		fe, ok := err.(*gateway.FileError) //nolint:errorlint // as above
		p.That(ok && fe.Reason == gateway.FileForbidden, "redirect to %s: got %v, want it forbidden", to, err)
	}
	p.That(called.Load() == 0, "the server behind the redirect was called")
	got, err := f.Fetch(t.Context(), gateway.Media{Handle: front + "/hops/3"}, 0)
	if err != nil {
		t.Fatalf("three redirects: %v", err)
	}
	if string(read(t, got)) != "here" {
		t.Error("three redirects: got another file")
	}
	_ = got.Close()
	_, err = f.Fetch(t.Context(), gateway.Media{Handle: front + "/hops/4"}, 0)
	wantReason(t, f, err, gateway.FileForbidden)
	if referred.Load() {
		t.Error("a redirect carried headers along")
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://up.example.net/a", "https://127.1/", "https://[::ffff:7f00:1]:5443/", "https://a../", "https://0x7f.1", "aesgcm://a/#0", "http://in.example:80/"} {
		f.Add(s)
	}
	g := newGuard([]string{"in.example"})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.parse(raw)
		if err != nil {
			return
		}
		if in := strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), "in.example"); u.Scheme != "https" && (u.Scheme != "http" || !in) {
			t.Errorf("%q: got scheme %q let through", raw, u.Scheme)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !public(a) {
			t.Errorf("%q: got a private address let through", raw)
		}
		if u.User != nil || u.Host == "" {
			t.Errorf("%q: got %q let through", raw, u.Host)
		}
	})
}
