// Package webclient serves Converse.js, an XMPP client for browsers, as its package of npm holds it.
package webclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// Dist is where deploy/dev/install.sh puts the client, below the checkout.
const Dist = ".cache/converse-14.0.0/dist"

// Login is who is logged in when the page opens.
type Login struct {
	JID, Password string
	// Socket is the server's WebSocket (RFC 7395).
	Socket string
}

// page is all that a site needs to embed the client. It writes to nobody but the server.
const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Converse</title>
<link rel="stylesheet" href="dist/converse.min.css">
<script type="module" src="dist/converse.min.js"></script></head>
<body class="converse-fullscreen"><script type="module">
converse.initialize(%s);
</script></body></html>`

// Site serves the client for one user, from the files in dist, below prefix ("/" or "/client/").
func Site(dist, prefix string, l Login) (http.Handler, error) {
	if _, err := os.Stat(filepath.Join(dist, "converse.min.js")); err != nil {
		return nil, fmt.Errorf("webclient: Converse.js is missing: run deploy/dev/install.sh test: %w", err)
	}
	settings, err := json.Marshal(map[string]any{
		"authentication": "login", "auto_login": true, "jid": l.JID, "password": l.Password, "websocket_url": l.Socket,
		"discover_connection_methods": false, "view_mode": "fullscreen", "assets_path": prefix + "dist", "i18n": "en", "play_sounds": false,
		"persistent_store": "sessionStorage", "auto_away": 0, "theme": "classic", "show_client_info": false,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"dist/", http.StripPrefix(prefix+"dist/", http.FileServer(http.Dir(dist))))
	mux.HandleFunc(prefix+"{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, page, settings) // a browser that left is its own loss
	})
	return mux, nil
}
