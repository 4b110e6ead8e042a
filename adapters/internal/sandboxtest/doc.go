// Package sandboxtest is what the tests of the adapters share in front of their simulators: a Sandbox is a simulator behind a real
// listener, with a clock that can be moved and a place where its webhooks are kept.
//
// What differs from platform to platform stays in the adapter's own tests, which embed a Sandbox: accounts, how one is linked, and the
// tables. What an adapter of any platform has to do is in package adaptertest.
package sandboxtest
