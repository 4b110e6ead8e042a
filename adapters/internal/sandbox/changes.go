package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

func (s *Server) serveChanges(w http.ResponseWriter, r *http.Request) {
	ServeChanges(w, r, s.stopped, func() (revision int64, changed <-chan struct{}) {
		s.Do(func(st *State) { revision, changed = st.revision, st.changed })
		return revision, changed
	})
}

// ServeChanges is the stream of server-sent events by which a page knows when to look again. look gives the number of the latest change
// and what is closed at the next.
func ServeChanges(w http.ResponseWriter, r *http.Request, stopped <-chan struct{}, look func() (int64, <-chan struct{})) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ping := time.NewTicker(15 * time.Second)
	defer ping.Stop()
	last := int64(-1)
	for {
		revision, changed := look()
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
		case <-stopped:
			return
		case <-changed:
		case <-ping.C:
		}
	}
}
