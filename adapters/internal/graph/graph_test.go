package graph_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

const (
	oldSecret = "0123456789abcdef0123456789abcdef"
	newSecret = "fedcba9876543210fedcba9876543210"
)

func secrets(t *testing.T, s ...string) *graph.Secrets {
	t.Helper()
	out, err := graph.NewSecrets(s...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVerify(t *testing.T) {
	body := []byte(`{"object":"page","t":"\u00e9\/"}`)
	good := graph.Sign(oldSecret, body)
	// openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
	if want := "sha256=0b574a3f402581fb563dd3c44b64a33848816a836bf7cf9c1c9bb8ed7b657717"; good != want {
		t.Fatalf("signature: got %q, want %q", good, want)
	}
	tests := []struct {
		name, given string
		secrets     []string
		body        []byte
		want        error
	}{
		{"good", good, []string{oldSecret}, body, nil},
		{"second secret during a rotation", good, []string{newSecret, oldSecret}, body, nil},
		{"upper case", "sha256=" + strings.ToUpper(good[7:]), []string{oldSecret}, body, nil},
		{"another secret", good, []string{newSecret}, body, graph.ErrSignature},
		{"written anew", good, []string{oldSecret}, []byte(`{"object":"page","t":"é/"}`), graph.ErrSignature},
		{"missing", "", []string{oldSecret}, body, graph.ErrMissing},
		{"without its scheme", good[7:], []string{oldSecret}, body, graph.ErrMalformed},
		{"sha1", "sha1=" + good[7:47], []string{oldSecret}, body, graph.ErrMalformed},
		{"cut", good[:len(good)-2], []string{oldSecret}, body, graph.ErrMalformed},
		{"longer", good + "00", []string{oldSecret}, body, graph.ErrMalformed},
		{"no hexadecimal", "sha256=" + strings.Repeat("g", 64), []string{oldSecret}, body, graph.ErrMalformed},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.given != "" {
			h.Set(graph.HeaderSignature, tt.given)
		}
		if err := secrets(t, tt.secrets...).Verify(h, tt.body); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := (&graph.Secrets{}).Verify(http.Header{graph.HeaderSignature: {graph.Sign("", body)}}, body); err == nil {
		t.Error("no secret at all: got accepted, want refused")
	}
	for _, bad := range [][]string{nil, {""}, {"hunter2"}} {
		if _, err := graph.NewSecrets(bad...); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewSecrets(%d): got %v, want an error that does not quote", len(bad), err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", secrets(t, oldSecret), secrets(t, oldSecret), secrets(t, oldSecret)); strings.Contains(s, oldSecret) {
		t.Error("a secret is printed")
	}
}

func TestChallenge(t *testing.T) {
	q := func(mode, challenge, token string) map[string][]string {
		return map[string][]string{"hub.mode": {mode}, "hub.challenge": {challenge}, "hub.verify_token": {token}}
	}
	tests := []struct {
		name  string
		query map[string][]string
		token string
		want  string
	}{
		{"good", q("subscribe", "1158201444", "vt"), "vt", "1158201444"},
		{"another token", q("subscribe", "1158201444", "vx"), "vt", ""},
		{"another mode", q("unsubscribe", "1158201444", "vt"), "vt", ""},
		{"no challenge", q("subscribe", "", "vt"), "vt", ""},
		{"no token is configured", q("subscribe", "1", ""), "", ""},
		{"two tokens", map[string][]string{"hub.mode": {"subscribe"}, "hub.challenge": {"1"}, "hub.verify_token": {"vt", "vt"}}, "vt", ""},
		{"none", nil, "vt", ""},
	}
	for _, tt := range tests {
		got, ok := graph.Challenge(tt.query, tt.token)
		if string(got) != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestEscape(t *testing.T) {
	in := `{"t":"é \"x\\/ 🌹 a/b"}`
	got := graph.Escape([]byte(in))
	if want := `{"t":"\u00e9 \"x\\\/ \ud83c\udf39 a\/b"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(in), &a), json.Unmarshal(got, &b)); err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("got %v (%v), want the same value: %v", b, err, a)
	}
}

// answer is a server that gives every request the same answer.
func answer(t *testing.T, status int, header http.Header, body string, see func(*http.Request)) *graph.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if see != nil {
			see(r)
		}
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	rc, err := rest.New(server.Client(), server.URL, 5*time.Second, "test")
	if err != nil {
		t.Fatal(err)
	}
	return graph.NewClient(rc, "v24.0", secrets(t, newSecret, oldSecret))
}

func TestSendError(t *testing.T) {
	fault := func(rest string) string {
		return `{"error":{"message":"to +39 045 hunter2","type":"OAuthException",` + rest + `}}`
	}
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		own    graph.Classes
		class  gateway.Class
		code   string
		after  time.Duration
	}{
		{"token", 401, nil, fault(`"code":190,"error_subcode":463`), nil, gateway.ReauthNeeded, "190", 0},
		{"cannot authenticate", 401, nil, fault(`"code":0`), nil, gateway.ReauthNeeded, "0", 0},
		{"permission", 403, nil, fault(`"code":230`), nil, gateway.ReauthNeeded, "230", 0},
		{"throttle as 400", 400, nil, fault(`"code":4`), nil, gateway.RateLimited, "4", 0},
		{"throttle, told how long", 400, http.Header{graph.HeaderBusinessUsage: {`{"1":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":3}]}`}}, fault(`"code":80007`), nil, gateway.RateLimited, "80007", 3 * time.Minute},
		{"Retry-After wins", 429, http.Header{"Retry-After": {"7"}, graph.HeaderBusinessUsage: {`{"1":[{"estimated_time_to_regain_access":3}]}`}}, fault(`"code":4`), nil, gateway.RateLimited, "4", 7 * time.Second},
		{"parameter", 400, nil, fault(`"code":100`), nil, gateway.Permanent, "100", 0},
		{"code as a string", 400, nil, fault(`"code":"100"`), nil, gateway.Permanent, "100", 0},
		{"temporary", 503, nil, fault(`"code":2`), nil, gateway.Uncertain, "2", 0},
		{"transient", 400, nil, fault(`"code":99999,"is_transient":true`), nil, gateway.Uncertain, "99999", 0},
		{"unknown code", 400, nil, fault(`"code":99999`), nil, gateway.Permanent, "99999", 0},
		{"unknown code, 500", 500, nil, fault(`"code":99999`), nil, gateway.Uncertain, "99999", 0},
		{"own code", 400, nil, fault(`"code":131047`), func(f graph.Fault) (gateway.Class, bool) { return gateway.WindowClosed, f.Code == 131047 }, gateway.WindowClosed, "131047", 0},
		{"own reading of a general code", 400, nil, fault(`"code":100`), func(f graph.Fault) (gateway.Class, bool) { return gateway.Unsupported, f.Code == 100 }, gateway.Unsupported, "100", 0},
		{"a proxy's page", 502, nil, "<html>hunter2</html>", nil, gateway.Uncertain, "", 0},
		{"a proxy's limit", 429, nil, "", nil, gateway.RateLimited, "", 0},
		{"a proxy's login", 401, nil, "", nil, gateway.Retryable, "", 0},
		{"too large", 413, nil, "", nil, gateway.Unsupported, "", 0},
		{"code that is none", 400, nil, `{"error":{"code":"hunter2"}}`, nil, gateway.Permanent, "", 0},
		{"no error object", 400, nil, `{"error":null}`, nil, gateway.Permanent, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := answer(t, tt.status, tt.header, tt.body, nil).Do(t.Context(), "EAAhunter2", rest.Call{Name: "send", Method: http.MethodPost, Path: "/1/messages", Body: 1}, nil)
			se := graph.SendError("whatsapp", err, tt.own)
			if se.Class != tt.class || se.Code != tt.code || se.RetryAfter != tt.after {
				t.Errorf("got %s, %q, %s; want %s, %q, %s", se.Class, se.Code, se.RetryAfter, tt.class, tt.code, tt.after)
			}
			if s := fmt.Sprintf("%v %+v %#v", se, se.Err, se.Err); strings.Contains(s, "hunter2") || strings.Contains(s, "+39") || !strings.Contains(s, "whatsapp: send") {
				t.Errorf("got %q, want the adapter's and the call's name and nothing of the answer", s)
			}
			want := tt.class
			if want == gateway.Uncertain {
				want = gateway.Retryable
			}
			if got := graph.ReadError("whatsapp", err, tt.own).Class; got != want {
				t.Errorf("of a call that changes nothing: got %s, want %s", got, want)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		header http.Header
		want   graph.Usage
	}{
		{http.Header{graph.HeaderAppUsage: {`{"call_count":28,"total_time":25,"total_cputime":81}`}}, graph.Usage{Percent: 81}},
		{http.Header{graph.HeaderPageUsage: {`{"call_count":12}`}, graph.HeaderBusinessUsage: {`{"9":[{"call_count":5},{"total_time":40,"estimated_time_to_regain_access":1}]}`}}, graph.Usage{Percent: 40, Regain: time.Minute}},
		{http.Header{graph.HeaderBusinessUsage: {`{"9":[{"call_count":1e300,"estimated_time_to_regain_access":1e300}]}`}}, graph.Usage{Percent: 1000, Regain: 24 * time.Hour}},
		{http.Header{graph.HeaderAppUsage: {`{"call_count":-5}`}}, graph.Usage{}},
		{http.Header{graph.HeaderAppUsage: {"soon"}, graph.HeaderBusinessUsage: {`[]`}}, graph.Usage{}},
		{nil, graph.Usage{}},
	}
	for _, tt := range tests {
		if got := graph.UsageOf(tt.header); got != tt.want {
			t.Errorf("%v: got %+v, want %+v", tt.header, got, tt.want)
		}
	}
}

func TestClient(t *testing.T) {
	var seen *http.Request
	c := answer(t, 200, nil, `{"access_token":"EAAnew","expires_in":5184000}`, func(r *http.Request) { seen = r })
	if _, err := c.Do(t.Context(), "EAAx", rest.Call{Name: "n", Method: http.MethodGet, Path: "/7/messages", Query: map[string][]string{"a": {"b"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if seen.URL.Path != "/v24.0/7/messages" || seen.Header.Get("Authorization") != "Bearer EAAx" || seen.URL.Query().Get("a") != "b" {
		t.Errorf("got %s by %q", seen.URL, seen.Header.Get("Authorization"))
	}
	if got, want := seen.URL.Query().Get("appsecret_proof"), secrets(t, newSecret).Proof("EAAx"); got != want || len(got) != 64 {
		t.Errorf("appsecret_proof: got %q, want %q", got, want)
	}
	token, err := c.Exchange(t.Context(), "42", "https://gw.example/link", "CODE")
	if err != nil || token.AccessToken != "EAAnew" || token.Life() != 60*24*time.Hour {
		t.Errorf("Exchange: got a token of %s and %v", token.Life(), err)
	}
	q := seen.URL.Query()
	if seen.URL.Path != "/v24.0/oauth/access_token" || q.Get("client_id") != "42" || q.Get("client_secret") != newSecret || q.Get("code") != "CODE" ||
		q.Get("redirect_uri") != "https://gw.example/link" || seen.Header.Get("Authorization") != "" {
		t.Errorf("Exchange: got %s", seen.URL)
	}
	if _, err := c.Prolong(t.Context(), "42", "EAAshort"); err != nil || seen.URL.Query().Get("grant_type") != "fb_exchange_token" || seen.URL.Query().Get("fb_exchange_token") != "EAAshort" {
		t.Errorf("Prolong: got %s, %v", seen.URL, err)
	}
	c = answer(t, 200, nil, `{}`, nil)
	if _, err := c.Exchange(t.Context(), "42", "", "CODE"); err == nil {
		t.Error("Exchange without a token in the answer: got success")
	}
	if s := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, newSecret) {
		t.Error("the client prints its secret")
	}
}

func TestInspect(t *testing.T) {
	var auth string
	c := answer(t, 200, nil, `{"data":{"app_id":"42","is_valid":true,"expires_at":0,"granular_scopes":[
		{"scope":"whatsapp_business_management","target_ids":["1","2"]},{"scope":"whatsapp_business_messaging","target_ids":["2"]},{"scope":"email"}]}}`,
		func(r *http.Request) { auth = r.Header.Get("Authorization") })
	g, err := c.Inspect(t.Context(), "42", "EAAx")
	if err != nil || !g.Valid || g.AppID != "42" || auth != "Bearer 42|"+newSecret {
		t.Errorf("got %+v, %v", g, err)
	}
	if got := g.Targets("whatsapp_business_management", "whatsapp_business_messaging"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("targets: got %v", got)
	}
	if got := g.Targets("pages_messaging"); got != nil {
		t.Errorf("targets of nothing: got %v", got)
	}
}

func TestUnix(t *testing.T) {
	for raw, want := range map[json.Number]int64{"1750030073": 1750030073000, "1750030073123": 1750030073123, "": 0, "0": 0, "-1": 0, "soon": 0, "99999999999999999999": 0, "999999999999999999": 0, "253402300800000": 0} {
		got := graph.Unix(raw)
		if want == 0 && !got.IsZero() || want != 0 && (got.UnixMilli() != want || got.Location() != time.UTC) {
			t.Errorf("%q: got %v, want %d", raw, got, want)
		}
	}
	for v, ok := range map[string]bool{"v24.0": true, "v9.0": true, "24.0": false, "v24": false, "v24.0/": false, "": false, "v0.1": false} {
		if err := graph.CheckVersion(v); (err == nil) != ok {
			t.Errorf("CheckVersion(%q): got %v", v, err)
		}
	}
	if got := graph.DialogURL(graph.DefaultDialog, "v24.0", map[string][]string{"state": {"a b"}}); got != "https://www.facebook.com/v24.0/dialog/oauth?state=a+b" {
		t.Errorf("DialogURL: got %s", got)
	}
}
