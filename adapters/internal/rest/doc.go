// Package rest is the small JSON client that the adapters' client.go files are written with: it builds requests, bounds
// time and size, and tells of a failure what the core needs to know: whether the request reached the wire, and when to try again.
//
// Its errors never hold a URL, a header or a body: addresses of some platforms carry the token.
package rest
