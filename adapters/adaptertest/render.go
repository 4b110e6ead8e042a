package adaptertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"postern/gateway"
)

// render shows each op of render/*.txtar to the adapter and holds the requests that it makes against the golden. The file's op
// stands for itself: the kit neither changes its chat nor its id.
func (h Harness) render(t *testing.T) {
	b := h.open(t)
	// The fake does not know the ids of the files: any success will do, and what comes of it is not looked at.
	b.wire.Set(always(Fault{Kind: FaultAnswer, Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: "{}"}))
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
		fmt.Fprintf(&out, "%s %s\n", s.Method, s.Path)
		for _, name := range h.RenderHeaders {
			if v := s.Header.Get(name); v != "" {
				fmt.Fprintf(&out, "%s: %s\n", name, v)
			}
		}
		if len(s.Body) == 0 {
			continue
		}
		out.WriteByte('\n')
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
