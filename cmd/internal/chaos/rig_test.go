//go:build servers

package chaos_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/adapters/gatekeeper/simulator"
	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/user"
	"postern/deploy"
	"postern/deploy/lab"
)

const (
	users  = 5
	people = 10
	chats  = users * people
	// latency of the platform per request: with one request at a time per chat it takes less than is sent, so that a backlog builds.
	latencyMS = 400
	host      = "localhost" // of the users
)

const nsDelay = "urn:xmpp:delay" // XEP-0203

// rig is an installation with its users and people, and the journal of what they do.
type rig struct {
	*stand.Stand
	*journal
	t       *testing.T
	rng     *rand.Rand
	sandbox *simulator.Server
	shared  *httptest.Server // has the files that users share
	clients []*user.Client
	sides   []side // by chat
	// first is the first of the chats that talk now; there are chats of them.
	first int
	// rate is messages per second and direction; most is how many there are to be of each, zero: no end.
	rate float64
	most int
	// patience is how long a message has neither receipt nor error before it is sent again.
	patience time.Duration
	// grace is how long after a fault an error may be its doing; zero: a moment.
	grace time.Duration
	// unsettled is what was still under way when the run was judged.
	unsettled error
	// past are the runs before.
	past []chaos.History
	// messages and hooks are where the ledgers were read up to, began when the talk began.
	messages, hooks int64
	began           time.Time
	// chatOf finds a chat by user and the contact's address.
	chatOf sync.Map
	// hellos are the ids of greetings that users saw live.
	hellos sync.Map
	// available is false while a polite client holds its messages: the gateway is not connected.
	available atomic.Bool
	// since is when it became available, in nanoseconds of the Unix time.
	since atomic.Int64
	// held counts the reasons to keep messages although the gateway is connected.
	held atomic.Int32
	run  string // makes stanza ids unique
}

// side is a chat as both ends name it.
type side struct {
	user   int
	person string
}

// gateway is the program built with its faults, once for all tests.
var gateway = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "postern-chaos-")
	if err != nil {
		return "", err
	}
	return stand.Build(context.Background(), dir, "postern/cmd/postern", "chaos")
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := gateway(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // a leftover in the system's folder for such
	}
	os.Exit(code)
}

// setup is what a rig is made of. Its zero value is Prosody, one Redis, and people for one run.
type setup struct {
	seed     uint64
	server   deploy.Server
	store    stand.Store
	sets     int // of people, one for each run
	via      func(ctx context.Context, name, addr string) (string, error)
	enter    func(ctx context.Context, name, spool string) ([]string, error)
	settings string
	// hookTimeout is the platform's patience with a webhook.
	hookTimeout time.Duration
}

// newRig starts everything but Postern.
func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	program, err := gateway()
	if err != nil {
		t.Fatal(err)
	}
	s.sets, s.hookTimeout = max(1, s.sets), cmp.Or(s.hookTimeout, 10*time.Second)
	r := &rig{
		t: t, journal: newJournal(s.sets * chats), rng: rand.New(rand.NewPCG(s.seed, 1)), run: fmt.Sprintf("c%d-", s.seed),
		rate: rate, patience: resendAfter,
	}
	var who []simulator.Person
	for n := range s.sets * people {
		who = append(who, simulator.Person{ID: fmt.Sprintf("p%d", n), Display: fmt.Sprintf("Person %d", n), OptedIn: true, Accepts: simulator.AccessOpen})
	}
	r.sides = make([]side, s.sets*chats)
	for chat := range r.sides {
		set, of := chat/chats, chat%chats
		r.sides[chat] = side{user: of / people, person: who[set*people+of%people].ID}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.sandbox.API().ServeHTTP(w, req) })
	r.shared = httptest.NewServer(http.HandlerFunc(serveFile))
	t.Cleanup(r.shared.Close)
	r.Stand, err = stand.New(t.Context(), lab.ForTest(t), stand.FastForTest(t), stand.Config{
		Dir: t.TempDir(), Binary: program, Server: s.server, Store: s.store, Via: s.via, Enter: s.enter, Users: users, Platform: handler,
		FileHosts: []string{r.shared.Listener.Addr().String()}, Settings: s.settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.sandbox, err = simulator.New(simulator.Config{
		Partners: []simulator.Partner{{ClientID: stand.ClientID, JWKSURL: "http://" + stand.HookHost + "/.well-known/gia-partner/jwks.json"}},
		People:   who, Seed: s.seed, RetryBase: 50 * time.Millisecond, RetryMax: 400 * time.Millisecond, Client: r.HookClient(s.hookTimeout),
		WebhookTimeout: s.hookTimeout, Limits: simulator.Limits{People: len(who)},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.sandbox.Run(ctx) }) // ends with its context
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r
}

// process makes a Postern that ends with the test.
func (r *rig) process(ctx context.Context, name string) *stand.Process {
	r.t.Helper()
	p, err := r.Process(ctx, name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		p.Kill()
		if r.t.Failed() {
			r.t.Logf("%s:\n%s", name, p.Tail())
		}
	})
	return p
}

