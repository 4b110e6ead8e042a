// Command floor is a yardstick, not a gateway: the smallest program that carries messages between a component connection
// (XEP-0114) and HTTP, with no store, no order, no identity and no error handling. What a gateway costs beyond it is what its
// promises cost. With -redis it also writes each message once (XADD) and one mapping (HSET) before it goes on.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // XEP-0114 §3
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

const parallel = 64

type relay struct {
	domain, platform string
	conn             net.Conn
	client           *http.Client
	redis            *redis.Client // nil: no store
	ids              atomic.Int64

	mu      sync.Mutex
	pending []byte
	wake    chan struct{}
}

func main() {
	component := flag.String("component", "", "host:port of the server's component listener")
	secret := flag.String("secret", "", "of the component")
	domain := flag.String("domain", "", "of the component")
	platform := flag.String("platform", "", "origin of the platform")
	listen := flag.String("listen", "", "host:port for webhooks")
	store := flag.String("redis", "", "host:port of Redis; empty: none")
	flag.Parse()
	r := &relay{
		domain: *domain, platform: *platform, wake: make(chan struct{}, 1),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel}},
	}
	if *store != "" {
		r.redis = redis.NewClient(&redis.Options{Addr: *store, PoolSize: parallel})
	}
	if err := r.run(*component, *secret, *listen); err != nil {
		log.Fatal(err)
	}
}

func (r *relay) run(component, secret, listen string) error {
	in, err := r.connect(component, secret)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- r.write() }() // until the process ends, like the other two
	go func() { failed <- r.read(in) }()
	go func() { failed <- http.ListenAndServe(listen, http.HandlerFunc(r.webhook)) }() //nolint:gosec // a yardstick on loopback
	return <-failed
}

// connect opens the stream and logs in.
func (r *relay) connect(addr, secret string) (*bufio.Reader, error) {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	r.conn = conn
	in := bufio.NewReaderSize(conn, 1<<16)
	_, err = fmt.Fprintf(conn, "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='%s'>", r.domain)
	if err != nil {
		return nil, err
	}
	var head string
	for !strings.Contains(head, "<stream:stream") {
		part, err := in.ReadString('>')
		if err != nil {
			return nil, err
		}
		head += part
	}
	sum := sha1.Sum([]byte(attr([]byte(head), "id") + secret)) //nolint:gosec // XEP-0114 §3
	if _, err := fmt.Fprintf(conn, "<handshake>%s</handshake>", hex.EncodeToString(sum[:])); err != nil {
		return nil, err
	}
	answer, err := in.ReadString('>')
	if err != nil || !strings.Contains(answer, "handshake") {
		return nil, fmt.Errorf("handshake: %q: %w", answer, err)
	}
	return in, nil
}

// read takes every <message/> apart by its text, which is enough for what the measurement sends.
func (r *relay) read(in *bufio.Reader) error {
	slots := make(chan struct{}, parallel)
	var buf []byte
	chunk := make([]byte, 1<<16)
	for {
		n, err := in.Read(chunk)
		if err != nil {
			return err
		}
		buf = append(buf, chunk[:n]...)
		for {
			start := bytes.Index(buf, []byte("<message"))
			end := bytes.Index(buf, []byte("</message>"))
			if start < 0 || end < start {
				break
			}
			stanza := bytes.Clone(buf[start:end])
			buf = buf[end+len("</message>"):]
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				r.post(stanza)
			}()
		}
	}
}

func attr(tag []byte, name string) string {
	_, rest, ok := bytes.Cut(tag, []byte(" "+name+"="))
	if !ok || len(rest) == 0 {
		return ""
	}
	value, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(value)
}

// post carries one message to the platform.
func (r *relay) post(stanza []byte) {
	tag, _, _ := bytes.Cut(stanza, []byte(">"))
	_, rest, _ := bytes.Cut(stanza, []byte("<body>"))
	text, _, _ := bytes.Cut(rest, []byte("</body>"))
	user, _, _ := strings.Cut(attr(tag, "from"), "@")
	person, _, _ := strings.Cut(attr(tag, "to"), "@")
	id := strconv.FormatInt(r.ids.Add(1), 10)
	body, err := json.Marshal(map[string]any{
		"client_id": id, "sender": "usr_" + user, "to": "gku_" + person, "mode": "plaintext", "content": map[string]string{"text": string(text)},
	})
	if err != nil {
		log.Fatal(err)
	}
	r.store(context.Background(), "floor:out", id, body)
	resp, err := r.client.Post(r.platform+"/v1/messages", "application/json", bytes.NewReader(body)) //nolint:noctx // a yardstick
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// store writes one message and one mapping.
func (r *relay) store(ctx context.Context, queue, id string, body []byte) {
	if r.redis == nil {
		return
	}
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.XAdd(ctx, &redis.XAddArgs{Stream: queue, Values: []any{"p", body}})
		p.HSet(ctx, queue+":map", id, id)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// webhook carries one event to a user.
func (r *relay) webhook(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	var e struct {
		ID   string
		Data struct {
			From, To string
			Content  struct{ Text string }
		}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.store(req.Context(), "floor:in", e.ID, body)
	stanza := "<message from='" + strings.TrimPrefix(e.Data.From, "gku_") + "@" + r.domain + "' to='" +
		strings.TrimPrefix(e.Data.To, "usr_") + "@localhost' type='chat' id='" + e.ID + "'><body>" + e.Data.Content.Text + "</body></message>"
	r.mu.Lock()
	r.pending = append(r.pending, stanza...)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// write sends what has gathered while the last write ran.
func (r *relay) write() error {
	var out []byte
	for range r.wake {
		r.mu.Lock()
		out, r.pending = r.pending, out[:0]
		r.mu.Unlock()
		if _, err := r.conn.Write(out); err != nil {
			return err
		}
	}
	return nil
}
