package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"postern/adapters/control"
	"postern/adapters/gatekeeper/simulator"
)

// anna is who the play talks to. She wants to be asked before anybody writes to her.
const (
	annaID   = "anna"
	annaMail = "anna@castle.example"
)

// sandbox is a platform, served in this process, and a caller of its control API.
type sandbox struct {
	url    string // origin of API, control API and page
	log    string // file
	client *http.Client

	hooked chan struct{} // closed when the gateway has said where its webhooks go
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// player plays a platform.
type player interface {
	Handler() http.Handler
	Run(ctx context.Context) error
}

// serveSandbox serves what is made with a log. A page at frame may show its page; the empty frame is nobody.
func serveSandbox(ctx context.Context, dir, frame string, open func(*slog.Logger) (player, error)) (*sandbox, error) {
	s := &sandbox{log: filepath.Join(dir, "sandbox.log"), client: &http.Client{}, hooked: make(chan struct{})}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("demo: sandbox: %w", err)
	}
	sim, err := open(slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: sandbox: %w", err), out.Close())
	}
	s.url = "http://" + socket.Addr().String()
	handler := s.watch(sim.Handler())
	if frame != "" {
		handler = framedBy(frame, handler)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.done.Go(func() {
		defer out.Close()
		var both sync.WaitGroup
		both.Go(func() { _ = sim.Run(runCtx) })      // it ends with runCtx and without an error
		both.Go(func() { _ = server.Serve(socket) }) // likewise
		<-runCtx.Done()
		_ = server.Close() // pages that wait for news would hold up an orderly end
		both.Wait()
	})
	return s, nil
}

// gatekeeper opens a gatekeeper whose partner publishes its keys at jwks.
func gatekeeper(jwks string, faults control.Faults) func(*slog.Logger) (player, error) {
	return func(log *slog.Logger) (player, error) {
		people := append([]simulator.Person{{
			ID: annaID, Display: "Anna", OptedIn: true, Accepts: simulator.AccessRequest,
			Identifiers: []simulator.Identifier{{Type: "email", Value: annaMail}, {Type: "username", Value: annaID}},
		}}, simulator.DefaultPeople()...)
		return simulator.New(simulator.Config{
			Partners: []simulator.Partner{{ClientID: clientID, JWKSURL: jwks}}, People: people, Faults: faults,
			SlowDelay: 2 * time.Second, Log: log,
		})
	}
}

// watch tells when the gateway has set its webhook.
func (s *sandbox) watch(next http.Handler) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.Method == http.MethodPut && r.URL.Path == "/v1/webhook" {
			once.Do(func() { close(s.hooked) })
		}
	})
}

func (s *sandbox) close() {
	s.stop()
	s.done.Wait()
}

// do calls the control API. in and out may be nil.
func (s *sandbox) do(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("demo: sandbox: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+"/sandbox/v1"+path, &body)
	if err != nil {
		return fmt.Errorf("demo: sandbox: %w", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("demo: sandbox: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("demo: sandbox: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("demo: sandbox: %s %s: %s: %s", method, path, resp.Status, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

type object map[string]any

// wait waits until a condition of the control API holds and decodes the first item that meets it.
func (s *sandbox) wait(ctx context.Context, cond object, first any) error {
	for {
		cond["timeout_ms"] = 1000
		var got struct {
			OK    bool
			Items []json.RawMessage
		}
		if err := s.do(ctx, http.MethodPost, "/wait", cond, &got); err != nil {
			return err
		}
		if got.OK {
			if first == nil || len(got.Items) == 0 {
				return nil
			}
			return json.Unmarshal(got.Items[0], first)
		}
	}
}

// line is a message in the sandbox.
type line struct {
	ID       string `json:"id"`
	FromUser bool   `json:"from_user"`
	Status   string `json:"status"`
	Content  struct {
		Text string `json:"text"`
	} `json:"content"`
}

// conversation is a chat of a person.
type conversation struct {
	ID       string `json:"id"`
	Account  string `json:"user"`
	User     string `json:"user_value"`
	Display  string `json:"user_display"`
	Request  string `json:"request"`
	Messages []line `json:"messages"`
}

// chat returns Anna's chat with a user, or with an account, whole.
func (s *sandbox) chat(ctx context.Context, with string) (conversation, error) {
	var person struct {
		Chats []conversation `json:"chats"`
	}
	if err := s.do(ctx, http.MethodGet, "/people/"+annaID, nil, &person); err != nil {
		return conversation{}, err
	}
	for _, c := range person.Chats {
		if c.User == with || c.Account == with {
			var whole conversation
			return whole, s.do(ctx, http.MethodGet, "/chats/"+c.ID, nil, &whole)
		}
	}
	return conversation{}, nil
}

// post is an accepted message in the ledger of the sandbox.
type post struct {
	MessageID      string `json:"message_id"`
	IdempotencyKey string `json:"idempotency_key"`
	Replays        int    `json:"replays"`
	Text           string `json:"text"`
}

func (s *sandbox) posts(ctx context.Context) ([]post, error) {
	var page struct {
		Items []post `json:"items"`
	}
	return page.Items, s.do(ctx, http.MethodGet, "/ledger/messages", nil, &page)
}
