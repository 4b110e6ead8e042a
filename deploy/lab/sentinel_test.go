//go:build servers

package lab_test

import (
	"testing"

	"postern/deploy/lab"
)

// TestRedisSentinel loses the master: a replica takes its place, with what it had, and takes the old one back as a replica.
func TestRedisSentinel(t *testing.T) {
	ctx := deadline(t)
	s, err := lab.ForTest(t).StartRedisSentinel(ctx, 2, lab.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	first, second := s.Nodes[0], s.Nodes[1]
	if _, err := first.Do(ctx, "SET", "k", "v"); err != nil {
		t.Fatal(err)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Moved(ctx, first); err != nil {
		t.Fatal(err)
	}
	if err := first.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Master(ctx); err != nil || m != second {
		t.Errorf("master after the failover: got %v, %v, want the second node", m, err)
	}
	if v, err := second.Do(ctx, "GET", "k"); err != nil || v != "v" {
		t.Errorf("GET after the failover: got %v, %v, want v", v, err)
	}
}
