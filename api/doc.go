// Package api is the HTTP side: what platforms call (webhooks, published keys) and users' clients (files), and what the
// operator's tools call (health, metrics). The two are separate handlers for separate addresses; openapi.yaml describes both.
//
//	Public: POST, GET /hooks/{instance}[/{token}]   webhook intake
//	        GET /.well-known/...                    documents that adapters publish
//	        GET, HEAD /m/{token}/{name}             files of the own store
//	Admin:  GET /healthz /readyz /metrics
//	        /v1/...                                 the operator's tools, with a bearer token
//	        /console/...                            the operator's pages (package console)
//
// Errors are problem details (RFC 9457). Nothing of a request's content, query or credentials is logged.
package api
