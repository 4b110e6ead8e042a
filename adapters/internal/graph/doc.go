// Package graph holds what the platforms of Meta have in common: the check of a webhook's address, the signature on its raw body,
// the client of the Graph API with appsecret_proof, the error envelope with its general codes, the usage headers, and the exchange
// of a login's code for a token.
//
// Written against Graph API Reference v24.0 and v25.0: "Webhooks, Getting Started", "Secure Graph API Calls", "Handling Errors",
// "Rate Limits" and "Manually Build a Login Flow" (https://developers.facebook.com/docs/graph-api).
//
// Nothing here quotes what the API says in prose: its messages repeat phone numbers and pieces of tokens.
package graph
