package openapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"postern/adapters/gatekeeper/openapi"
)

func model(t testing.TB) (libopenapi.Document, *v3.Document) {
	t.Helper()
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	m, err := doc.BuildV3Model()
	if err != nil {
		t.Fatalf("build model: %v", err)
	}
	return doc, &m.Model
}

// The document is valid OpenAPI 3.1 and carries the version of the package.
func TestDocumentIsValid(t *testing.T) {
	doc, m := model(t)
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatalf("new validator: %v", errs)
	}
	if ok, verrs := v.ValidateDocument(); !ok {
		for _, e := range verrs {
			t.Errorf("%s: %s", e.Message, e.Reason)
			for _, s := range e.SchemaValidationErrors {
				t.Errorf("  %s %s", s.FieldPath, s.Reason)
			}
		}
	}
	if got := m.Info.Version; got != openapi.Version {
		t.Errorf("got version %q, want %q", got, openapi.Version)
	}
	if got := m.Info.License.Identifier; got != "Apache-2.0" {
		t.Errorf("got licence %q, want Apache-2.0", got)
	}
}

// Every operation has its own operationId, a tag, a summary and an answer for failures; every POST that changes state takes an
// Idempotency-Key.
func TestOperations(t *testing.T) {
	_, m := model(t)
	noKey := map[string]bool{"issueToken": true, "lookupPeople": true, "acknowledgeEvents": true, "sendTyping": true}
	seen := map[string]string{}
	for path, item := range m.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			name := strings.ToUpper(method) + " " + path
			if op.OperationId == "" || seen[op.OperationId] != "" {
				t.Errorf("%s: operationId %q missing or used by %q", name, op.OperationId, seen[op.OperationId])
			}
			seen[op.OperationId] = name
			if len(op.Tags) != 1 || op.Summary == "" {
				t.Errorf("%s: got tags %v, summary %q; want one tag and a summary", name, op.Tags, op.Summary)
			}
			if op.Responses.Default == nil {
				t.Errorf("%s: no default response", name)
			}
			if !strings.HasPrefix(path, "/v1/") {
				continue
			}
			params := map[string]bool{}
			for _, p := range append(append([]*v3.Parameter{}, item.Parameters...), op.Parameters...) {
				params[p.Name] = p.Required != nil && *p.Required
			}
			if !params["GIA-Version"] {
				t.Errorf("%s: GIA-Version is not required", name)
			}
			if want := method == "post" && !noKey[op.OperationId]; params["Idempotency-Key"] != want {
				t.Errorf("%s: got Idempotency-Key required %v, want %v", name, params["Idempotency-Key"], want)
			}
		}
	}
	if got, want := len(seen), 62; got < want {
		t.Errorf("got %d operations, want at least %d", got, want)
	}
}

