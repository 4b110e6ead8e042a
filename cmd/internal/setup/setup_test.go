package setup

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/adapters"
	"postern/cmd/internal/app"
)

// sample is what an operator of one type answers, and what the platform gives out for the files that are left empty.
type sample struct {
	least, most adapters.Answers
	fetched     map[string]string // by the end of the file's name
}

const (
	appSecret = "0123456789abcdef0123456789abcdef"
	metaToken = "EAAG0123456789abcdefghijklmnop"
)

// samples has every type.
var samples = map[string]sample{
	"gatekeeper": {most: adapters.Answers{
		"base_url": "https://interop.example.com", "client_id": "us", "terms_url": "https://interop.example.com/terms", "terms_version": "2",
	}},
	"instagram": {
		least:   adapters.Answers{},
		most:    adapters.Answers{"login": "facebook", "app_id": "123456789012346", "instagram_id": "17841400000000001", "page_id": "102030405060708", "username": "verona"},
		fetched: map[string]string{"app": appSecret, "token": metaToken},
	},
	"messenger": {
		least:   adapters.Answers{},
		most:    adapters.Answers{"app_id": "123456789012345", "page_id": "102030405060708", "username": "verona"},
		fetched: map[string]string{"app": appSecret, "token": metaToken},
	},
	"telegram": {
		least:   adapters.Answers{},
		most:    adapters.Answers{"receive": "webhook", "bot_name": "verona_bot"},
		fetched: map[string]string{"token": "7000000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"},
	},
	"whatsapp": {
		least:   adapters.Answers{"app_id": "123456789012345"},
		most:    adapters.Answers{"app_id": "123456789012345", "phone_number_id": "109876543210987", "account_id": "102030405060708", "phone_number": "15550001111"},
		fetched: map[string]string{"app": appSecret, "token": metaToken},
	},
}

