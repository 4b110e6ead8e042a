package api

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	"github.com/prometheus/client_golang/prometheus"
)

// TestDocumentMatchesRoutes compares what openapi.yaml lists with what the routers serve.
func TestDocumentMatchesRoutes(t *testing.T) {
	raw, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	admin := Admin(AdminConfig{Metrics: prometheus.NewRegistry(), Control: &Control{}, Log: slog.New(slog.DiscardHandler)})
	for _, h := range []http.Handler{public(&receiver{}, io.Discard), admin} {
		err := chi.Walk(h.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
			served = append(served, method+" "+strings.Replace(route, "/*", "/{document}", 1))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("documented and served (-documented +served):\n%s", diff)
	}
}
