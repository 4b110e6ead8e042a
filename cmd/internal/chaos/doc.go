// Package chaos kills the gateway, and what stands around it, at every point of the path, and counts what that costs.
//
// Its tests run with the build tags servers and chaos (make chaos): a real Prosody, a real Redis with an append-only file, the
// sandbox of the gatekeeper, and Postern as a child process that kills itself at a point of the path.
//
//	history.go      what was sent, what arrived, what went wrong on purpose
//	file.go         the messages that are files
//	judge.go        the checker: a History to a Report, pure
//	report.go       the table that is printed
//	chaos_test.go   the runs (tags servers, chaos); rig_test.go, driver_test.go, files_test.go, phases_test.go are their parts
package chaos
