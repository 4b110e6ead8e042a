// Package bench measures the whole path, from a user's client through a real Prosody and Redis to a platform and back, beside
// the least that any gateway must do.
//
// make bench runs TestBench (tags servers, bench), prints a table and writes the figures to bin/artefacts/bench.json; the floor (folder
// floor) is measured in the same run, so that what travels to other machines is ratios. The same floor and Postern are measured on an
// ejabberd as well, and Postern before the simulator of each platform.
//
// Some of it only, and what became of the figures of an earlier run (files by their whole path):
//
//	make bench ARGS="-parts systems -contacts 10,100000 -against /tmp/old.json"
//
// -parts (systems, ejabberd, simulators, slow) and -contacts pick what to measure, -length says how long each load lasts and -drip how long
// those at 100 messages a second, of which the slowest of a thousand is asked for. -profiles takes profiles of Postern: of the
// processor in each flood, of the heap and of all stacks after it; -heaps notes allocations more closely, at a tenth of the processor's time.
//
// Of memory the table tells what is resident, what of that no file holds (the program's own pages are the file's, and the kernel takes
// them back when it needs the room), what of the heap is live, and what waits for the collector.
//
// Two builds beside each other, floods only, three times in turn; -beside is a program built with the tag bench:
//
//	go test -tags servers,bench -run '^TestBench' -v ./cmd/internal/bench -args -parts pairs -contacts "" -beside old -rounds 3
//
// Towards users the load itself, one signed HTTP request per message from the measuring process, is what limits the floor.
//
//	load.go              users at their clients and people at the platform, sending and timing
//	scripted.go          an XMPP server that costs next to nothing
//	platform.go          the platform: a stub that answers the calls of the gatekeeper adapter and signs webhooks
//	report.go            the table and the JSON file; report_more.go what is of Postern alone in them
//	compare.go           what became of an earlier run's figures
//	bench_test.go        the run (tags servers, bench; so are the rest)
//	systems_test.go      the floor and Postern, with a stub as platform
//	simulators_test.go   Postern before the simulator of each platform
//	scale_test.go        a slow platform, and contacts up to a million
//	loads_test.go        one load with its figures; memory_test.go those of memory
package bench
