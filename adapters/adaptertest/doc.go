// Package adaptertest is the conformance kit that every adapter passes: what the core relies on, as tests.
//
// An adapter's test builds a Harness around a fake of its platform and calls Run. The kit owns the adapter's network: all of
// its requests pass a Wire that counts, records, delays, refuses, loses and answers. Nothing here knows a platform.
//
//	registration  defaults, strict configuration, no I/O at New, the same Descriptor each time
//	verify        good, changed, missing, old, early, another instance's signature
//	parse         goldens, purity, equal keys on redelivery, distinct keys otherwise, mutations, features that Caps promises
//	render        goldens of the requests that each op becomes
//	echo          an op is recognised in what the platform tells of it
//	send          each declared feature really sends, each other is refused before I/O; cancellation; accounts apart
//	media         files go both ways as streams; the same file again is the same handle; no other account reads it
//	profiles      names and pictures, asked for and told
//	moderation    blocks and reports arrive, twice as once
//	native        what the user does in the platform's own app is the user's
//	errors        recorded answers to exact classes; dialling, time-out after the body, Retry-After
//	order         100 sends in one lane arrive once and in order through latency, 503s and lost answers
//	limits        the longest text and one more; the age of edits and retractions
//	login         repeated, wrong and cancelled steps, a restart between steps, unlinking twice
//	restart       a send repeated by a new process has one effect
//	window        a reply window that is shut is the platform's word, and asking to write again passes it; else there is no asking
//	share         a line needs no I/O, its invites bring their token back
//	poll          nothing is confirmed that is not durable; polling ends with its caller, and when somebody else polls
//	probe         what the operator configured is found, or refused in words, and nothing is changed
//	secrets       no failure of the network tells an address or what stands in it
//	leaks         no goroutine stays
//
// Every group also fails when a secret or the text of a message appears in an error, a log line or a printed value.
package adaptertest