// login connects the clients, registers them and makes every person known to every user.
func (r *rig) login(ctx context.Context) error {
	for n := range users {
		c, err := user.Dial(ctx, user.Config{
			JID: fmt.Sprintf("u%d@localhost", n), Password: "secret", Addr: r.XMPP.ClientAddr(), Resource: "chaos",
			Accept: true, Reconnect: true, Sink: func(s *user.Stanza) { r.sink(n, s) },
		})
		if err != nil {
			return err
		}
		r.t.Cleanup(func() { _ = c.Close() })
		r.clients = append(r.clients, c)
		if err := stand.Poll(ctx, func() error { return r.register(ctx, c) }); err != nil {
			return err
		}
	}
	return r.introduce(ctx)
}

// introduce makes the people of the chats that talk now known to the users.
func (r *rig) introduce(ctx context.Context) error {
	for chat := r.first; chat < r.first+chats; chat++ {
		if _, err := r.say(ctx, chat, fmt.Sprintf("hello %d", chat)); err != nil {
			return fmt.Errorf("%s: %w", r.sides[chat].person, err)
		}
	}
	return stand.Poll(ctx, func() error {
		for chat := r.first; chat < r.first+chats; chat++ {
			if _, ok := r.chatOf.Load(chat); !ok {
				return fmt.Errorf("chat %d has no address", chat)
			}
		}
		return nil
	})
}

func (r *rig) register(ctx context.Context, c *user.Client) error {
	form, err := c.Registration(ctx, stand.Domain)
	if err != nil || form.Registered {
		return err
	}
	return c.Register(ctx, stand.Domain, form, form.Form.Agree())
}

// sink books one stanza of a client's live stream.
func (r *rig) sink(n int, s *user.Stanza) {
	if s.Kind == user.Message {
		r.book(n, s, chaos.Live, r.saw)
	}
}

// book reads one stanza of a user, from the live stream or the archive.
func (r *rig) book(n int, s *user.Stanza, place chaos.Place, saw func(chaos.Arrival)) {
	from, _, _ := strings.Cut(s.From, "/")
	if !strings.HasSuffix(from, "@"+stand.Domain) {
		return // the gateway's own words, and what the user wrote
	}
	switch {
	case s.Type == "error":
		if place == chaos.Live {
			r.refused(s.ID, s.Condition)
		}
		switch s.Condition {
		case "remote-server-timeout", "forbidden":
			// Prosody says so of a component that is not there; ejabberd asks other servers then, which the lab forbids it. A polite
			// client waits.
			r.hold()
		}
	case s.Received != "":
		r.receipt(s.Received)
	case strings.HasPrefix(s.Body, "hello "):
		var chat int
		if _, err := fmt.Sscanf(s.Body, "hello %d", &chat); err == nil && r.sides[chat].user == n {
			if place == chaos.Live {
				r.hellos.Store(s.ID, chat)
			}
			r.chatOf.Store(chat, from)
			r.chatOf.Store(fmt.Sprint(n, " ", from), chat)
		}
	case strings.HasPrefix(s.Body, "Who can read this chat"):
		// The gateway's own first line of every chat.
	case s.Body != "":
		k, ok := chaos.ParseKey(s.Body)
		file := fileOf(s)
		if file != "" {
			k, ok = chaos.ParseFileName(file)
		}
		if !ok || k.Dir != chaos.In {
			r.stray(s.Body)
			return
		}
		chat, known := r.chatOf.Load(fmt.Sprint(n, " ", from))
		if !known {
			chat = -1
		}
		a := chaos.Arrival{Key: k, Place: place, Chat: chat.(int), At: s.At, ID: s.ID, File: file}
		if place == chaos.Live {
			a.Kept = keptSince(s)
		}
		saw(a)
	}
}

