//go:build servers

package chaos_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/user"
)

const nsOOB = "jabber:x:oob" // XEP-0066

// serveFile answers for the files that users share, as an upload service does.
func serveFile(w http.ResponseWriter, req *http.Request) {
	k, ok := chaos.ParseFileName(req.URL.Path)
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(k.FileBody()) // who goes away early reads nothing
}

// tell makes the person of a chat say the message, as a text or as a file.
func (r *rig) tell(ctx context.Context, k chaos.Key, file bool) (event string, err error) {
	if !file {
		return r.say(ctx, k.Chat, k.String())
	}
	var part map[string]any
	order := map[string]any{"type": "text/plain", "name": k.FileName(), "base64": k.FileBody()}
	if err := r.control(ctx, http.MethodPost, "/media", order, &part); err != nil {
		return "", err
	}
	return r.speak(ctx, k.Chat, map[string]any{"content": map[string]any{"media": []any{part}}})
}

// fileOf returns the address of the file that a stanza is (XEP-0066 §2: its body is the address), empty for other stanzas.
func fileOf(s *user.Stanza) string {
	if address := s.Element.Child(nsOOB, "x").Child(nsOOB, "url").Text(); address == s.Body {
		return address
	}
	return ""
}

// readFiles reads every file that arrived where its receiver does, and puts its sum in the place of its address or media id.
// A file that cannot be read keeps the reason there, which is no sum.
func (r *rig) readFiles(ctx context.Context, arrivals []chaos.Arrival) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.Roots}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	sums := map[string]string{}
	for i, a := range arrivals {
		if a.File == "" {
			continue
		}
		sum, known := sums[a.File]
		if !known {
			body, err := r.readFile(ctx, client, a.File)
			if sum = chaos.FileSum(body); err != nil {
				sum = err.Error()
			}
			sums[a.File] = sum
		}
		arrivals[i].File = sum
	}
}

func (r *rig) readFile(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	if !strings.Contains(at, "/") {
		return r.raw(ctx, http.MethodGet, "/media/"+at, http.NoBody)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", at, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