// Request objects are closed: a field that is not described is refused.
func TestRequestBodies(t *testing.T) {
	doc, _ := model(t)
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatalf("new validator: %v", errs)
	}
	message := `{"client_id":"c1","sender":"usr_a","to":"gku_b","mode":"plaintext","content":{"text":"Hi"}}`
	with := func(content string) string { return strings.Replace(message, `{"text":"Hi"}`, content, 1) }
	sum := strings.Repeat("ab", 32)
	part := `{"media_id":"med_1","kind":"image","type":"image/png","size":3,"sha256":"` + sum + `"}`
	tests := []struct {
		name, path, body string
		ok               bool
	}{
		{"message", "/v1/messages", message, true},
		{"message by conversation", "/v1/messages", strings.Replace(message, `"to":"gku_b"`, `"conversation":"cnv_b"`, 1), true},
		{"both conversation and to", "/v1/messages", strings.Replace(message, `"to":`, `"conversation":"cnv_b","to":`, 1), false},
		{"neither", "/v1/messages", strings.Replace(message, `"to":"gku_b",`, ``, 1), false},
		{"unknown field", "/v1/messages", strings.Replace(message, `{"client_id"`, `{"colour":"red","client_id"`, 1), false},
		{"unknown field inside", "/v1/messages", strings.Replace(message, `{"text"`, `{"html":"x","text"`, 1), false},
		{"empty content", "/v1/messages", strings.Replace(message, `{"text":"Hi"}`, `{}`, 1), false},
		{"relay without envelope", "/v1/messages", strings.Replace(message, `plaintext`, `relay`, 1), false},
		{"relay", "/v1/messages", strings.Replace(strings.Replace(message, `plaintext`, `relay`, 1), `"content":{"text":"Hi"}`, `"envelope":{"scheme":"mls10","type":"message","ciphertext":"AAAA"}`, 1), true},
		{"plaintext with envelope", "/v1/messages", strings.Replace(message, `"mode"`, `"envelope":{"scheme":"mls10","type":"message","ciphertext":"AAAA"},"mode"`, 1), false},
		{"long client id", "/v1/messages", strings.Replace(message, `"c1"`, `"`+strings.Repeat("x", 65)+`"`, 1), false},
		{"receipts", "/v1/receipts", `{"receipts":[{"conversation":"gku_b","state":"read","up_to":"msg_1"}]}`, true},
		{"receipts without messages", "/v1/receipts", `{"receipts":[{"conversation":"gku_b","state":"read"}]}`, false},
		{"typing", "/v1/conversations/cnv_1/typing", `{"state":"composing"}`, true},
		{"typing state", "/v1/conversations/cnv_1/typing", `{"state":"asleep"}`, false},
		{"media", "/v1/messages", with(`{"media":[` + part + `],"text":"a caption"}`), true},
		{"sticker", "/v1/messages", with(`{"media":[` + strings.Replace(part, `"image"`, `"sticker","emoji":"🌹"`, 1) + `]}`), true},
		{"media held by nobody", "/v1/messages", with(`{"media":[` + strings.Replace(part, `"media_id":"med_1",`, ``, 1) + `]}`), false},
		{"thumbnail that is a page", "/v1/messages", with(`{"media":[` + strings.Replace(part, `"kind"`, `"thumb":"data:text/html;base64,AAAA","kind"`, 1) + `]}`), false},
		{"poll", "/v1/messages", with(`{"poll":{"question":"?","options":[{"id":"a","title":"yes"},{"id":"b","title":"no"}]}}`), true},
		{"poll of one", "/v1/messages", with(`{"poll":{"question":"?","options":[{"id":"a","title":"yes"}]}}`), false},
		{"answer", "/v1/messages", with(`{"answer":{"choices":[{"id":"a","title":"yes"}]}}`), true},
		{"answer without a title", "/v1/messages", with(`{"answer":{"choices":[{"id":"a"}]}}`), false},
		{"live location", "/v1/messages", with(`{"location":{"latitude":45.44,"longitude":10.99,"live_until":"2026-11-22T15:02:11.118Z"}}`), true},
		{"off the globe", "/v1/messages", with(`{"location":{"latitude":91,"longitude":10.99}}`), false},
		{"spoiler and preview", "/v1/messages", with(`{"text":"Hi","spans":[{"start":0,"length":2,"style":"spoiler"}],"previews":[{"url":"https://verona.example/"}]}`), true},
		{"spans alone", "/v1/messages", with(`{"spans":[{"start":0,"length":2,"style":"spoiler"}]}`), false},
		{"slot", "/v1/media", `{"type":"image/png","size":3,"sha256":"` + sum + `","ciphertext":false}`, true},
		{"slot without hash", "/v1/media", `{"type":"image/png","size":3,"ciphertext":false}`, false},
		{"empty slot", "/v1/media", `{"type":"image/png","size":0,"sha256":"` + sum + `","ciphertext":false}`, false},
		{"report", "/v1/reports", `{"accused":"gku_b","category":"spam","good_faith":true,"messages":[{"message_id":"msg_1"}]}`, true},
		{"report in bad faith", "/v1/reports", `{"accused":"gku_b","category":"spam","good_faith":false}`, false},
		{"leave", "/v1/groups/grp_1/leave", ``, true},
		{"bad id", "/v1/groups/42/leave", ``, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.path, io.NopCloser(bytes.NewReader([]byte(tt.body))))
			if tt.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			r.Header.Set("Authorization", "Bearer x")
			r.Header.Set("GIA-Version", openapi.Version)
			r.Header.Set("GIA-User-Assertion", "aaaaaaaaaaaaaaaa.b.c")
			r.Header.Set("Idempotency-Key", "0123456789")
			ok, verrs := v.ValidateHttpRequestSync(r)
			if ok != tt.ok {
				for _, e := range verrs {
					t.Logf("%s: %s", e.Message, e.Reason)
				}
				t.Errorf("got valid %v, want %v", ok, tt.ok)
			}
		})
	}
}

func BenchmarkValidateMessage(b *testing.B) {
	doc, _ := model(b)
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		b.Fatalf("new validator: %v", errs)
	}
	body := []byte(`{"client_id":"c1","sender":"usr_a","to":"gku_b","mode":"plaintext","content":{"text":"Hi"}}`)
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/messages", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("GIA-Version", openapi.Version)
		r.Header.Set("GIA-User-Assertion", "aaaaaaaaaaaaaaaa.b.c")
		r.Header.Set("Idempotency-Key", "0123456789")
		if ok, verrs := v.ValidateHttpRequestSync(r); !ok {
			b.Fatal(verrs[0])
		}
	}
}
