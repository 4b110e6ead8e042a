package gatekeeper_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	validatorconfig "github.com/pb33f/libopenapi-validator/config"

	"postern/adapters/gatekeeper/openapi"
)

// documentCheck returns a check of requests against the OpenAPI document.
func documentCheck(t *testing.T) func(*http.Request) error {
	t.Helper()
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, validatorconfig.WithFormatAssertions(), validatorconfig.WithoutSecurityValidation(), validatorconfig.WithURLEncodedBodyValidation())
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	return func(r *http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/v1/messages/..") {
			// The golden that shows an id which is none: the gatekeeper refuses it.
			return nil
		}
		ok, found := v.ValidateHttpRequestSync(r)
		if ok {
			return nil
		}
		e := found[0]
		if len(e.SchemaValidationErrors) > 0 {
			return fmt.Errorf("%s: %s", e.Message, e.SchemaValidationErrors[0].Reason)
		}
		return fmt.Errorf("%s: %s", e.Message, e.Reason)
	}
}
