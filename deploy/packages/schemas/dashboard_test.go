package schemas_test

import (
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestDashboard decodes the dashboard into Grafana's own types, which know every field of the panels and the queries, and take no other.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("../../monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	// Of no errors the types make an error without a text.
	if err := d.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	if len(d.Panels) < 50 {
		t.Errorf("got %d panels, the search is broken", len(d.Panels))
	}
}