// TestEveryType: what is written for a type passes check once the operator has put in what the platform gives out.
func TestEveryType(t *testing.T) {
	for _, typ := range adapters.All() {
		s, ok := samples[typ.Name]
		if !ok {
			t.Errorf("%s: has no sample here", typ.Name)
		}
		for name, own := range map[string]adapters.Answers{"least": s.least, "most": s.most} {
			t.Run(typ.Name+"/"+name, func(t *testing.T) {
				a := Answers{Domain: "example.org", Adapter: typ.Name, Own: own, Dir: t.TempDir()}
				if err := a.Fill(); err != nil {
					t.Fatal(err)
				}
				r, err := Write(a, false)
				if err != nil {
					t.Fatal(err)
				}
				cfg, err := app.Load(r.Config)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := len(app.CheckFiles(cfg)) == 0, len(r.Fetch()) == 0; got != want {
					t.Errorf("passes check before secrets are filled in: got %v, want %v: %v", got, want, app.CheckFiles(cfg))
				}
				for _, f := range r.Fetch() {
					text := s.fetched[strings.TrimPrefix(filepath.Ext(f.Path), ".")]
					if err := os.WriteFile(f.Path, []byte(text+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if problems := app.CheckFiles(cfg); len(problems) > 0 {
					t.Errorf("with all secrets: %v", problems)
				}
				if again, err := Write(a, true); err != nil || len(again.Fetch()) > 0 {
					t.Errorf("a second time: got %v and %v, want that nothing is missing", again.Fetch(), err)
				}
			})
		}
	}
}

// TestGuides: what an adapter says of its setup agrees with its example and with the operator's page.
func TestGuides(t *testing.T) {
	for _, typ := range adapters.All() {
		g := typ.Setup()
		above, _, ok := strings.Cut(g.Example, adapters.SetupLine)
		if !ok {
			t.Errorf("%s: the example has no line", typ.Name)
		}
		shown := map[string]string{}
		for _, line := range g.Lines() {
			shown[line.Key] = line.Value
			if line.Comment == "" {
				t.Errorf("%s: the example does not explain %s", typ.Name, line.Key)
			}
			if _, ok := g.Key(line.Key); !ok && strings.Contains(above, "    "+line.Key+":") {
				t.Errorf("%s: %s has no default, and a first configuration does not have it", typ.Name, line.Key)
			}
		}
		for _, k := range g.Keys {
			value, ok := shown[k.Name]
			switch {
			case !ok:
				t.Errorf("%s: %s is not in the example", typ.Name, k.Name)
			case (k.Ask == "") == (k.File == ""):
				t.Errorf("%s: %s: want a question or a file", typ.Name, k.Name)
			case k.File == "":
			case value != `""` && path.Base(value) != typ.Name+"."+k.File:
				t.Errorf("%s: %s is %s in the example, want %s.%s", typ.Name, k.Name, value, typ.Name, k.File)
			case (k.Make == nil) == (k.Fetch == ""):
				t.Errorf("%s: %s: want a secret that is made, or one that is fetched", typ.Name, k.Name)
			case k.Fetch != "" && !strings.Contains(k.Fetch, "https://") && !strings.Contains(k.Fetch, "from the app"):
				t.Errorf("%s: %s: does not say where it is: %s", typ.Name, k.Name, k.Fetch)
			}
		}
		if g.Page == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join("../../../deploy/platforms", g.Page)); err != nil {
			t.Errorf("%s: page: %v", typ.Name, err)
		}
	}
}

// TestBadAnswers: an answer without sense is named before anything is written.
func TestBadAnswers(t *testing.T) {
	for _, tt := range []struct {
		adapter string
		own     adapters.Answers
		want    string
	}{
		{"pigeon", nil, `got "pigeon", want ` + strings.Join(Types(), " or ") + " (--adapter)"},
		{"gatekeeper", adapters.Answers{"base_url": "interop.example.com"}, "want an absolute https:// or http:// URL without user, query and fragment (--set base_url)"},
		{"telegram", adapters.Answers{"receive": "mail"}, `got "mail", want webhook or poll (--set receive)`},
		{"telegram", adapters.Answers{"bot_name": "@verona_bot"}, `got "@verona_bot", want a user name without @ (--set bot_name)`},
		{"telegram", adapters.Answers{"token_file": "x"}, "--set token_file: telegram asks for receive, bot_name; every other key is in deploy/postern.yaml"},
		{"whatsapp", nil, "want an answer (--set app_id)"},
		{"whatsapp", adapters.Answers{"app_id": "mine"}, `got "mine", want digits (--set app_id)`},
		{"whatsapp", adapters.Answers{"app_id": "123456789012345", "phone_number": "15550001111"}, "--set phone_number: does not go with the other answers"},
		{"messenger", adapters.Answers{"page_id": "verona"}, `got "verona", want digits (--set page_id)`},
		{"instagram", adapters.Answers{"login": "myspace"}, `got "myspace", want instagram or facebook (--set login)`},
		{"instagram", adapters.Answers{"login": "facebook", "instagram_id": "17841400000000001"}, "want an answer (--set page_id)"},
	} {
		a := Answers{Domain: "example.org", Adapter: tt.adapter, Own: tt.own}
		if err := a.Fill(); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s, %v: got %v\nwant %s", tt.adapter, tt.own, err, tt.want)
		}
	}
	dir := filepath.Join(t.TempDir(), "never")
	a := Answers{Domain: "example.org", Adapter: "whatsapp", Own: adapters.Answers{"app_id": "123456789012345"}, JID: "example.org", Dir: dir}
	if err := a.Fill(); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(a, false); err == nil || !strings.Contains(err.Error(), "adapters.whatsapp.jid: is the server's own domain") {
		t.Errorf("a gateway on the domain of the users: got %v, want a problem", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
	}
}

// TestAsks: the questions of a type come once the type is known, and only those that make sense after the answers so far.
func TestAsks(t *testing.T) {
	in := "example.org\n\n\ninstagram\n\n\nhttps://gw.example.org\n\n" + "facebook\nmine\n\n17841400000000001\n\n102030405060708\n\n"
	var out strings.Builder
	a := Answers{Dir: t.TempDir()}
	if err := a.Ask(strings.NewReader(in), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"facebook for those that are linked to a page [instagram]: ", `  got "mine", want digits`, "Id of the page that this account is linked to: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q", out.String(), want)
		}
	}
	var got []string
	for k, v := range a.Own {
		if v != "" && k != adapters.PublicURL {
			got = append(got, k+"="+v)
		}
	}
	slices.Sort(got)
	if want := "instagram_id=17841400000000001 login=facebook page_id=102030405060708"; strings.Join(got, " ") != want {
		t.Errorf("got answers %v, want %s", got, want)
	}
}
