package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func TestParseRate(t *testing.T) {
	for in, want := range map[string]Rate{
		"": {}, "off": {}, "300/1m": {300, time.Minute}, "1/24h": {1, 24 * time.Hour}, "50/1m30s": {50, 90 * time.Second}, "1000000/1s": {1_000_000, time.Second},
	} {
		if got, ok := parseRate(in); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, ok, want)
		}
		if again, ok := parseRate(want.String()); !ok || again != want {
			t.Errorf("%s as written: got %v, %v, want %v", want, again, ok, want)
		}
	}
	for _, in := range []string{"300", "0/1m", "-1/1m", "300/", "/1m", "300/m", "300/1ms", "300/1y", "300 / 1m", "1.5/1m", "2000000/1s", "99999999999/1m", "1/1000h", "on"} {
		if got, ok := parseRate(in); ok {
			t.Errorf("%q: got %v, want none", in, got)
		}
	}
}

func TestLimitsAsBuckets(t *testing.T) {
	l := Limits{User: Rate{300, time.Minute}, App: Rate{30, time.Second}}
	want := []gateway.Limit{
		{Scope: gateway.LimitUser, Every: 200 * time.Millisecond, Burst: 300}, {Scope: gateway.LimitApp, Every: time.Second / 30, Burst: 30},
	}
	if d := cmp.Diff(want, l.all()); d != "" {
		t.Errorf("limits (-want +got):\n%s", d)
	}
}
