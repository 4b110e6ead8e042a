package adaptertest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"postern/adapters/adaptertest"
	"postern/gateway"
)

// toyFile is a file of the toy platform and who may read it.
type toyFile struct {
	owner string
	bytes []byte
}

// more serves what is not a message: PUT /files/{id}?from=, GET /files/{id}?from=, PUT /block?from=&on=, PUT /report?from=&key=.
func (p *toyPlatform) more(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/updates" {
		p.updates(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	q := r.URL.Query()
	from, id := q.Get("from"), strings.TrimPrefix(r.URL.Path, "/files/")
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.URL.Path == "/block":
		p.blocks[from] = q.Get("on") == "true"
	case r.URL.Path == "/report":
		p.reports[q.Get("key")] = from
	case r.Method == http.MethodPut:
		p.files[id] = toyFile{from, body}
	default:
		f, ok := p.files[id]
		if !ok || f.owner != from {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Content-Length", strconv.Itoa(len(f.bytes)))
		_, _ = w.Write(f.bytes)
	}
}

// furnish gives the kit hands on the toy platform.
func (p *toyPlatform) furnish(rig *adaptertest.Rig) {
	post := func(event map[string]string) gateway.MessageID {
		p.mu.Lock()
		defer p.mu.Unlock()
		event["ID"] = "n" + strconv.Itoa(len(p.posted)+1)
		body, _ := json.Marshal(event)
		p.posted = append(p.posted, gateway.Request{Method: "POST", Body: body, Header: http.Header{"Signature": {toySign(toySecret, body)}}})
		return gateway.MessageID(event["ID"])
	}
	user := func(i int) string { return string(rig.Accounts[i].Endpoint) }
	rig.Webhooks = func() []gateway.Request {
		p.mu.Lock()
		defer p.mu.Unlock()
		return append([]gateway.Request(nil), p.posted...)
	}
	rig.Say = func(i int, text string) gateway.MessageID {
		return post(map[string]string{"From": "juliet", "To": user(i), "Text": text})
	}
	rig.Stored = func(handle string) ([]byte, int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		sum := sha256.Sum256(p.files[handle].bytes)
		return sum[:], int64(len(p.files[handle].bytes))
	}
	rig.File = func(i int, size int64) gateway.Media {
		p.mu.Lock()
		defer p.mu.Unlock()
		b := bytes.Repeat([]byte{7}, int(size))
		sum := sha256.Sum256(b)
		p.files["theirs"] = toyFile{user(i), b}
		return gateway.Media{Kind: gateway.MediaFile, Handle: "theirs", Size: size, SHA256: sum[:]}
	}
	rig.Blocked = func(i int) bool { p.mu.Lock(); defer p.mu.Unlock(); return p.blocks[user(i)] }
	rig.Reports = func(i int) (n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, from := range p.reports {
			if from == user(i) {
				n++
			}
		}
		return n
	}
	rig.Native = &adaptertest.Native{
		Say: func(i int, text string) gateway.MessageID {
			return post(map[string]string{"With": "juliet", "To": user(i), "Text": text})
		},
		Read: func(i int, id gateway.MessageID) {
			post(map[string]string{"With": "juliet", "To": user(i), "Seen": string(id)})
		},
	}
}

// own is what the user did in the toy's own app.
func (a *toy) own(dedupe, user, with, seen string, m gateway.Message) gateway.Event {
	e := gateway.Event{
		Dedupe: dedupe, Endpoint: gateway.Endpoint(user), At: time.Unix(1793500000, 0).UTC(), FromMe: true,
		Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(with)}, Body: m,
	}
	if seen != "" {
		e.Body = gateway.Seen{UpTo: gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(seen)}}}
	}
	if a.broken == "mistakes own words" {
		e.FromMe, e.From = false, e.Chat.Contact
	}
	return e
}

func (a *toy) do(ctx context.Context, method, path string, q url.Values, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path+"?"+q.Encode(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = size
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := a.http.Do(req)
	if err == nil && resp.StatusCode > 299 {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("toy: status %d", resp.StatusCode)
	}
	return resp, err
}

func (a *toy) Upload(ctx context.Context, account gateway.Credentials, m gateway.Media, body io.Reader) (gateway.Media, error) {
	id := hex.EncodeToString(m.SHA256)[:8] + string(account.Endpoint)
	switch a.broken {
	case "holds files":
		raw, err := io.ReadAll(body)
		if err != nil {
			return m, err
		}
		body = bytes.NewReader(raw)
	case "names files anew":
		a.count++
		id += strconv.Itoa(a.count)
	case "cuts files":
		m.Size /= 2
		body = io.LimitReader(body, m.Size)
	}
	resp, err := a.do(ctx, http.MethodPut, "/files/"+id, url.Values{"from": {string(account.Endpoint)}}, body, m.Size)
	if err != nil {
		return m, errors.New("toy: upload")
	}
	m.Handle = id
	return m, resp.Body.Close()
}

func (a *toy) Fetch(ctx context.Context, account gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	from := string(account.Endpoint)
	if a.broken == "shows files to all" {
		from = "romeo"
	}
	resp, err := a.do(ctx, http.MethodGet, "/files/"+url.PathEscape(m.Handle), url.Values{"from": {from}}, nil, 0)
	if err != nil {
		return nil, m, errors.New("toy: fetch")
	}
	m.MIME = resp.Header.Get("Content-Type")
	if a.broken != "swallows files" {
		return resp.Body, m, nil
	}
	raw, err := io.ReadAll(resp.Body)
	return io.NopCloser(bytes.NewReader(raw)), m, errors.Join(err, resp.Body.Close())
}

func (a *toy) Block(ctx context.Context, account gateway.Credentials, _ gateway.ContactID, on bool) error {
	on = on || a.broken == "forgets to unblock"
	resp, err := a.do(ctx, http.MethodPut, "/block", url.Values{"from": {string(account.Endpoint)}, "on": {strconv.FormatBool(on)}}, nil, 0)
	if err != nil {
		return errors.New("toy: block")
	}
	return resp.Body.Close()
}

func (a *toy) Report(ctx context.Context, account gateway.Credentials, r gateway.Report) error {
	key := string(r.ID)
	if a.broken == "reports anew" {
		a.count++
		key += strconv.Itoa(a.count)
	}
	resp, err := a.do(ctx, http.MethodPut, "/report", url.Values{"from": {string(account.Endpoint)}, "key": {key}}, nil, 0)
	if err != nil {
		return errors.New("toy: report")
	}
	return resp.Body.Close()
}
