// Package docs shows an OpenAPI document as a page: operations, parameters and schemas, rendered here and without a script.
package docs

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"sync"

	"postern/api/internal/page"
)

//go:embed docs.tmpl
var files embed.FS

// New returns a handler for the page of a document, whose own address is raw; the page's files are below the address style. The page is
// rendered when it is first asked for. A document that cannot be read is a fault of the program.
func New(document []byte, raw, style string) http.Handler {
	shown := sync.OnceValues(func() ([]byte, error) { return render(document, raw, style) })
	return page.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body, err := shown()
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(body) // a browser that is gone hears nothing
	}))
}

func render(document []byte, raw, style string) ([]byte, error) {
	doc, err := parse(document)
	if err != nil {
		return nil, err
	}
	t, err := template.New("docs.tmpl").ParseFS(files, "docs.tmpl")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{"Doc": doc, "Raw": raw, "Style": style}); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	return out.Bytes(), nil
}
