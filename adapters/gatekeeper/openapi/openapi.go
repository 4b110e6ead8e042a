// Package openapi carries the OpenAPI 3.1 document of the Gatekeeper Interop API, the contract between a gatekeeper and a
// partner, so that the adapter, the sandbox and their tests read one and the same text.
package openapi

import _ "embed"

//go:embed openapi.yaml
var document string

// Version is the contract version that the document describes and that the GIA-Version header carries.
const Version = "2026-11-01"

// Document returns the document as YAML, UTF-8. The caller owns the slice.
func Document() []byte { return []byte(document) }
