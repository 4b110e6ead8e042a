package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"postern/gateway"
)

func TestDial(t *testing.T) {
	for _, tt := range []struct {
		url, addrs string
		tls        bool
		user, pass string
	}{
		{"redis://127.0.0.1:6379/0", "127.0.0.1:6379", false, "", ""},
		{"redis://u:p%40ss@redis.example:7000/2", "redis.example:7000", false, "u", "p@ss"},
		{"rediss://:secret@redis.example:6380", "redis.example:6380", true, "", "secret"},
		{"redis+cluster://a:1,b:2,[::1]:3", "a:1 b:2 [::1]:3", false, "", ""},
		{"rediss+cluster://u:p%40ss@a:1,b:2/", "a:1 b:2", true, "u", "p@ss"},
	} {
		client, err := dial(tt.url)
		if err != nil {
			t.Errorf("%s: got error %v, want none", tt.url, err)
			continue
		}
		var got string
		switch c := client.(type) {
		case *redis.Client:
			o := c.Options()
			got = fmt.Sprint(o.Addr, o.TLSConfig != nil, o.Username, o.Password)
			if o.MaxRetries > 0 {
				t.Errorf("%s: got %d retries by the library, want none", tt.url, o.MaxRetries)
			}
		case *redis.ClusterClient:
			o := c.Options()
			got = fmt.Sprint(strings.Join(o.Addrs, " "), o.TLSConfig != nil, o.Username, o.Password)
		}
		if want := fmt.Sprint(tt.addrs, tt.tls, tt.user, tt.pass); got != want {
			t.Errorf("%s: got %s, want %s", tt.url, got, want)
		}
		if err := client.Close(); err != nil {
			t.Errorf("%s: close: got %v, want none", tt.url, err)
		}
	}
}

func TestSentinelURL(t *testing.T) {
	for _, tt := range []struct{ base, rest, want string }{
		{"redis", "h:1,[::1]:2/mymaster", "[h:1 [::1]:2] mymaster 0   false  "},
		{"redis", "h:1/mymaster/3", "[h:1] mymaster 3   false  "},
		{"redis", "h:1/mymaster?db=3", "[h:1] mymaster 3   false  "},
		{
			"rediss", "u:p%40s%2Fs@h:1,i:2/mymaster?db=1&sentinel_username=watch&sentinel_password=s%26nt",
			"[h:1 i:2] mymaster 1 u p@s/s true watch s&nt",
		},
	} {
		o, err := sentinelOptions(tt.base, tt.rest)
		if err != nil {
			t.Errorf("%s: got error %v, want none", tt.rest, err)
			continue
		}
		got := fmt.Sprintf("%v %s %d %s %s %v %s %s", o.SentinelAddrs, o.MasterName, o.DB, o.Username, o.Password, o.TLSConfig != nil, o.SentinelUsername, o.SentinelPassword)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.rest, got, tt.want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String() // nobody listens there in a moment
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"", "127.0.0.1:6379", "http://u:hunter2@h:1", "redis://u:hunter2@h:port/0", "redis://u:hunter2@h:1/nine",
		"redis+cluster://u:hunter2@h:1,h2", "redis+cluster://u:hunter2@,h:1", "redis+sentinel://u:hunter2@h:1", "redis+sentinel://u:hunter2@h/name",
		"redis+sentinel://h:1/name?sentinel_pass=hunter2", "redis+sentinel://u:hunter2@h:1/name/1?db=2", "redis+sentinel://u:hunter2@h:1/name?db=one",
		"redis+sentinel://u:hunter2@h:1/?db=0", "redis+other://u:hunter2@h:1", "redis://u:hunter2@h:1/%zz",
		"redis://u:hunter2@" + free, "redis+cluster://u:hunter2@" + free,
		"redis+sentinel://u:hunter2@" + free + "/name",
	} {
		s, err := Open(t.Context(), url, Options{})
		if err == nil {
			t.Errorf("open %q: got a store, want an error", url)
			_ = s.Close()
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("open: got error %q with the password in it, want one without", err)
		}
	}
}

