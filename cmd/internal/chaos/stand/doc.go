// Package stand sets up a whole installation for tests that need one: Prosody, Redis, a platform, Postern as child processes,
// users at their clients and people on the platform who know each other.
//
// It stands on package lab for the servers and on package user for the clients. The platform is any handler: the sandbox of
// the gatekeeper, or something smaller.
package stand
