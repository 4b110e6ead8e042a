// Package story plays whole conversations: a real XMPP server, a real Redis, the sandbox gatekeeper, Postern, and a user's
// client of their own. It holds nothing but tests, which carry the build tag servers.
package story