// keptSince is when the server put a stanza away for a user who was not there: the mark has the server's name, unlike one of the
// gateway's (XEP-0203 §2).
func keptSince(s *user.Stanza) time.Time {
	for _, mark := range s.Element.Children("delay") {
		if mark.Name.Space == nsDelay && mark.Attr("from") == host {
			if at, err := time.Parse(time.RFC3339, mark.Attr("stamp")); err == nil {
				return at
			}
		}
	}
	return time.Time{}
}

// address is the contact of a chat.
func (r *rig) address(chat int) string {
	a, _ := r.chatOf.Load(chat)
	s, _ := a.(string)
	return s
}

// say makes the person of a chat say something and returns the event's id.
func (r *rig) say(ctx context.Context, chat int, text string) (string, error) {
	return r.speak(ctx, chat, map[string]any{"text": text})
}

// speak makes the person of a chat say what has a text or a content.
func (r *rig) speak(ctx context.Context, chat int, what map[string]any) (string, error) {
	s := r.sides[chat]
	what["to"] = fmt.Sprintf("u%d@localhost", s.user)
	var out struct {
		Event string `json:"event_id"`
	}
	err := r.control(ctx, http.MethodPost, "/people/"+s.person+"/messages", what, &out)
	return out.Event, err
}

// control calls the sandbox's control API in this process.
func (r *rig) control(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	answer, err := r.raw(ctx, method, path, &body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// raw is control with bodies as they are.
func (r *rig) raw(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	req := httptest.NewRequestWithContext(ctx, method, "/sandbox/v1"+path, body)
	w := httptest.NewRecorder()
	r.sandbox.Control().ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("control: %s %s: %d: %s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes(), nil
}

// slow sets the platform's latency, and ends its other faults.
func (r *rig) slow(ctx context.Context, ms int) {
	r.t.Helper()
	if err := r.spoil(ctx, simulator.Faults{LatencyMS: ms}); err != nil {
		r.t.Fatal(err)
	}
}

// spoil sets the platform's faults.
func (r *rig) spoil(ctx context.Context, f simulator.Faults) error {
	return r.control(ctx, http.MethodPut, "/faults", f, &struct{}{})
}

// pending counts what the queues in Redis hold.
func (r *rig) pending(ctx context.Context) (map[string]int, error) {
	nodes := r.Nodes
	if r.Failover != nil {
		master, err := r.Failover.Master(ctx)
		if err != nil {
			return nil, err
		}
		nodes = []*lab.Redis{master}
	}
	out := map[string]int{}
	for _, node := range nodes {
		if err := queues(ctx, node, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// questionLimit is how long one question to Redis may take. Whoever waits for something asks again: one that hangs, as over a connection
// that a fault has cut, must not take the whole of a wait, and say nothing of what is waited for.
const questionLimit = 3 * time.Second

// queues adds what the queues on a node hold, by their names.
func queues(ctx context.Context, node *lab.Redis, out map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	const script = "local out = {} for _, k in ipairs(redis.call('KEYS', 'p:{*}:q:*')) do out[#out + 1] = k out[#out + 1] = redis.call('XLEN', k) end return out"
	answer, err := node.Do(ctx, "EVAL", script, "0")
	if err != nil {
		return err
	}
	list, _ := answer.([]any)
	for n := 0; n+1 < len(list); n += 2 {
		key, _ := list[n].(string)
		length, _ := list[n+1].(int64)
		_, queue, _ := strings.Cut(key, "}:q:")
		queue, _, _ = strings.Cut(queue, ":")
		if length > 0 {
			out[queue] += int(length)
		}
	}
	return nil
}

// up waits until the gateway answers as a component.
func (r *rig) up(ctx context.Context) error {
	return stand.Poll(ctx, func() error {
		call, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		for _, c := range r.clients {
			if err := c.Online(call); err != nil {
				return err
			}
		}
		_, err := r.clients[0].Ping(call, stand.Domain)
		return err
	})
}

// hold makes polite clients keep their messages, release lets them go.
func (r *rig) hold() { r.available.Store(false) }

// quiet makes them keep their messages although the gateway is connected, until the returned function is called.
func (r *rig) quiet() (loud func()) {
	r.held.Add(1)
	r.hold()
	return func() { r.held.Add(-1) }
}

func (r *rig) release() {
	if r.held.Load() > 0 {
		return
	}
	r.since.Store(time.Now().UnixNano())
	r.available.Store(true)
}
