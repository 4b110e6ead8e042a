// Package load plays a conversation of all platforms at once through one Postern, with faults of every kind, and counts what comes of it.
//
// A real Prosody, a real Redis, the simulator of each platform, users at their clients and people on each platform: every user
// has an account on every platform, and writes with each of its people while requests fail, answers are lost and webhooks come
// twice, forged or late. Nothing may be lost, overtaken or told as an error, nothing may come twice where the platform has a key
// against that, and no platform may be asked for more than it allows.
//
//	report.go          what is wanted of each platform, and the table that is printed; pure
//	platforms.go       the platforms: one entry for each
//	faults_test.go     what goes wrong on each (tag servers; so are the rest)
//	rig_test.go        servers, simulators, Postern, users
//	drive_test.go      who writes what when, and when all is over
//	load_test.go       the small run; chaos_test.go (tag chaos) the large one: make chaos ARGS="-run '^TestChaosMixed'"
package load