func TestExplain(t *testing.T) {
	s := &Store{}
	p, o := gateway.Partition("c:telegram"), gateway.Owner("a:01J0")
	hash, overflow := s.maps(p, "l:ane", 2000, "f")
	for key, want := range map[string]string{
		s.stream(p, gateway.ParkQueue(gateway.QueueIn, "l")): "{<p>}:q:<>",
		s.counts(p, gateway.QueueIn):                         "{<p>}:n:<>",
		s.tries(p, gateway.QueueIn):                          "{<p>}:try:<>",
		s.own(p):                                             "{<p>}:own",
		s.part(p, "epoch"):                                   "{<p>}:epoch",
		s.parked(p):                                          "{<p>}:parked",
		s.dead(p):                                            "{<p>}:dead",
		s.dedupe(p, gateway.QueueIn, "x"):                    "{<p>}:d:<>",
		hash:                                                 "{<p>}:m:<>",
		overflow:                                             "{<p>}:m:<>",
		s.records(o, gateway.RecordContact):                  "{<o>}:r:<>",
		s.expiring(o, gateway.RecordSession, "s"): "{<o>}:x:<>",
		s.owner(o, "xi"):         "{<o>}:xi",
		s.limit("wall", "b:x"):   "{<l>}:b:<>",
		s.limit("wall", "t:x:y"): "{<l>}:t:<>",
		s.readyKey():             "ready",
		"readyx":                 "",
		"{}:own":                 "",
		"{s01}:owner":            "",
		"{s01}:other":            "",
		"s01:own":                "",
	} {
		if row, _ := Explain(key); row.Shape != want {
			t.Errorf("key %s: got row %q, want %q", key, row.Shape, want)
		}
	}
	if got, want := s.counts(p, gateway.ParkQueue(gateway.QueueOut, "l")), s.counts(p, gateway.QueueOut); got != want {
		t.Errorf("counters of a park queue: got %s, want its lane's, %s", got, want)
	}
}

// TestScripts reads the Lua files: each has a verb's worth of keys, and builds none itself.
func TestScripts(t *testing.T) {
	scripts, err := loadScripts()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"acquire", "announce", "begin", "bury", "dead", "erase", "fail", "filling", "finish", "hold", "ingest", "lookup", "park", "recount", "release", "renew", "replay", "save", "start", "survived", "take", "unpark",
	}
	var got []string
	for name, sc := range scripts {
		got = append(got, name)
		for line := range strings.Lines(sc.src) {
			_, call, ok := strings.Cut(line, "redis.call('")
			if !ok {
				continue
			}
			_, args, _ := strings.Cut(call, "'")
			args = strings.TrimPrefix(args, ", ")
			if !strings.HasPrefix(args, "KEYS[") && !strings.HasPrefix(args, "to") && !strings.HasPrefix(args, "ARGV[5], '')") && !strings.HasPrefix(args, "ARGV[2], '')") && !strings.HasPrefix(args, ")") {
				t.Errorf("%s.lua: %s: got a key from elsewhere, want one of KEYS", name, strings.TrimSpace(line))
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("scripts: got %v, want %v", got, want)
	}
	fenced := []string{"begin", "dead", "fail", "finish", "park", "recount", "renew", "start", "survived", "unpark"}
	for _, name := range fenced {
		if !strings.Contains(scripts[name].src, "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end\n") {
			t.Errorf("%s.lua: got no fence, want one", name)
		}
	}
}

// said is an error as Redis answers it.
type said string

func (e said) Error() string { return string(e) }
func (said) RedisError()     {}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want verdict
		ask  string
	}{
		{nil, final, ""},
		{said("MOVED 6062 10.0.0.1:7001"), moved, ""},
		{said("ASK 6062 10.0.0.1:7001"), moved, "10.0.0.1:7001"},
		{said("TRYAGAIN Multiple keys request during rehashing of slot"), later, ""},
		{said("CLUSTERDOWN The cluster is down"), later, ""},
		{said("LOADING Redis is loading the dataset in memory"), later, ""},
		{said("READONLY You can't write against a read only replica."), later, ""},
		{said("FENCED lease lost"), final, ""},
		{said("OOM command not allowed"), final, ""},
		{io.EOF, lost, ""},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), lost, ""},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, lost, ""},
		{context.Canceled, final, ""},
		{errReplicas, final, ""},
		{redis.ErrClosed, final, ""},
	} {
		if got, ask := judge(tt.err); got != tt.want || ask != tt.ask {
			t.Errorf("judge %v: got %v %q, want %v %q", tt.err, got, ask, tt.want, tt.ask)
		}
	}
}
