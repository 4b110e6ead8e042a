package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

// serveChanges is the stream of server-sent events by which the page knows when to look again.
func (s *Server) serveChanges(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ping := time.NewTicker(15 * time.Second)
	defer ping.Stop()
	last := int64(-1)
	for {
		var revision int64
		var changed chan struct{}
		s.Do(func(st *State) { revision, changed = st.revision, st.changed })
		if revision != last {
			last = revision
			fmt.Fprintf(w, "data: {\"revision\":%d}\n\n", revision)
		} else {
			fmt.Fprint(w, ": still here\n\n")
		}
		if out.Flush() != nil || !Pause(r.Context(), 50*time.Millisecond) { // bursts become one
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.stopped:
			return
		case <-changed:
		case <-ping.C:
		}
	}
}
