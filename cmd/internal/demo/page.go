package demo

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"postern/cmd/internal/webclient"
)

//go:embed page
var pageFiles embed.FS

// page shows two phones side by side: the XMPP user's, with a web client, and Anna's, with the sandbox; below them what the gateway counts.
type page struct {
	url    string
	socket net.Listener
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// openPage takes the page's address, so that the sandbox may be shown in it.
func openPage(ctx context.Context) (*page, error) {
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo: page: %w", err)
	}
	return &page{url: "http://" + socket.Addr().String(), socket: socket, stop: func() {}}, nil
}

// serve shows the page until it is closed. chat is Anna's with Romeo; dist holds the web client, without which the left phone says how to get it.
func (p *page) serve(ctx context.Context, s *stage, chat, dist string) error {
	handler, err := s.pageHandler(chat, dist)
	if err != nil {
		return err
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	p.done.Go(func() {
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(p.socket) }) // it ends with Close and without another error
		<-ctx.Done()
		_ = server.Close() // nothing waits for an answer any more
		serving.Wait()
	})
	return nil
}

func (p *page) close() {
	p.stop()
	p.done.Wait()
	_ = p.socket.Close() // closed by the server, unless it never served
}

// pageHandler serves the page, the web client below /client/ and the figures.
func (s *stage) pageHandler(chat, dist string) (http.Handler, error) {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, err
	}
	index, err := template.ParseFS(files, "index.tmpl")
	if err != nil {
		return nil, err
	}
	romeo := logins()[0]
	facts := map[string]string{
		"Place": s.wall.place(), "Sandbox": s.sandbox.url, "JID": romeo.User + "@" + domain, "Password": romeo.Password, "Gateway": s.gw,
		"Server": s.prosody.ClientAddr(), "Client": "/client/", "Chat": annaID + "/" + chat,
	}
	mux := http.NewServeMux()
	client, err := webclient.Site(dist, "/client/", webclient.Login{JID: facts["JID"], Password: romeo.Password, Socket: s.prosody.WebSocketURL()})
	if err == nil {
		mux.Handle("/client/", client)
	} else {
		facts["Client"] = ""
	}
	mux.Handle("/", http.FileServerFS(files))
	mux.HandleFunc("/figures", s.tellFigures)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self' "+s.sandbox.url+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		_ = index.Execute(w, facts) // a browser that left is its own loss
	})
	return mux, nil
}

// framedBy lets a page at origin show the sandbox's, which lets nobody else.
func framedBy(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&framed{ResponseWriter: w, origin: origin}, r)
	})
}

type framed struct {
	http.ResponseWriter
	origin string
}

// WriteHeader implements http.ResponseWriter.
func (f *framed) WriteHeader(status int) {
	f.allow()
	f.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (f *framed) Write(p []byte) (int, error) {
	f.allow()
	return f.ResponseWriter.Write(p)
}

// allow changes who may frame the answer. Once headers are out it changes nothing.
func (f *framed) allow() {
	h := f.Header()
	if csp := h.Get("Content-Security-Policy"); csp != "" {
		h.Set("Content-Security-Policy", strings.Replace(csp, "frame-ancestors 'none'", "frame-ancestors "+f.origin, 1))
	}
}

// Unwrap is for http.ResponseController.
func (f *framed) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// tellFigures answers with what the page's strip shows.
func (s *stage) tellFigures(w http.ResponseWriter, r *http.Request) {
	f, err := s.count(r.Context())
	if err != nil { // it is being started again, or the demo ends
		http.Error(w, "Postern does not answer.", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(f) // a browser that left is its own loss
}
