package media

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/xmpp/conformance"
)

// desk gives out one slot, or none.
type desk struct {
	slot  gateway.Slot
	err   error
	asked []gateway.SlotRequest
}

func (d *desk) Slot(_ context.Context, r gateway.SlotRequest) (gateway.Slot, error) {
	d.asked = append(d.asked, r)
	return d.slot, d.err
}

// uploaded is what a server was sent.
type uploaded struct {
	Method, Path, Body string
	Length             int64
	Header             http.Header
}

func TestUpload(t *testing.T) {
	var mu sync.Mutex
	var got []uploaded
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, uploaded{r.Method, r.URL.RequestURI(), string(body), r.ContentLength, r.Header})
		w.WriteHeader(http.StatusCreated)
	})
	d := &desk{slot: gateway.Slot{Put: srv.URL + "/put/a?v=1", Get: srv.URL + "/get/a", Header: map[string]string{
		"authorization": "Basic abc\r\nX-Evil: 1", "Cookie": "a=b", "expires": "tomorrow", "Host": "evil.example", "X-Other": "no",
		"Content-Length": "1",
	}}}
	f := open(t, Config{}, d, srv)
	file := spoolText(t, f, "%PDF-1.7 abc", "März 1.pdf")
	to := gateway.Recipient{Adapter: "wa", User: "romeo@example.org", Lang: "de"}
	at, err := f.Publish(t.Context(), to, file)
	if err != nil {
		t.Fatal(err)
	}
	if at.URL != d.slot.Get || at.Brief {
		t.Errorf("got %+v, want %q for as long as it says", at, d.slot.Get)
	}
	if left := time.Until(at.Until); left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("lasts %v, want about a day", left)
	}
	want := []uploaded{{"PUT", "/put/a?v=1", "%PDF-1.7 abc", 12, http.Header{
		"Authorization": {"Basic abcX-Evil: 1"}, "Cookie": {"a=b"}, "Expires": {"tomorrow"}, "Content-Type": {"application/pdf"},
		"User-Agent": {"Postern"}, "Connection": {"close"}, "Content-Length": {"12"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upload (-want +got):\n%s", diff)
	}
	asked := []gateway.SlotRequest{{To: to, Name: "Marz_1.pdf", Size: 12, MIME: "application/pdf"}}
	if diff := cmp.Diff(asked, d.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func spoolText(t *testing.T, f *Files, content, name string) gateway.File {
	t.Helper()
	got, err := f.Spool(t.Context(), gateway.Media{Name: name}, strings.NewReader(content), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Close() })
	return got
}

// TestUploadFails: whatever the upload service does, the file ends in the own store, or its sender's recipient is told why not.
func TestUploadFails(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 69)
	tests := []struct {
		name string
		slot func(base string) gateway.Slot
		err  error
		h    http.HandlerFunc
		want gateway.FileReason // without an own store
	}{
		{"no service", nil, gateway.ErrNoSlot, nil, gateway.FileNowhere},
		{"too large, it says before", nil, &gateway.FileError{Reason: gateway.FileTooLarge, Max: 1, Err: gateway.ErrNoSlot}, nil, gateway.FileTooLarge},
		{"not connected", nil, gateway.ErrElsewhere, nil, gateway.FileAway},
		{"no answer", nil, errors.New("timeout"), nil, gateway.FileAway},
		{"refused", nil, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, gateway.FileAway},
		{"too large", nil, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) }, gateway.FileTooLarge},
		{"redirected", nil, nil, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}, gateway.FileAway},
		{"hangs", nil, nil, hangs, gateway.FileAway},
		{"by plain HTTP", func(string) gateway.Slot {
			return gateway.Slot{Put: "http://up.example.net/a", Get: "https://up.example.net/a"}
		}, nil, nil, gateway.FileForbidden},
		{"to be got by plain HTTP", func(base string) gateway.Slot { return gateway.Slot{Put: base, Get: "http://up.example.net/a"} }, nil, nil, gateway.FileForbidden},
		{"to this machine", func(string) gateway.Slot {
			return gateway.Slot{Put: "https://127.0.0.1:5281/a", Get: "https://up.example.net/a"}
		}, nil, nil, gateway.FileForbidden},
		{"no address", func(string) gateway.Slot { return gateway.Slot{} }, nil, nil, gateway.FileForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.h == nil {
				tt.h = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
			}
			patience := 10 * time.Second
			if tt.name == "hangs" {
				patience = 500 * time.Millisecond
			}
			srv := serve(t, tt.h)
			d := &desk{slot: gateway.Slot{Put: srv.URL, Get: srv.URL}, err: tt.err}
			if tt.slot != nil {
				d.slot = tt.slot(srv.URL)
			}
			f := open(t, Config{Timeout: patience}, d, srv)
			_, err := f.Publish(t.Context(), gateway.Recipient{}, spoolText(t, f, "abc", "a.txt"))
			fe, ok := err.(*gateway.FileError) //nolint:errorlint // the contract says: a FileError, not one inside of another
			p.That(ok && fe.Reason == tt.want, "%s, without a store: got %v, want reason %q", tt.name, err, tt.want)
			p.That(errors.Is(err, gateway.ErrElsewhere) == errors.Is(tt.err, gateway.ErrElsewhere), "%s: got %v, want it told whether the server is away", tt.name, err)

			f = open(t, Config{Timeout: patience, PublicURL: "https://gw.example.org/"}, d, srv)
			at, err := f.Publish(t.Context(), gateway.Recipient{}, spoolText(t, f, "abc", "a.txt"))
			p.That(err == nil && strings.HasPrefix(at.URL, "https://gw.example.org/m/") && strings.HasSuffix(at.URL, "/a.txt"), "%s: got %q, %v, want an address of the own store", tt.name, at.URL, err)
			p.That(time.Until(at.Until) > 6*24*time.Hour && at.Brief, "%s: got %+v, want about a week, or less for want of room", tt.name, at)
		})
	}
}

