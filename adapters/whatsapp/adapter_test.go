package whatsapp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/whatsapp"
	"postern/gateway"
)

func newAdapter(t *testing.T, c *whatsapp.Config) *whatsapp.Adapter {
	t.Helper()
	a, err := whatsapp.New(*c, sandboxtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestCaps: what the configuration leaves out is not offered, and refused without any request.
func TestCaps(t *testing.T) {
	c := config(t, "https://graph.example")
	c.Typing, c.ReopenTemplate, c.ReopenVariables = false, "", nil
	bare := newAdapter(t, c)
	line := newAdapter(t, lined(t, "https://graph.example", numbers[3]))
	direct := gateway.ChatFacts{Kind: gateway.ChatDirect}
	if caps := bare.Caps(direct); caps.Has(gateway.FeatureTypingOut) || caps.TypingAfter || caps.Window == nil || caps.Window.Reopen || caps.Window.For != 24*time.Hour {
		t.Errorf("without typing and template: got %+v", caps)
	}
	if line.Caps(direct).Has(gateway.FeatureBlock) || !bare.Caps(direct).Has(gateway.FeatureBlock) {
		t.Error("block: want it where a number is one user's only")
	}
	account := gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "34600111222"}, Body: gateway.OpReopen{From: "Romeo"}}
	if _, err := bare.Send(t.Context(), account, op); gateway.ClassOf(err) != gateway.Unsupported {
		t.Errorf("OpReopen without a template: got %v, want class unsupported", err)
	}
	if err := line.Block(t.Context(), account, "34600111222", true); gateway.ClassOf(err) != gateway.Unsupported {
		t.Errorf("Block on a line: got %v, want class unsupported", err)
	}
	for name, secret := range map[string]string{"no token": `{}`, "no JSON": `x`} {
		_, err := line.Send(t.Context(), gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(secret)}, op)
		if gateway.ClassOf(err) != gateway.ReauthNeeded {
			t.Errorf("%s: got %v, want class reauth_needed", name, err)
		}
	}
	if on := newAdapter(t, config(t, "https://graph.example")); on.Caps(direct).Window.Reopen != true {
		t.Error("with a template: got no way to reopen")
	}
}

// TestNamedVariables: a template has its variables in order, or by name.
func TestNamedVariables(t *testing.T) {
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := new(bytes.Buffer)
		_, _ = buf.ReadFrom(r.Body)
		body = buf.Bytes()
		_, _ = w.Write([]byte(`{"messages":[{"id":"wamid.T"}]}`))
	}))
	defer server.Close()
	c := config(t, server.URL)
	c.ReopenLanguage, c.ReopenVariables = "pt_BR", []string{"sender={from}", "a = b"}
	op := gateway.Op{ID: "01JD4Q0MXY0000000000000000", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "34600111222"}, Body: gateway.OpReopen{From: "Romeo"}}
	sent, err := newAdapter(t, c).Send(t.Context(), gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}, op)
	if err != nil || !slices.Equal(sent.IDs, []gateway.MessageID{"wamid.T"}) {
		t.Fatalf("got %v, %v", sent.IDs, err)
	}
	want := `"parameters":[{"type":"text","parameter_name":"sender","text":"Romeo"},{"type":"text","text":"a = b"}]`
	if !strings.Contains(string(body), want) || !strings.Contains(string(body), `"language":{"code":"pt_BR"}`) {
		t.Errorf("got %s, want %s in it", body, want)
	}
}

// TestStanding: news of a business account concern the number of the address that they came to, or the operator's.
func TestStanding(t *testing.T) {
	c := lined(t, "https://graph.example", number{goldenNumber, goldenAccount, "", "", numbers[3].token})
	line, personal := newAdapter(t, c), newAdapter(t, config(t, "https://graph.example"))
	token := pathToken(t, goldenNumber)
	adaptertest.Goldens(t, "testdata/standing", func(t *testing.T, body []byte) (string, []byte) {
		events, err := line.Parse(gateway.Request{Body: body})
		addressed, err2 := personal.Parse(gateway.Request{Body: body, Query: map[string][]string{"token": {token}}})
		nobody, err3 := personal.Parse(gateway.Request{Body: body, Query: map[string][]string{"token": {goldenNumber + "-0"}}})
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, addressed); diff != "" {
			t.Errorf("by the configuration, and by the address:\n%s", diff)
		}
		if len(nobody) != 0 {
			t.Errorf("to an address that is none of ours: got %d events, want none", len(nobody))
		}
		raw, err := json.MarshalIndent(events, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return "events.json", raw
	})
}

