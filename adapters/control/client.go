package control

import "net/http"

// Client speaks the control API of one sandbox.
type Client struct {
	// URL is the origin of the sandbox.
	URL string
	// HTTP makes the requests. Nil: http.DefaultClient. InProcess makes one that needs no network.
	HTTP *http.Client
}
