package gatekeeper_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	validatorconfig "github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"golang.org/x/tools/txtar"

	"postern/adapters/gatekeeper"
	"postern/adapters/gatekeeper/openapi"
	"postern/gateway"
)

// documentCheck returns a check of requests against the OpenAPI document.
func documentCheck(t *testing.T) func(*http.Request) error {
	t.Helper()
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, validatorconfig.WithFormatAssertions(), validatorconfig.WithoutSecurityValidation(), validatorconfig.WithURLEncodedBodyValidation())
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	return func(r *http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/v1/messages/..") {
			// The golden that shows an id which is none: the gatekeeper refuses it.
			return nil
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/octet-stream") {
			return nil // a stream, which the document does not describe beyond that
		}
		ok, found := v.ValidateHttpRequestSync(r)
		if ok {
			return nil
		}
		e := found[0]
		if len(e.SchemaValidationErrors) > 0 {
			return fmt.Errorf("%s: %s", e.Message, e.SchemaValidationErrors[0].Reason)
		}
		return fmt.Errorf("%s: %s", e.Message, e.Reason)
	}
}

// enum reads the values of a string schema of the document.
func enum(t *testing.T, schema string) []string {
	t.Helper()
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	s, ok := model.Model.Components.Schemas.Get(schema)
	if !ok {
		t.Fatalf("the document has no schema %s", schema)
	}
	var out []string
	for _, v := range s.Schema().Enum {
		out = append(out, v.Value)
	}
	if len(out) == 0 {
		t.Fatalf("schema %s lists no values", schema)
	}
	return out
}

// TestEveryCodeHasAClass wants a recorded answer for every code of the document.
func TestEveryCodeHasAClass(t *testing.T) {
	have := map[string]bool{}
	for _, c := range errorCases() {
		have[c.Name] = true
	}
	for _, code := range enum(t, "ProblemCode") {
		if !have[code] {
			t.Errorf("code %s has no case in errorCases", code)
		}
	}
}

// noEvent are the types that parse to nothing on purpose; doc.go gives the reasons.
var noEvent = []string{
	"keys.low", "identity.changed", "group.created", "group.updated", "group.members_changed", "group.policy_changed", "block.changed",
	"report.updated", "report.received", "rate.limited", "capability.changed", "privacy.job_done", "service.incident", "webhook.test",
}

// TestEveryEventTypeIsDecided wants each type of the document to be shown by a fixture or to be left out on purpose, and each
// fixture's body, but for those that show what does not follow the document, to follow it.
func TestEveryEventTypeIsDecided(t *testing.T) {
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	schema, ok := model.Model.Components.Schemas.Get("Event")
	if !ok {
		t.Fatal("the document has no schema Event")
	}
	check := schema_validation.NewSchemaValidator()
	off := map[string]bool{"message_spans": true, "message_unknown_member": true, "not_json": true, "retracted_nothing": true, "status_failed_unknown": true, "unknown_type": true}
	shown := map[string]bool{}
	paths, err := filepath.Glob("testdata/parse/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("fixtures: got %v and %d files", err, len(paths))
	}
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(p), ".txtar")
		var e struct{ Type string }
		if err := json.Unmarshal(a.Files[0].Data, &e); err == nil {
			shown[e.Type] = true
		}
		if ok, errs := check.ValidateSchemaBytes(schema.Schema(), a.Files[0].Data); ok == off[name] {
			t.Errorf("%s: got follows the document %v, want %v: %v", name, ok, !off[name], errs)
		}
	}
	for _, typ := range enum(t, "EventType") {
		if !shown[typ] && !slices.Contains(noEvent, typ) {
			t.Errorf("event type %s: no fixture, and not left out on purpose", typ)
		}
	}
}

// TestSilentTypes wants what is left out on purpose to be no event and no error.
func TestSilentTypes(t *testing.T) {
	a, err := gatekeeper.New(*config(t, "https://gatekeeper.example"), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range noEvent {
		body := fmt.Sprintf(`{"id":"evt_1","type":%q,"subject":{},"data":{}}`, typ)
		if events, err := a.Parse(gateway.Request{Body: []byte(body)}); err != nil || len(events) != 0 {
			t.Errorf("%s: got %d events and %v, want none", typ, len(events), err)
		}
	}
}
