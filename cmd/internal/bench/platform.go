package bench

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
)

// Stub is a platform that does as little as the gatekeeper adapter lets it: it takes every call, remembers nothing, and tells
// Arrived about each message.
type Stub struct {
	// Arrived is called with the text of each message, from many goroutines.
	Arrived func(text string)
	// Origin is the stub's own address, which its directory names.
	Origin func() string
	// Confirm, when it is set, tells the gateway that each message was delivered.
	Confirm atomic.Pointer[Hook]

	// Delay is how long the answer to a message takes, in nanoseconds.
	Delay atomic.Int64
	// Calls is how many messages are in hand.
	Calls atomic.Int64

	mux http.Handler
	mu  sync.Mutex
	seq map[[2]int]int64 // by user and person
}

// ServeHTTP answers the calls of the Gatekeeper Interop API that the adapter makes.
func (s *Stub) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// NewStub returns a stub. The fields may be set until it serves.
func NewStub() *Stub {
	s := &Stub{seq: map[[2]int]int64{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/gia", func(w http.ResponseWriter, _ *http.Request) {
		features := map[string]string{}
		for _, f := range []string{"text", "reply", "edit", "retract", "react", "delivered", "read", "typing"} {
			features[f] = "native"
		}
		answer(w, http.StatusOK, map[string]any{
			"issuer": s.Origin(), "name": "Stub", "features": features, "limits": map[string]int{"text_bytes": 65536},
			"terms": map[string]string{"version": "1", "sha256": strings.Repeat("0", 64)},
		})
	})
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"access_token": "stub", "token_type": "Bearer", "expires_in": 3600})
	})
	mux.HandleFunc("PUT /v1/webhook", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]string{}) })
	mux.HandleFunc("POST /v1/enlistments", s.enlist)
	mux.HandleFunc("POST /v1/messages", s.take)
	s.mux = mux
	return s
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that left is its own loss
}

// enlist names u3@localhost usr_u3.
func (s *Stub) enlist(w http.ResponseWriter, r *http.Request) {
	var in struct{ Identifier struct{ Value string } }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	name, _, _ := strings.Cut(in.Identifier.Value, "@")
	answer(w, http.StatusCreated, map[string]any{"id": "enl_" + name, "internal_id": "usr_" + name, "state": "active", "identifier": in.Identifier})
}

// take accepts a message.
func (s *Stub) take(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Client  string `json:"client_id"`
		Sender  string
		To      string
		Content struct{ Text string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.Calls.Add(1)
	defer s.Calls.Add(-1)
	if d := time.Duration(s.Delay.Load()); d > 0 {
		<-time.After(d)
	}
	s.Arrived(in.Content.Text)
	if h := s.Confirm.Load(); h != nil {
		go s.confirm(context.WithoutCancel(r.Context()), *h, in.Sender, in.To, in.Client) // the load waits for what comes of it
	}
	answer(w, http.StatusAccepted, map[string]string{
		"message_id": "msg_" + in.Client, "client_id": in.Client, "conversation": "cnv_" + in.Sender + in.To, "accepted_at": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// Reset counts the events of every chat from 1 again, for a gateway with an empty store.
func (s *Stub) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq = map[[2]int]int64{}
}

// Hook sends webhooks to a gateway.
type Hook struct {
	URL    string
	Secret string // whsec_...
	Client *http.Client
}

// Say sends the event of a new message in a chat and returns when the gateway has taken it.
func (s *Stub) Say(ctx context.Context, h Hook, chat int, text string) error {
	u, p := place(chat)
	user, person := fmt.Sprintf("usr_u%d", u), fmt.Sprintf("gku_p%d", p)
	return s.tell(ctx, h, "message.received", user, person, map[string]any{
		"message_id": "msg_" + ulid.Make().String(), "from": person, "from_display": person, "to": user,
		"sent_at": time.Now().UTC().Format(time.RFC3339Nano), "mode": "plaintext", "content": map[string]string{"text": text},
	})
}

// confirm sends the event that a message of a user was delivered.
func (s *Stub) confirm(ctx context.Context, h Hook, user, person, client string) {
	_ = s.tell(ctx, h, "message.status", user, person, map[string]any{ // what is not told is missed by the load
		"message_id": "msg_" + client, "client_id": client, "status": "delivered", "at": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// tell sends an event of the chat between a user and a person.
func (s *Stub) tell(ctx context.Context, h Hook, kind, user, person string, data map[string]any) error {
	u, err1 := strconv.Atoi(strings.TrimPrefix(user, "usr_u"))
	p, err2 := strconv.Atoi(strings.TrimPrefix(person, "gku_p"))
	if err1 != nil || err2 != nil {
		return fmt.Errorf("bench: no chat of %q and %q", user, person)
	}
	id, at := "evt_"+ulid.Make().String(), time.Now().UTC()
	data["conversation"] = "cnv_" + user + person
	body, err := json.Marshal(map[string]any{
		"id": id, "type": kind, "api_version": "2026-11-01", "occurred_at": at.Format(time.RFC3339Nano), "seq": s.next(u, p),
		"subject": map[string]any{"conversation": data["conversation"], "to": user, "peer": person}, "data": data,
	})
	if err != nil {
		return err
	}
	return h.post(ctx, id, at, body)
}

// next counts the events of a chat.
func (s *Stub) next(user, person int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	chat := [2]int{user, person}
	s.seq[chat]++
	return s.seq[chat]
}

// post signs and sends a webhook (Standard Webhooks, Signature scheme).
func (h Hook) post(ctx context.Context, id string, at time.Time, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Secret, "whsec_"))
	if err != nil {
		return err
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", stamp)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := h.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("webhook: %s", resp.Status)
	}
	return nil
}
