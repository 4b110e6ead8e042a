//go:build servers

package story

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traces is an OpenTelemetry collector.
type traces struct {
	mu    sync.Mutex
	raw   bytes.Buffer // all that came
	spans map[string][]*otlp.Span
}

// ServeHTTP takes what OTLP over HTTP posts.
func (c *traces) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		in = z
	}
	raw, err := io.ReadAll(in)
	var all collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &all)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(raw)
	for _, res := range all.GetResourceSpans() {
		for _, scope := range res.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				id := hex.EncodeToString(s.GetTraceId())
				c.spans[id] = append(c.spans[id], s)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// whole reports whether there is a trace that begins with a span of one name, has others of all the others, and every parent within.
func (c *traces) whole(first string, others ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, spans := range c.spans {
		ids, names, loose, root := map[string]bool{}, []string{}, 0, ""
		for _, s := range spans {
			ids[string(s.GetSpanId())] = true
			names = append(names, s.GetName())
		}
		for _, s := range spans {
			switch parent := string(s.GetParentSpanId()); {
			case parent == "":
				root = s.GetName()
			case !ids[parent]:
				loose++
			}
		}
		if root == first && loose == 0 && !slices.ContainsFunc(others, func(o string) bool { return !slices.Contains(names, o) }) {
			return true
		}
	}
	return false
}

// TestTraces: a collector gets one connected trace of a message in each direction, and nothing in it names anybody or says what was written.
func TestTraces(t *testing.T) {
	bothAs(t, func(s *stage) {
		c := &traces{spans: map[string][]*otlp.Span{}}
		srv := httptest.NewServer(c)
		s.Cleanup(srv.Close)
		s.yaml = s.file("postern.yaml", s.config()+"tracing: {endpoint: \""+srv.URL+"/v1/traces\", sample: 1}\n")
		s.collector = c
	}, func(s *stage) {
		c, seen := s.member("romeo"), s.collector
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		s.until("a trace of a message to the platform", func() bool {
			return seen.whole("stanza", "queue", "out", "resolve", "plan", "limit", "send")
		})
		s.until("a trace of a message to the user", func() bool {
			return seen.whole("webhook", "queue", "in", "resolve", "render", "outbox", "barrier")
		})
		seen.mu.Lock()
		defer seen.mu.Unlock()
		local, _, _ := strings.Cut(jid, "@")
		for _, word := range append(slices.Clone(*s.users), local, "gku_", "line ", "localhost") {
			if bytes.Contains(seen.raw.Bytes(), []byte(word)) {
				s.Errorf("the collector hears %q", word)
			}
		}
		for _, spans := range seen.spans {
			for _, span := range spans {
				for _, a := range span.GetAttributes() {
					if k := a.GetKey(); k != "postern.adapter" && k != "postern.outcome" {
						s.Errorf("%s tells %s", span.GetName(), k)
					}
				}
			}
		}
	})
}
