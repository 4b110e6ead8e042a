// Package console is the operator's web console below /console: pages that the program renders itself, for who has a token. It makes the
// same calls as /v1, under the same roles, and writes the same lines into the audit log; it is no second API.
//
// Signing in turns a token into a session of this process, named by a cookie. A session keeps no secret: each request asks whether the
// token still holds. What changes something is a form, with a word of the session in it; a form from elsewhere is refused. Everything
// works without the script, which only keeps pages fresh.
package console
