package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReady(t *testing.T) {
	for status, want := range map[int]int{http.StatusOK: exitOK, http.StatusServiceUnavailable: exitFailed} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				t.Errorf("asked for %s", r.URL.Path)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte("store: as it is\n"))
		}))
		var out, errs bytes.Buffer
		if got := run([]string{"ready", "--url", s.URL}, strings.NewReader(""), &out, &errs); got != want || out.String() != "store: as it is\n" {
			t.Errorf("%d: got exit code %d and %q, want %d and the store\n%s", status, got, out.String(), want, errs.String())
		}
		s.Close()
		if got := run([]string{"ready", "--url", s.URL}, strings.NewReader(""), &out, &errs); got != exitFailed || !strings.Contains(errs.String(), "is it running") {
			t.Errorf("nobody there: got exit code %d\n%s", got, errs.String())
		}
	}
}
