package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi-validator/schema_validation"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// eventSchemas checks webhooks; it keeps what it compiled.
var eventSchemas = sync.OnceValue(func() schema_validation.SchemaValidator { return schema_validation.NewSchemaValidator() })

var checking sync.Mutex // of webhooks

// hookEvent is a webhook as the partner saw it.
type hookEvent struct {
	ID      string
	Type    string
	Seq     int64
	Subject struct{ Conversation, To string }
	Data    map[string]any
	header  http.Header
	body    []byte
	at      time.Time
	status  int
}

// RoundTrip is the network between gatekeeper and partner.
func (b *sandbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	e := &hookEvent{header: r.Header, body: body, at: time.Now()}
	if err := json.Unmarshal(body, e); err != nil {
		b.t.Errorf("webhook is not json: %v", err)
	}
	b.checkEvent(body)
	b.mu.Lock()
	sink := b.sink
	b.mu.Unlock()
	e.status = http.StatusNoContent
	if sink != nil {
		e.status = sink(e)
	}
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	return &http.Response{StatusCode: e.status, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

// checkEvent holds a webhook against the document.
func (b *sandbox) checkEvent(body []byte) {
	_, model := document()
	item, ok := model.Webhooks.Get("event")
	if !ok {
		b.t.Fatal("the document has no webhook named event")
	}
	media, _ := item.Post.RequestBody.Content.Get("application/json")
	checking.Lock() // the library writes into its schemas while it reads them
	defer checking.Unlock()
	if ok, errs := eventSchemas().ValidateSchemaBytes(media.Schema.Schema(), body); !ok {
		b.t.Errorf("webhook does not follow the document: %s\n%s", errs[0].Reason, body)
	}
}

func (b *sandbox) received(typ string) []*hookEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*hookEvent
	for _, e := range b.events {
		if typ == "" || e.Type == typ {
			out = append(out, e)
		}
	}
	return out
}

// verify checks a webhook with the Standard Webhooks library.
func verify(t testing.TB, e *hookEvent) error {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return wh.VerifyIgnoringTimestamp(e.body, e.header)
}