// hangs takes what it is sent and never answers.
func hangs(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestNoSlotsAtAll(t *testing.T) {
	f := open(t, Config{}, nil)
	_, err := f.Publish(t.Context(), gateway.Recipient{}, spoolText(t, f, "abc", "a.txt"))
	if fe, ok := errors.AsType[*gateway.FileError](err); !ok || fe.Reason != gateway.FileNowhere {
		t.Errorf("got %v, want that there is no place", err)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { stop(); hangs(w, r) })
	f := open(t, Config{PublicURL: "https://gw.example.org"}, &desk{slot: gateway.Slot{Put: srv.URL, Get: srv.URL}}, srv)
	_, err := f.Publish(ctx, gateway.Recipient{}, spoolText(t, f, "abc", "a.txt"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestSlowAnswer: what a server does with a file once it has it may take longer than a pause on the way.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(1200 * time.Millisecond)
		w.WriteHeader(http.StatusCreated)
	})
	f := open(t, Config{pace: pace{window: time.Second, floor: 1 << 10, rate: 1 << 20}}, &desk{slot: gateway.Slot{Put: srv.URL, Get: srv.URL}}, srv)
	if _, err := f.Publish(t.Context(), gateway.Recipient{}, spoolText(t, f, "abc", "a.txt")); err != nil {
		t.Errorf("got %v, want to wait for the answer", err)
	}
}

// TestUploadHostUnknown: a name that is not found now may be found later; the file is not lost for it.
func TestUploadHostUnknown(t *testing.T) {
	r := names(t, func(string, int) netip.Addr { return netip.Addr{} })
	up := "https://upload.example.net/a"
	f := open(t, Config{resolver: r}, &desk{slot: gateway.Slot{Put: up, Get: up}})
	_, err := f.Publish(t.Context(), gateway.Recipient{}, spoolText(t, f, "abc", "a.txt"))
	if fe, ok := errors.AsType[*gateway.FileError](err); !ok || fe.Reason != gateway.FileAway {
		t.Errorf("got %v, want to try again later", err)
	}
}
