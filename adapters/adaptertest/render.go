package adaptertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"testing"

	"postern/gateway"
)

// render shows each op of render/*.txtar to the adapter and holds the requests that it makes against the golden. The file's op
// stands for itself: the kit neither changes its chat nor its id.
func (h Harness) render(t *testing.T) {
	b := h.open(t)
	// The fake does not know the ids of the files: any success will do, and what comes of it is not looked at.
	answer := h.RenderAnswer
	if answer == "" {
		answer = "{}"
	}
	b.wire.Set(always(Fault{Kind: FaultAnswer, Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: answer}))
	for _, g := range h.goldens(t, "render") {
		t.Run(g.name(), func(t *testing.T) {
			b.wire.Take()
			var op gateway.Op
			if err := json.Unmarshal(g.input(), &op); err != nil {
				t.Fatalf("%s: %v", g.path, err)
			}
			account := b.Accounts[0]
			account.Endpoint = h.RenderEndpoint
			_, err := b.sendBy(t.Context(), b.Adapter, account, op)
			seen := b.wire.Take()
			if len(seen) == 0 {
				if gateway.ClassOf(err) != gateway.Unsupported && gateway.ClassOf(err) != gateway.Permanent {
					t.Errorf("no request was made: got %v, want an error that says why not", err)
				}
				g.compare(t, "refused", fmt.Append(nil, err))
				return
			}
			g.compare(t, "requests", h.printRequests(t, seen))
		})
	}
}

func (h Harness) printRequests(t *testing.T, seen []Seen) []byte {
	t.Helper()
	var out bytes.Buffer
	for i, s := range seen {
		if i > 0 {
			out.WriteByte('\n')
		}
		path := s.Path
		if h.RenderPath != nil {
			path = h.RenderPath(path)
		}
		fmt.Fprintf(&out, "%s %s\n", s.Method, path)
		for _, name := range h.RenderHeaders {
			if v := s.Header.Get(name); v != "" {
				fmt.Fprintf(&out, "%s: %s\n", name, v)
			}
		}
		if len(s.Body) == 0 {
			continue
		}
		out.WriteByte('\n')
		if parts, ok := printParts(s); ok {
			out.Write(parts)
			continue
		}
		var pretty bytes.Buffer
		if json.Indent(&pretty, s.Body, "", "  ") != nil {
			pretty.Reset()
			pretty.Write(s.Body)
		}
		out.Write(pretty.Bytes())
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// printParts shows a multipart/form-data body: fields with their values, files with what is said of them.
func printParts(s Seen) ([]byte, bool) {
	typ, params, err := mime.ParseMediaType(s.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/form-data" {
		return nil, false
	}
	var out bytes.Buffer
	parts := multipart.NewReader(bytes.NewReader(s.Body), params["boundary"])
	for {
		p, err := parts.NextPart()
		if err != nil {
			return out.Bytes(), errors.Is(err, io.EOF)
		}
		raw, err := io.ReadAll(p)
		if err != nil {
			return nil, false
		}
		if p.FileName() == "" {
			fmt.Fprintf(&out, "%s: %s\n", p.FormName(), raw)
			continue
		}
		fmt.Fprintf(&out, "%s: file %q, %s, %d bytes\n", p.FormName(), p.FileName(), p.Header.Get("Content-Type"), len(raw))
	}
}