func TestResolve(t *testing.T) {
	a := newAdapter(t, config(t, "https://graph.example"))
	account := gateway.Credentials{Endpoint: goldenNumber}
	for query, want := range map[string]gateway.ContactID{
		"+39 045 123-0001": "390451230001", " +390451230001 ": "390451230001", "ES.1349120": "ES.1349120", "US.ENT.88": "US.ENT.88",
		"390451230001": "", "@ana.r": "", "+0123456": "", "+1234567890123456": "", "": "", "es.1": "", "juliet@capulet.example": "",
	} {
		p, err := a.Resolve(t.Context(), account, query)
		if p.ID != want || (want == "") != errors.Is(err, gateway.ErrNoPerson) || p.Accepts != (want != "") {
			t.Errorf("%q: got %+v, %v; want %q", query, p, err, want)
		}
	}
	line := newAdapter(t, lined(t, "https://graph.example", numbers[3]))
	l, _ := line.Line()
	if _, err := line.Resolve(t.Context(), gateway.Credentials{Endpoint: l.Endpoint}, "+390451230001"); !errors.Is(err, gateway.ErrNoPerson) {
		t.Errorf("on a line: got %v, want %v", err, gateway.ErrNoPerson)
	}
}

func TestInviteURL(t *testing.T) {
	b := newSandbox(t)
	a := b.open(lined(t, b.URL, numbers[3]), adapters.Deps{HTTP: sandboxtest.Client(t)})
	l, _ := a.Line()
	account := gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}
	for token, want := range map[string]string{
		"":                           "https://wa.me/15550000004",
		"abcdefghij234567klmnopqrst": "https://wa.me/15550000004?text=Hello%21%20Please%20connect%20me.%20%28Just%20send%20this%20message%20as%20it%20is%3A%20invite-abcdefghij234567klmnopqrst%29",
	} {
		if got, err := a.InviteURL(t.Context(), account, token); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", token, got, err, want)
		}
	}
	for _, token := range []string{"short", "ABCDEFGHIJ234567KLMNOPQRST", "abcdefghij234567klmnopqrs&"} {
		if got, err := a.InviteURL(t.Context(), account, token); gateway.ClassOf(err) != gateway.Permanent || err == nil {
			t.Errorf("%q: got %q, %v; want class permanent", token, got, err)
		}
	}
}

// TestFetchOnlyFromTheList: the token goes to no host that is not on the list, however the API or a redirect names it.
func TestFetchOnlyFromTheList(t *testing.T) {
	stolen := 0
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer evil.Close()
	var address string
	expired := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v24.0/1300":
			fmt.Fprintf(w, `{"url":%q,"mime_type":"image/png","file_size":3,"sha256":"x"}`, address)
		case "/file":
			if expired > 0 {
				expired--
				http.NotFound(w, r)
				return
			}
			if r.Header.Get("Authorization") != "Bearer EAAx" || r.Header.Get("User-Agent") == "" {
				t.Error("a file was asked for without token or User-Agent")
			}
			_, _ = w.Write([]byte("png"))
		case "/away":
			http.Redirect(w, r, evil.URL+"/file", http.StatusFound)
		}
	}))
	defer api.Close()
	c := config(t, api.URL)
	c.MediaHosts = []string{".fbsbx.com", "cdn.example"}
	a := newAdapter(t, c)
	account := gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}
	fetch := func() error {
		body, m, err := a.Fetch(t.Context(), account, gateway.Media{Handle: "1300"})
		if err == nil {
			if m.MIME != "image/png" || m.Size != 3 {
				t.Errorf("got %+v", m)
			}
			_ = body.Close()
		}
		return err
	}
	for _, to := range []string{
		evil.URL + "/file", api.URL + "/away", "https://evilfbsbx.com/file", "https://fbsbx.com.evil.example/", "http://lookaside.fbsbx.com/x", "https://u@cdn.example/x",
		"/file", "", "file:///etc/passwd", "https://sub.cdn.example/",
	} {
		address = to
		if err := fetch(); err == nil {
			t.Errorf("%s: got a file, want an error", to)
		}
	}
	if stolen != 0 {
		t.Errorf("another host got %d requests", stolen)
	}
	address, expired = api.URL+"/file", 1
	if err := fetch(); err != nil {
		t.Errorf("an address that was over: got %v, want a second try", err)
	}
	expired = 2
	if err := fetch(); err == nil {
		t.Error("twice over: got a file")
	}
}
