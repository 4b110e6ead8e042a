package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/helpers"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"postern/adapters/gatekeeper/openapi"
)

// contract is the OpenAPI document made executable: every request is held against it before an operation sees it.
type contract struct {
	validator validator.Validator
	ops       []*operation
}

// operation is one method on one path of the document.
type operation struct {
	id      string
	method  string
	path    string // template, as "/v1/messages/{message_id}"
	item    *v3.PathItem
	query   map[string]bool
	hasBody bool
	secured bool // by the partner's bearer token
	asUser  bool // needs GIA-User-Assertion
	keyed   bool // needs Idempotency-Key
}

// compiled gives the contract. The document is a constant of the program and compiling it takes most of a second, so it is done
// once; nothing changes a contract afterwards, apart from the validator's own caches.
var compiled = sync.OnceValues(newContract)

func newContract() (*contract, error) {
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		return nil, fmt.Errorf("simulator: read document: %w", err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("simulator: read document: %w", err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithoutSecurityValidation(),
		config.WithURLEncodedBodyValidation(), config.WithRejectUndeclaredRequestBody())
	if len(errs) > 0 {
		return nil, fmt.Errorf("simulator: compile document: %w", errors.Join(errs...))
	}
	c := &contract{validator: v}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			if len(op.Tags) > 0 && op.Tags[0] == "partner" { // served by the other side
				continue
			}
			c.ops = append(c.ops, newOperation(strings.ToUpper(method), path, item, op))
		}
	}
	return c, nil
}

func newOperation(method, path string, item *v3.PathItem, op *v3.Operation) *operation {
	o := &operation{
		id: op.OperationId, method: method, path: path, item: item, query: map[string]bool{},
		hasBody: op.RequestBody != nil, secured: op.Security == nil || len(op.Security) > 0,
	}
	for _, list := range [][]*v3.Parameter{item.Parameters, op.Parameters} {
		for _, p := range list {
			required := p.Required != nil && *p.Required
			switch {
			case p.In == "query":
				o.query[p.Name] = true
			case p.Name == "GIA-User-Assertion":
				o.asUser = required
			case p.Name == "Idempotency-Key":
				o.keyed = required
			}
		}
	}
	return o
}

// check holds a request against the document. The body was read before and is served again by r.Body.
func (c *contract) check(op *operation, r *http.Request, body []byte) *problem {
	for name, values := range r.URL.Query() {
		if !op.query[name] {
			return invalid(name, "the document does not describe this query parameter")
		}
		if len(values) > 1 {
			return invalid(name, "given more than once")
		}
	}
	// The validator lets a body without Content-Type pass where the body is optional.
	if op.hasBody && len(body) > 0 && r.Header.Get("Content-Type") == "" {
		p := fail("unsupported_type", "a body needs a Content-Type")
		p.Param = "Content-Type"
		return p
	}
	ok, errs := c.validator.ValidateHttpRequestSyncWithPathItem(r, op.item, op.path)
	if ok {
		return nil
	}
	return explain(errs)
}

// explain turns the first complaint of the validator into a problem that names the field.
func explain(errs []*verrors.ValidationError) *problem {
	if len(errs) == 0 {
		return invalid("", "the request does not follow the document")
	}
	e := errs[0]
	if e.ValidationSubType == helpers.RequestBodyContentType {
		p := fail("unsupported_type", e.Message)
		p.Param = "Content-Type"
		return p
	}
	param, detail := e.ParameterName, e.Message
	if len(e.SchemaValidationErrors) > 0 {
		param, detail = deepest(e, param)
	}
	if param == "" && e.ValidationType == helpers.RequestBodyValidation {
		param = "body"
	}
	return invalid(param, detail)
}

// deepest picks the failure that lies deepest in the body: the others are its consequences. Fields that are not described are
// named themselves.
func deepest(e *verrors.ValidationError, param string) (name, detail string) {
	best := e.SchemaValidationErrors[0]
	for _, f := range e.SchemaValidationErrors[1:] {
		if len(f.InstancePath) > len(best.InstancePath) {
			best = f
		}
	}
	for _, f := range e.SchemaValidationErrors {
		if f.OriginalJsonSchemaError == nil {
			continue
		}
		for _, leaf := range leaves(f.OriginalJsonSchemaError) {
			at := "/" + strings.Join(leaf.InstanceLocation, "/")
			switch k := leaf.ErrorKind.(type) {
			case *kind.AdditionalProperties:
				return strings.TrimSuffix(at, "/") + "/" + k.Properties[0], "the document does not describe this field"
			case *kind.Required:
				return strings.TrimSuffix(at, "/") + "/" + k.Missing[0], "missing"
			}
		}
	}
	if len(best.InstancePath) > 0 {
		return "/" + strings.Join(best.InstancePath, "/"), best.Reason
	}
	if param == "" {
		param = "body"
	}
	return param, best.Reason
}

// leaves are the innermost failures of a schema error.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}
