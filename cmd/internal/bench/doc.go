// Package bench measures the whole path, from a user's client through a real Prosody and Redis to a platform and back, beside
// the least that any gateway must do.
//
// make bench runs TestBench (tags servers, bench) and prints a table; the floor (folder floor) is measured in the same run, so
// that what travels to other machines is ratios.
//
// The figures as JSON, and what became of those of an earlier run:
//
//	go test -tags servers,bench -run '^TestBench' -v ./cmd/internal/bench -args -out new.json -against old.json
//
// -parts and -contacts pick what to measure, -length says how long each load lasts, -profiles takes CPU profiles of Postern.
//
// Two builds beside each other, floods only, three times in turn; -beside is a program built with the tag bench:
//
//	go test -tags servers,bench -run '^TestBench' -v ./cmd/internal/bench -args -parts pairs -contacts "" -beside old -rounds 3
//
// Towards users the load itself, one signed HTTP request per message from the measuring process, is what limits the floor.
//
//	load.go       users at their clients and people at the platform, sending and timing
//	platform.go   the platform: a stub that answers the calls of the gatekeeper adapter and signs webhooks
//	report.go     the table and the JSON file
//	compare.go    what became of an earlier run's figures
package bench
