//go:build servers

package redisstore

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"postern/deploy/lab"
)

// TestStore runs the kit on one server, then looks at what it left and at what it asked of Redis.
func TestStore(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{AppendOnly: true})
	rec := &recorder{}
	kit(t, r.URL(), rec)
	s := open(t, r.URL(), "look:", Options{})
	client, ok := s.client.(*redis.Client)
	if !ok {
		t.Fatalf("client: got %T, want one server's", s.client)
	}
	t.Run("every key expires or has an owner", func(t *testing.T) { checkKeys(t, client) })
	t.Run("commands of Redis 6.2 only", func(t *testing.T) { checkCommands(t, client, rec) })
	t.Run("keys of a script share a slot", func(t *testing.T) { checkSlots(t, rec) })
}

// recorder is a go-redis hook that keeps every command that was sent.
type recorder struct {
	mu   sync.Mutex
	sent [][]any
	pipe []int // how many commands each pipeline had
}

func (r *recorder) sizes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.pipe)
}

func (r *recorder) record(cmds ...redis.Cmder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range cmds {
		r.sent = append(r.sent, values(c.Args()))
	}
}

func (r *recorder) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.record(cmd)
		return next(ctx, cmd)
	}
}

func (r *recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		r.record(cmds...)
		r.mu.Lock()
		r.pipe = append(r.pipe, len(cmds))
		r.mu.Unlock()
		return next(ctx, cmds)
	}
}

// checkKeys scans the used store: every key stands in Keys, and expires when its row says so.
func checkKeys(t *testing.T, client *redis.Client) {
	seen := map[string]int{}
	scan := client.Scan(t.Context(), 0, "kit:*", 1000).Iterator()
	for scan.Next(t.Context()) {
		key := scan.Val()
		_, bare, _ := strings.Cut(strings.TrimPrefix(key, "kit:"), ":")
		row, ok := Explain(bare)
		if !ok {
			t.Errorf("key %s: got no row in Keys, want one", bare)
			continue
		}
		ttl, err := client.PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ttl == -2 { // expired since the scan
			continue
		}
		if expires := ttl > 0; expires != row.Expires {
			t.Errorf("key %s: got a life of %v, want expires=%v: %s", bare, ttl, row.Expires, row.Why)
		}
		seen[row.Shape]++
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	for _, row := range Keys() {
		if seen[row.Shape] == 0 {
			t.Errorf("shape %s: got no key of it after the kit, want one: the kit no longer covers it", row.Shape)
		}
	}
}

// luaCall matches redis.call('NAME', rest of the line.
var luaCall = regexp.MustCompile(`redis\.call\('(\w+)'([^\n]*)`)

// checkCommands compares what ran with the version since which Redis has it, by Redis' own documentation.
func checkCommands(t *testing.T, client *redis.Client, rec *recorder) {
	docs := commandDocs(t, client)
	stats, err := client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(stats) {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		if !ok || !strings.HasPrefix(line, "cmdstat_") || name == "command|docs" { // this test's own
			continue
		}
		ran++
		if since := docs[name].since; since == "" || newer(since) {
			t.Errorf("command %s: got version %q, want 6.2 or before", name, since)
		}
	}
	if ran < 20 {
		t.Errorf("commands that ran: got %d, want at least the 20 that the kit needs", ran)
	}
	check := func(where, name string, words []string) {
		for _, w := range words {
			if since := docs[name].tokens[strings.ToUpper(w)]; since != "" && newer(since) {
				t.Errorf("%s: %s %s: got an option of version %s, want 6.2 or before", where, name, w, since)
			}
		}
	}
	for _, args := range rec.sent {
		var words []string
		for _, a := range args[1:] {
			words = append(words, fmt.Sprint(a))
		}
		if name := fmt.Sprint(args[0]); !strings.HasPrefix(name, "eval") {
			check("sent", name, words)
		}
	}
	scripts, err := loadScripts()
	if err != nil {
		t.Fatal(err)
	}
	for file, sc := range scripts {
		calls := luaCall.FindAllStringSubmatch(sc.src, -1)
		if len(calls) == 0 {
			t.Errorf("%s.lua: got no redis.call, want some", file)
		}
		for _, call := range calls {
			name := strings.ToLower(call[1])
			if since := docs[name].since; since == "" || newer(since) {
				t.Errorf("%s.lua: %s: got version %q, want 6.2 or before", file, name, since)
			}
			check(file+".lua", name, regexp.MustCompile(`\w+`).FindAllString(call[2], -1))
		}
	}
}

// newer reports whether a version is after 6.2.
func newer(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err != nil || major > 6 || major == 6 && minor > 2
}

// commandDoc is what COMMAND DOCS says of a command: since when it is there, and since when each of its options.
type commandDoc struct {
	since  string
	tokens map[string]string
}

func commandDocs(t *testing.T, client *redis.Client) map[string]commandDoc {
	t.Helper()
	all, err := client.Do(t.Context(), "command", "docs").Slice()
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]commandDoc{}
	addDocs(docs, all)
	if !newer(docs["spublish"].since) || newer(docs["xadd"].since) || !newer(docs["expire"].tokens["NX"]) {
		t.Fatalf("command docs: got spublish %q, xadd %q, expire nx %q, want 7.0, 5.0, 7.0",
			docs["spublish"].since, docs["xadd"].since, docs["expire"].tokens["NX"])
	}
	return docs
}

