//go:build servers && bench

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/simulators"
	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/load"
	"postern/cmd/internal/user"
	"postern/deploy"
)

const (
	// So many users, each with so many people of their own: with few of either it is the limits of the platforms, for a chat and for an
	// account, that are measured.
	simUsers  = 20
	simPeople = 50
	simChats  = simUsers * simPeople
	// simLength is the most that each load lasts.
	simLength = 3 * time.Second
)

// measureSimulators puts loads on Postern before the simulator of each platform, which does all that a platform does: it checks each
// request, keeps the message, tells of delivery, signs what it tells. Each has servers of its own: rosters full of another platform's
// contacts would be what is measured.
func measureSimulators(t *testing.T, p programs) (all []System) {
	t.Helper()
	for _, platform := range load.Platforms() {
		if wanted("simulators") || wanted(platform.Name) {
			t.Run(platform.Name, func(t *testing.T) {
				all = append(all, newRig(t, p, deploy.Prosody, simUsers).measureSimulator(platform))
			})
		}
	}
	return all
}

func (r *rig) measureSimulator(platform load.Platform) System {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	p, err := r.Process(ctx, platform.Name)
	if err != nil {
		r.t.Fatal(err)
	}
	sim, err := platform.Start(load.Setting{Users: simUsers, People: simPeople, Hook: p.Public, Seed: 1})
	if err != nil {
		r.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = sim.Run(ctx) }) // ends with its context
	defer wg.Wait()
	defer cancel()
	r.use(r.watched(sim.API()))
	if err := r.configure(p, platform); err != nil {
		r.t.Fatal(err)
	}
	r.start(ctx, p, profiles(platform.Name)...)
	defer p.Kill()
	people := control.InProcess(sim.Control())
	addresses, err := r.meetOn(ctx, platform, people)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", platform.Name, err, p.Tail())
	}
	r.login(ctx, simUsers)
	defer r.logout()
	g := process{
		Process: p, confirms: true,
		settle: func(ctx context.Context) error {
			_, err := people.Wait(ctx, control.Condition{Kind: "idle"}, drainTime)
			return err
		},
	}
	write := func(chat int, text string) error {
		return r.clients[chat%simUsers].send(message(addresses[chat], text, ""))
	}
	say := func(chat int, text string) error {
		_, err := people.Say(ctx, load.PersonName(chat/simUsers), platform.Account(chat%simUsers), text)
		return err
	}
	put := func(way Way, length time.Duration, run loading, send func(int, string) error) *Load {
		return r.loadOn(g, newMeterOf(way, simChats, inFlight), length, run, send)
	}
	put(ToPlatform, time.Second, (*Meter).flood, write) // warm
	put(ToUser, time.Second, (*Meter).flood, say)
	s, length := System{Name: platform.Name, Server: string(r.server)}, min(*length, simLength)
	s.FloodOut = put(ToPlatform, length, r.profiled(g, (*Meter).flood), write)
	s.FloodIn = put(ToUser, length, r.profiled(g, (*Meter).flood), say)
	s.DripOut = put(ToPlatform, length, dripping(dripRate), write)
	s.DripIn = put(ToUser, length, dripping(dripRate), say)
	s.Memory = memoryOf(ctx, g)
	return s
}

// configure gives a process this platform's adapter instead of its own.
func (r *rig) configure(p *stand.Process, platform load.Platform) error {
	const begin = "adapters:\n"
	raw, err := os.ReadFile(p.Config())
	if err != nil {
		return err
	}
	keys, err := platform.Keys(r.Platform)
	if err != nil {
		return err
	}
	head, _, ok := strings.Cut(string(raw), begin)
	if !ok {
		return errors.New("the adapters are not where they were in the configuration")
	}
	block, files := simulators.Block(platform.Name, stand.Domain, keys)
	files[platform.Name+".secret"] = r.ComponentSecret
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	text := strings.Replace(head, "http://"+stand.HookHost, "http://"+p.Public, 1) + begin + block + "    limits: {user: \"off\", chat: \"off\", first_contact: \"off\"}\n"
	return os.WriteFile(p.Config(), []byte(text), 0o600)
}

// meetOn links an account of each user and lets all people of theirs say hello, which tells the contacts' addresses.
func (r *rig) meetOn(ctx context.Context, platform load.Platform, people *control.Client) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	addresses := make([]string, simChats)
	errs := make([]error, simUsers)
	var wg sync.WaitGroup
	for n := range simUsers {
		wg.Go(func() { errs[n] = r.meetUser(ctx, platform, people, n, addresses) })
	}
	wg.Wait()
	return addresses, errors.Join(errs...)
}

// meetUser does this for one user, whose chats' places in addresses nobody else writes.
func (r *rig) meetUser(ctx context.Context, platform load.Platform, people *control.Client, n int, addresses []string) error {
	met := make(chan *user.Stanza, 2*simPeople)
	c, err := user.Dial(ctx, user.Config{
		JID: load.UserName(n) + "@localhost", Password: "secret", Addr: r.XMPP.ClientAddr(), Accept: true,
		Sink: func(s *user.Stanza) {
			if strings.HasPrefix(s.Body, "hello ") {
				met <- s
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it has heard all that it waits for
	if err := stand.Poll(ctx, func() error { return platform.Register(ctx, c, stand.Domain, n) }); err != nil {
		return err
	}
	for chat := n; chat < simChats; chat += simUsers {
		err := stand.Poll(ctx, func() error { // the platform may not know yet where to tell of it
			_, err := people.Say(ctx, load.PersonName(chat/simUsers), platform.Account(n), fmt.Sprintf("hello %d", chat))
			return err
		})
		if err != nil {
			return err
		}
	}
	for range simPeople {
		select {
		case s := <-met:
			var chat int
			if _, err := fmt.Sscanf(s.Body, "hello %d", &chat); err != nil || chat%simUsers != n || chat >= simChats {
				return fmt.Errorf("user %d got %q", n, s.Body)
			}
			addresses[chat], _, _ = strings.Cut(s.From, "/")
		case <-ctx.Done():
			return fmt.Errorf("user %d waits for people: %w", n, ctx.Err())
		}
	}
	return nil
}

// ours finds the text of a message to a platform in a request of whatever form.
var ours = regexp.MustCompile(`bench x \d+ \d+ \d+`)

// watched tells the meter of messages that a simulator accepted.
func (r *rig) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			next.ServeHTTP(w, req)
			return
		}
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(raw))
		answer := &answered{w, http.StatusOK}
		next.ServeHTTP(answer, req)
		if text := ours.Find(raw); text != nil && answer.status < http.StatusMultipleChoices {
			r.arrived(string(text))
		}
	})
}

// answered notes the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}
