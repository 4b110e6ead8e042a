package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters"
	"postern/gateway"
)

// canary stands in every text that the kit sends; it must not be seen in an error or a log line.
const canary = "canary-c0ffee"

// bench is a Rig under test with the kit's instruments.
type bench struct {
	*Rig
	t    *testing.T
	h    Harness
	wire *Wire
	log  *logBuffer

	mu    sync.Mutex
	words []string // error texts and printed values
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open boots a rig. When the test ends, what was told is searched for secrets.
func (h Harness) open(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, h: h, wire: newWire(h.Aim), log: &logBuffer{}}
	t.Cleanup(b.wire.base.CloseIdleConnections)
	b.Rig = h.Open(t, adapters.Deps{
		Log:  slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		HTTP: &http.Client{Transport: b.wire},
	})
	if len(b.Accounts) < 2 || len(b.Chats) < 2 {
		t.Fatalf("harness: got %d accounts and %d chats, want at least two of each", len(b.Accounts), len(b.Chats))
	}
	b.wire.mu.Lock()
	b.wire.check = b.Check
	b.wire.mu.Unlock()
	b.wire.Take()
	t.Cleanup(b.inspect)
	return b
}

// inspect fails the test for a secret or a text that was told, and for requests that Check refused.
func (b *bench) inspect() {
	b.t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		b.tell(fmt.Sprintf(verb, b.Adapter))
	}
	secrets := append([]string{canary}, b.Secrets...)
	for _, a := range b.Accounts {
		if len(a.Secret) > 0 {
			secrets = append(secrets, string(a.Secret), fmt.Sprintf("%d", a.Secret))
		}
	}
	b.mu.Lock()
	told := append([]string{b.log.String()}, b.words...)
	b.mu.Unlock()
	for i, s := range secrets {
		for _, text := range told {
			if strings.Contains(text, s) {
				b.t.Errorf("secret %d of the rig was told in %d characters of error, log or printed value; want it nowhere", i, len(text))
				break
			}
		}
	}
	for _, err := range b.wire.problems() {
		b.t.Errorf("request: %v", err)
	}
}

func (b *bench) tell(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.words = append(b.words, text)
}

// tellError records every way in which an error can be printed.
func (b *bench) tellError(err error) {
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			b.tell(fmt.Sprintf(verb, e))
		}
	}
}

// opTo makes an op in the chat of account i.
func (b *bench) opTo(i int, body gateway.OpBody) gateway.Op {
	return gateway.Op{ID: gateway.NewOpID(), Chat: b.Chats[i], At: time.Now().UTC(), Lang: "en", Body: body}
}

func text(s string) gateway.OpMessage {
	return gateway.OpMessage{Content: gateway.PlainText(canary + " " + s)}
}

// send sends by account i and checks what holds for every send.
func (b *bench) send(ctx context.Context, i int, op gateway.Op) (gateway.Sent, error) {
	b.t.Helper()
	return b.sendBy(ctx, b.Adapter, b.Accounts[i], op)
}

func (b *bench) sendBy(ctx context.Context, a gateway.Adapter, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	b.t.Helper()
	sent, err := b.hand(ctx, a, account, op)
	if err == nil {
		return sent, nil
	}
	b.tellError(err)
	if se, ok := err.(*gateway.SendError); !ok || se == nil { //nolint:errorlint // Send promises the type itself, not one that wraps it
		b.t.Errorf("Send %s: got an error of type %T, want *gateway.SendError itself", gateway.OpKind(op.Body), err)
	}
	return sent, err
}

// mustSend sends what has to succeed.
func (b *bench) mustSend(i int, op gateway.Op) gateway.Sent {
	b.t.Helper()
	sent, err := b.send(b.t.Context(), i, op)
	if err != nil {
		b.t.Fatalf("Send %s: got %v, want success", gateway.OpKind(op.Body), err)
	}
	return sent
}

// texts returns what the platform received from account i, without the canary.
func (b *bench) texts(i int) []string {
	var out []string
	for _, r := range b.Received() {
		if r.Endpoint == b.Accounts[i].Endpoint {
			out = append(out, strings.TrimPrefix(r.Text, canary+" "))
		}
	}
	return out
}

// eventually polls until ok or the deadline: the fake posts its webhooks in its own time.
func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			b.t.Fatalf("%s: did not happen within 5 s", what)
		}
	}
}