func addDocs(docs map[string]commandDoc, flat []any) {
	for i := 0; i+1 < len(flat); i += 2 {
		name := fmt.Sprint(flat[i])
		f := named(flat[i+1])
		doc := commandDoc{since: fmt.Sprint(f["since"]), tokens: map[string]string{}}
		addTokens(doc.tokens, f["arguments"])
		docs[name] = doc
		if subs, ok := f["subcommands"].([]any); ok {
			addDocs(docs, subs)
		}
	}
}

func addTokens(tokens map[string]string, arguments any) {
	list, _ := arguments.([]any)
	for _, a := range list {
		f := named(a)
		if token, ok := f["token"].(string); ok {
			since, _ := f["since"].(string)
			if before, twice := tokens[token]; !twice || before > since {
				tokens[token] = since
			}
		}
		addTokens(tokens, f["arguments"])
	}
}

func named(v any) map[string]any {
	flat, _ := v.([]any)
	f := map[string]any{}
	for i := 0; i+1 < len(flat); i += 2 {
		f[fmt.Sprint(flat[i])] = flat[i+1]
	}
	return f
}

// values are the arguments of a command, some of which it has by a pointer.
func values(args []any) []any {
	out := slices.Clone(args)
	for i, a := range out {
		if text, ok := a.(*string); ok {
			out[i] = *text
		}
	}
	return out
}

// checkSlots looks at the keys of every script that ran: Redis Cluster hashes what stands in their braces.
func checkSlots(t *testing.T, rec *recorder) {
	scripts := 0
	for _, args := range rec.sent {
		if !strings.HasPrefix(fmt.Sprint(args[0]), "eval") {
			continue
		}
		scripts++
		n, ok := args[2].(int)
		if !ok || n < 1 {
			t.Fatalf("script: got %v keys, want some", args[2])
		}
		tag := func(i int) string {
			_, rest, _ := strings.Cut(fmt.Sprint(args[i]), "{")
			tag, _, ok := strings.Cut(rest, "}")
			if !ok || tag == "" {
				t.Errorf("key %v: got no hash tag, want one", args[i])
			}
			return tag
		}
		for i := 4; i < 3+n; i++ {
			if tag(i) != tag(3) {
				t.Errorf("keys %v and %v: got two hash tags, want one", args[3], args[i])
			}
		}
	}
	if scripts < 100 {
		t.Errorf("scripts that ran: got %d, want many", scripts)
	}
}
