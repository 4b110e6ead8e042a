package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postern/adapters"
	"postern/adapters/gatekeeper"
	"postern/adapters/messenger"
	"postern/adapters/telegram"
	"postern/adapters/whatsapp"
)

// env is the environment of the tests.
func env(name string) (string, bool) {
	v, ok := map[string]string{"GATEKEEPER_SECRET": "from: the environment", "EMPTY": ""}[name]
	return v, ok
}

// valid is the smallest configuration; tests change one thing.
const valid = `server: {domain: example.org}
adapters:
  gatekeeper:
    type: gatekeeper
    jid: gatekeeper.example.org
    secret: s
    base_url: https://interop.example.com
    client_id: postern
    key_file: k.pem
    webhook_secret_file: w
`

// known lists the adapters that there are.
func known() string {
	var names []string
	for _, t := range adapters.All() {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name, yaml string
		want       []string // after "postern.yaml:"
	}{
		{"empty file", "", []string{
			" adapters: is missing: want at least one adapter",
			" server.domain: is missing: want a domain such as example.org",
		}},
		{"unknown key", "sever: {}\n" + valid, []string{`1:1: sever: unknown key (did you mean "server"?)`}},
		{"unknown nested key", valid + "http:\n  publik: ':1'\n", []string{`12:3: http.publik: unknown key (did you mean "public"?)`}},
		{"key like nothing", valid + "http:\n  zzzzzzzzz: 1\n", []string{`12:3: http.zzzzzzzzz: unknown key (known: admin, public, public_url, tls, trusted_proxies)`}},
		{"unknown key of an adapter", strings.Replace(valid, "client_id", "clientid", 1), []string{
			`3:3: adapters.gatekeeper.client_id: is missing`,
			`8:5: adapters.gatekeeper.clientid: unknown key (did you mean "client_id"?)`,
		}},
		{"key twice", valid + "log: {level: info}\nlog: {level: debug}\n", []string{`12:1: mapping key "log" already defined at [11:1]`}},
		{"number for text", valid + "state_dir: 5\n", []string{`11:12: state_dir: want text, got a number (put it in quotes)`}},
		{"text for number", valid + "delivery: {parallel: many}\n", []string{`11:22: delivery.parallel: want a whole number, got "many"`}},
		{"fraction for number", valid + "delivery: {parallel: 1.5}\n", []string{`11:22: delivery.parallel: want a whole number, got a number`}},
		{"number too large", valid + "delivery: {parallel: 99999999999999999999}\n", []string{`11:22: delivery.parallel: want a whole number, got "99999999999999999999"`}},
		{"text for bool", valid + "store: {memory: maybe}\n", []string{`11:17: store.memory: want true or false, got "maybe"`}},
		{"text for list", valid + "access: {domains: example.org}\n", []string{`11:19: access.domains: want a list, got text`}},
		{"list for section", valid + "log: [info]\n", []string{`11:6: log: want a section with keys of its own, got a list`}},
		{"text for section", valid + "log: info\n", []string{`11:6: log: want a section with keys of its own, got text`}},
		{"bad rate", valid + "    limits: {user: many}\n", []string{`11:20: adapters.gatekeeper.limits.user: want so many in a time from 1s to 744h, such as 120/1m or 50/24h, or off, got "many"`}},
		{"bad duration", valid + "delivery: {give_up: soon}\n", []string{`11:21: delivery.give_up: want a time such as 10s, 5m or 24h, got "soon"`}},
		{"number for duration", valid + "delivery: {give_up: 5}\n", []string{`11:21: delivery.give_up: want text, got a number (put it in quotes)`}},
		{"alias", "server: &s {domain: example.org}\n" + strings.Replace(valid, "server: {domain: example.org}\n", "", 1), []string{
			`1:1: server.domain: is missing: want a domain such as example.org`,
			`1:9: server: want a section with keys of its own, got an anchor or alias (write the value out)`,
		}},
		{"syntax", valid + "log: {level: info\n", []string{`11:6: could not find flow mapping end token '}'`}},
		{"two documents", valid + "---\nlog: {}\n", []string{`12:1: a second document: the configuration is one document`}},
		{"control character", valid + "log: {level: \"in\x00fo\"}\n", []string{`11:17: control character`}},
		{"not a mapping", "- a\n", []string{
			" adapters: is missing: want at least one adapter",
			" server.domain: is missing: want a domain such as example.org",
			`1:1: want a section with keys of its own, got a list`,
		}},
		{"missing variable", strings.Replace(valid, "secret: s", "secret: ${NO_SUCH_SECRET}", 1), []string{
			`6:13: adapters.gatekeeper.secret: the environment variable NO_SUCH_SECRET is not set`,
		}},
		{"two secrets", strings.Replace(valid, "secret: s", "secret: s\n    secret_file: f", 1), []string{`6:5: adapters.gatekeeper.secret: and secret_file are alternatives: remove one`}},
		{"no secret", strings.Replace(valid, "    secret: s\n", "", 1), []string{`3:3: adapters.gatekeeper.secret_file: is missing: it holds the secret of this component, as in the XMPP server's configuration`}},
		{"unknown type", strings.Replace(valid, "type: gatekeeper", "type: gatekeper", 1), []string{`4:5: adapters.gatekeeper.type: unknown type "gatekeper" (did you mean "gatekeeper"?)`}},
		{"no type", strings.Replace(valid, "    type: gatekeeper\n", "", 1), []string{`3:3: adapters.gatekeeper.type: is missing (known: ` + known() + `)`}},
		{"adapter's own mistake", strings.Replace(valid, "https://interop.example.com", "interop.example.com", 1), []string{
			`7:5: adapters.gatekeeper.base_url: want an absolute https:// or http:// URL without user, query and fragment`,
		}},
		{"bad name", strings.Replace(valid, "  gatekeeper:", "  Gate Keeper:", 1), []string{`3:3: adapters.Gate Keeper: a name has 1 to 40 of a-z, 0-9, - and _`}},
		{"jid is the server's", strings.Replace(valid, "jid: gatekeeper.example.org", "jid: example.org", 1), []string{
			`5:5: adapters.gatekeeper.jid: is the server's own domain: a component has a domain of its own, such as telegram.example.org`,
		}},
		{"jid is no domain", strings.Replace(valid, "jid: gatekeeper.example.org", "jid: me@example.org", 1), []string{
			`5:5: adapters.gatekeeper.jid: "me@example.org" is no domain: want one such as telegram.example.org`,
		}},
		{"redis and memory", valid + "store: {memory: true, redis: 'redis://h:1'}\n", []string{`11:9: store.memory: true and store.redis are alternatives: remove one`}},
		{"redis with another scheme", valid + "store: {redis: 'http://h:1'}\n", []string{
			`11:9: store.redis: want a URL that begins with redis://, redis+sentinel:// or redis+cluster://, or rediss the same way (or store.memory: true for trying out)`,
		}},
		{"listeners on one address", valid + "http: {public: ':1', admin: ':1'}\n", []string{
			`11:22: http.admin: must not be the address of http.public: whoever reaches it needs no password`,
		}},
		{"no port", valid + "server2: {}\nhttp: {public: localhost}\n", []string{
			`11:1: server2: unknown key (did you mean "server"?)`,
			`12:8: http.public: "localhost" is no address: want host:port`,
		}},
		{"public url with a path", valid + "http: {public_url: 'https://h/hooks'}\n", []string{`11:8: http.public_url: want an origin such as https://gateway.example.org`}},
		{"certificate without key", valid + "http: {tls: {cert_file: c.pem}}\n", []string{`11:8: http.tls: cert_file and key_file go together`}},
		{"bad proxy", valid + "http: {trusted_proxies: [10.0.0.0/8, nginx]}\n", []string{`11:38: http.trusted_proxies.1: "nginx" is no address or network, such as 10.0.0.0/8`}},
		{"media", valid + "media: {max: 10MB, max_store: 5, keep: 1s, parallel: 0, internal_hosts: ['https://up']}\n", []string{
			`11:14: media.max: want a size such as 64KiB, 100MiB or 10GiB, got "10MB"`,
			`11:20: media.max_store: got 5B, want 1KiB or more`,
			`11:34: media.keep: got 1s, want 1m or more`,
			`11:44: media.parallel: got 0, want 1 or more`,
			`11:74: media.internal_hosts.0: "https://up" is no host, such as upload.example.org or upload.example.org:5281`,
		}},
		{"operator without an address", valid + "operator: {abuse: call us, admin: nobody, status: 'https://status.example.org', support: help@example.org}\n", []string{
			`11:12: operator.abuse: "call us" is no URI and no e-mail address`,
			`11:28: operator.admin: "nobody" is no URI and no e-mail address`,
		}},
		{"operators who write", valid + "access: {admins: [anna, anna@evil.example, Anna@Example.org, anna@example.org/phone]}\n", []string{
			`11:19: access.admins.0: "anna" is no user's address, such as anna@example.org`,
			`11:25: access.admins.1: "anna@evil.example" is of a domain that is not served: nobody could answer for who writes`,
			`11:62: access.admins.3: "anna@example.org/phone" is no user's address, such as anna@example.org`,
		}},
		{"addresses of contacts", strings.Replace(valid, "secret: s", "secret: s\n    contact_jids: plain", 1), []string{
			`7:5: adapters.gatekeeper.contact_jids: got "plain", want opaque or readable`,
		}},
		{"a canary", strings.Replace(valid, "secret: s", "secret: s\n    canary: {user: nobody, to: x@other.example.org, every: 5s, within: 1m}", 1), []string{
			`7:14: adapters.gatekeeper.canary.user: "nobody" is no user's address, such as canary@example.org`,
			`7:28: adapters.gatekeeper.canary.to: "x@other.example.org" is no contact of this adapter: want a JID at gatekeeper.example.org, as the user's client shows it`,
			`7:53: adapters.gatekeeper.canary.every: got 5s, want 1m to 24h`,
			`7:64: adapters.gatekeeper.canary.within: got 1m0s, want 5s or more, and no more than adapters.gatekeeper.canary.every`,
		}},
		{"a canary of nobody", strings.Replace(valid, "secret: s", "secret: s\n    canary: {to: x@gatekeeper.example.org}", 1), []string{
			`7:5: adapters.gatekeeper.canary.user: is missing: want the JID of a registered user of your own, such as canary@example.org`,
		}},
		{"a canary of strangers", strings.Replace(valid, "secret: s", "secret: s\n    canary: {user: canary@example.com, to: x@gatekeeper.example.org}", 1), []string{
			`7:14: adapters.gatekeeper.canary.user: "canary@example.com" is of a domain that is not served: nobody of it can be registered`,
		}},
		{"windows and strangers", strings.Replace(valid, "secret: s", "secret: s\n    closed_window: shut\n    strangers: nobody", 1), []string{
			`7:5: adapters.gatekeeper.closed_window: got "shut", want hold, reopen or refuse`,
			`8:5: adapters.gatekeeper.strangers: "nobody" is no user's address, such as desk@example.org`,
		}},
		{"policy", valid + `policy:
  plans:
    basic: {message: 5/1h}
    Big Plan: {media: 500MB/24h}
  rules:
    - {user: romeo, refuse: ""}
    - {user: romeo@example.org, domain: example.org, adapter: gatekeper, plan: basik}
    - {plan: basic, refuse: no}
    - {usr: x}
  url: accounts
  timeout: 10s
  unreachable: maybe
`, []string{
			`13:13: policy.plans.basic.message: unknown key (did you mean "messages"?)`,
			`14:5: policy.plans.Big Plan: a name has 1 to 40 of a-z, 0-9, - and _`,
			`14:23: policy.plans.Big Plan.media: want a size in a time from 1s to 744h, such as 500MiB/24h, or off, got "500MB/24h"`,
			`16:8: policy.rules.0.user: "romeo" is no user's address, such as romeo@example.org`,
			`16:21: policy.rules.0.refuse: wants the text that the user is told`,
			`17:33: policy.rules.1.domain: and user are alternatives: remove one`,
			`17:54: policy.rules.1.adapter: there is no adapter "gatekeper" (did you mean "gatekeeper"?)`,
			`17:74: policy.rules.1.plan: there is no plan "basik" (did you mean "basic"?)`,
			`18:8: policy.rules.2.plan: and refuse are alternatives: remove one`,
			`19:8: policy.rules.3.usr: unknown key (did you mean "user"?)`,
			`20:3: policy.url: want an address such as https://accounts.example.org/postern`,
			`21:3: policy.timeout: got 10s, want 100ms to 3s`,
			`22:3: policy.unreachable: got "maybe", want last, refuse or allow`,
		}},
		{"paces and traces", valid + "delivery: {catch_up: {after: 5s, per_second: 0, user_per_second: 2000000}}\ntracing: {endpoint: \"127.0.0.1:4318\", sample: 2}\n", []string{
			`11:23: delivery.catch_up.after: got 5s, want 0s for no pace, or 1m or more`,
			`11:34: delivery.catch_up.per_second: got 0, want 1 to 1000000`,
			`11:49: delivery.catch_up.user_per_second: got 2000000, want 1 to 1000000`,
			`12:11: tracing.endpoint: want a URL such as http://127.0.0.1:4318/v1/traces`,
			`12:39: tracing.sample: got 2, want 0 to 1`,
		}},
		{"several at once", valid + "log: {level: loud}\ndelivery: {parallel: 0, send_timeout: 1m}\nfoo: 1\n", []string{
			`11:7: log.level: got "loud", want debug, info, warn or error`,
			`12:12: delivery.parallel: got 0, want 1 or more`,
			`12:25: delivery.send_timeout: got 1m0s, want more than 0s and less than 10s`,
			`13:1: foo: unknown key (known: access, adapters, delivery, http, log, media, operator, policy, server, state_dir, store, tracing)`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("postern.yaml", []byte(tt.yaml), env)
			var got []string
			for _, p := range problemsOf(err) {
				got = append(got, strings.TrimPrefix(p.Error(), "postern.yaml:"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryRedisIsTaken: what the store connects to may stand in the configuration.
func TestEveryRedisIsTaken(t *testing.T) {
	for _, url := range []string{
		"redis://h:1/0", "rediss://h:1/0", "redis+sentinel://h:1,h:2/mymaster/0", "rediss+sentinel://h:1/mymaster", "redis+cluster://h:1,h:2", "rediss+cluster://h:1",
	} {
		if _, err := Parse("postern.yaml", []byte(valid+"store: {redis: '"+url+"'}\n"), env); err != nil {
			t.Errorf("%s: got %v, want none", url, err)
		}
	}
}

func TestSecondJIDIsRefused(t *testing.T) {
	_, adapter, _ := strings.Cut(valid, "  gatekeeper:\n")
	_, err := Parse("postern.yaml", []byte(valid+"  other:\n"+adapter), env)
	want := "postern.yaml:13:5: adapters.other.jid: gatekeeper.example.org is the jid of adapters.gatekeeper: each adapter is a component of its own"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestValues(t *testing.T) {
	cfg, err := Parse("/etc/postern/postern.yaml", []byte(strings.NewReplacer("secret: s", "secret: ${GATEKEEPER_SECRET}").Replace(valid)+
		"state_dir: state\nhttp: {tls: {cert_file: /c.pem, key_file: k.pem}, public: }\nmedia: {dir: files, max: 50MiB}\naccess: {domains: [a.example, b.example]}\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	a := cfg.Adapters["gatekeeper"]
	own, ok := a.Own.(*gatekeeper.Config)
	if !ok {
		t.Fatalf("own configuration: got %T, want *gatekeeper.Config", a.Own)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"a secret from the environment", string(a.Secret), "from: the environment"},
		{"a printed secret", fmt.Sprintf("%v %#v", a.Secret, a.Secret), "(hidden) (hidden)"},
		{"a relative folder", cfg.StateDir, "/etc/postern/state"},
		{"an absolute file", cfg.HTTP.TLS.CertFile, "/c.pem"},
		{"a relative file", cfg.HTTP.TLS.KeyFile, "/etc/postern/k.pem"},
		{"an adapter's file", own.KeyFile, "/etc/postern/k.pem"},
		{"a relative folder of a section", cfg.Media.Dir, "/etc/postern/files"},
		{"a size", cfg.Media.Max.String(), "50MiB"},
		{"a key without a value", cfg.HTTP.Public, ":8443"},
		{"a list", strings.Join(cfg.Access.Domains, " "), "a.example b.example"},
		{"an adapter's default", own.Timeout.String(), "8s"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

// example is the configuration that shows everything.
func example(t testing.TB) (string, []byte) {
	t.Helper()
	file := filepath.Join("..", "..", "..", "deploy", "postern.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, raw
}

func TestExampleIsTheDefaults(t *testing.T) {
	file, raw := example(t)
	got, err := Parse(file, raw, env)
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Server.Domain = "example.org"
	own := gatekeeper.DefaultConfig()
	own.BaseURL, own.ClientID = "https://interop.example.com", "postern"
	own.KeyFile, own.WebhookSecretFile = "/etc/postern/gatekeeper.pem", "/etc/postern/gatekeeper.webhook"
	bots := telegram.DefaultConfig()
	bots.WebhookSecretFile = "/etc/postern/telegram.webhook"
	numbers := whatsapp.DefaultConfig()
	numbers.AppID, numbers.AppSecretFile, numbers.VerifyTokenFile = "123456789012345", "/etc/postern/whatsapp.app", "/etc/postern/whatsapp.verify"
	want.Adapters = map[string]Adapter{}
	pages, accounts := messenger.DefaultConfig(), messenger.DefaultInstagramConfig()
	pages.AppID, pages.AppSecretFile, pages.VerifyTokenFile = "123456789012345", "/etc/postern/messenger.app", "/etc/postern/messenger.verify"
	accounts.AppID, accounts.AppSecretFile, accounts.VerifyTokenFile = "123456789012346", "/etc/postern/instagram.app", "/etc/postern/instagram.verify"
	for name, own := range map[string]adapters.Config{"gatekeeper": own, "instagram": accounts, "messenger": pages, "telegram": bots, "whatsapp": numbers} {
		want.Adapters[name] = Adapter{Type: name, JID: name + ".example.org", SecretFile: "/etc/postern/" + name + ".secret", Limits: defaultLimits(), Canary: defaultCanary(), Own: own}
	}
	if diff := cmp.Diff(want, *got, cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("deploy/postern.yaml and the defaults (-defaults +example):\n%s", diff)
	}
}

func TestExampleShowsEveryKey(t *testing.T) {
	_, raw := example(t)
	shown := positions{file: "postern.yaml", keys: map[string]position{}}
	d := &decoder{at: shown, env: env}
	body, ok := d.document(raw)
	if !ok {
		t.Fatal(d.problems)
	}
	var cfg Config
	d.structure("", body, reflect.ValueOf(&cfg).Elem())
	var keys []string
	for path, v := range fieldsOf(reflect.ValueOf(&cfg).Elem()) {
		keys = append(keys, leaves(path, v)...)
	}
	for path, v := range fieldsOf(reflect.ValueOf(&Adapter{}).Elem()) {
		keys = append(keys, leaves("adapters.gatekeeper."+path, v)...)
	}
	for _, typ := range adapters.All() {
		for path, v := range fieldsOf(reflect.ValueOf(typ.Config()).Elem()) {
			keys = append(keys, leaves("adapters."+typ.Name+"."+path, v)...)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if _, ok := shown.keys[k]; !ok && k != "adapters.gatekeeper.secret" { // the alternative to secret_file, in a comment
			t.Errorf("%s is not in deploy/postern.yaml", k)
		}
	}
}

// leaves lists the paths below a field.
func leaves(path string, v reflect.Value) []string {
	if v.Kind() != reflect.Struct {
		return []string{path}
	}
	var out []string
	for k, f := range fieldsOf(v) {
		out = append(out, leaves(path+"."+k, f)...)
	}
	return out
}

// FuzzConfig looks for a file that makes Parse panic, or that it refuses without saying why.
func FuzzConfig(f *testing.F) {
	_, raw := example(f)
	f.Add(raw)
	for _, s := range []string{valid, small, "", "a: [", "? {a: b}\n: c", "<<: *x", "!!binary x", "a: |\n  b", "{}", "- - -", "a: ${", "\"\\u0000\": 1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		cfg, err := Parse("postern.yaml", raw, env)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("got config %v and error %v, want exactly one", cfg != nil, err)
		}
		var problems Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0 || strings.TrimSpace(problems[0].Text) == "") {
			t.Errorf("got error %q, want problems with a text", err)
		}
	})
}

// TestOperatorAddresses: users get addresses that a client can open (XEP-0157 §3), whatever the file says.
func TestOperatorAddresses(t *testing.T) {
	cfg, err := Parse("postern.yaml", []byte(valid+"operator: {name: Example, abuse: abuse@example.org, admin: 'xmpp:admin@example.org', status: 'https://status.example.org/'}\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"abuse": {"mailto:abuse@example.org"}, "admin": {"xmpp:admin@example.org"}, "status": {"https://status.example.org/"}}
	if diff := cmp.Diff(want, cfg.Operator.contacts()); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if got, want := cfg.Operator.String(), "Example, abuse@example.org"; got != want {
		t.Errorf("in the disclosure: got %q, want %q", got, want)
	}
}
