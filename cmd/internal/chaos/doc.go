// Package chaos kills the gateway, and breaks what stands around it, and counts what that costs.
//
// Its tests run on real servers, with the sandbox of the gatekeeper, and Postern as a child process that is built with its faults:
// with a fixed plan that kills it at every point of the path (make chaos), with random schedules in every combination of servers
// (also make chaos; a few in make test), and for long without any fault (make soak).
//
//	history.go      what was sent, what arrived, what went wrong on purpose
//	file.go         the messages that are files
//	judge.go        the checker: a History to a Report, pure
//	report.go       the table that is printed
//	schedule.go     the random schedules: a seed and a cell to a list of faults, pure; totals.go adds up what comes of them
//	chaos_test.go   the fixed runs (tags servers, chaos) with phases_test.go
//	random_test.go  the random runs, with random_chaos_test.go (tag chaos): cell_test.go plays a schedule, spoil_test.go has the faults
//	forget_test.go  a server that forgets what it has answered for (tag servers)
//	soak_test.go    the long run (tags servers, soak)
//	rig_test.go     servers and users of all of them (tag servers), with driver_test.go, end_test.go, files_test.go, journal_test.go, waits_test.go
package chaos
