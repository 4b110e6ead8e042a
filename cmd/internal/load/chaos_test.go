//go:build servers && chaos

package load

import "testing"

// TestChaosMixed is the large run: 10,000 messages each way.
func TestChaosMixed(t *testing.T) { mixed(t, 5, 16, 10_000) }
