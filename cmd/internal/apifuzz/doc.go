// Package apifuzz runs a fuzzer of the field, Schemathesis, against the operator's side of the real program, and holds every answer against
// openapi.yaml. What no client library lets through, such as methods that do not exist and paths that leave their place, it sends itself.
package apifuzz
