package soak

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// record makes ten minutes of samples of one series.
func record(f func(second float64) float64, growth, slack float64) *Record {
	r := &Record{Series: []*Series{{Name: "heap", Unit: "MiB", Growth: growth, Slack: slack}}}
	for n := range 600 {
		r.Add(time.Duration(n)*time.Second, f(float64(n)))
	}
	return r
}

func TestTrends(t *testing.T) {
	for name, tt := range map[string]struct {
		f             func(float64) float64
		growth, slack float64
		flat          bool
	}{
		"the same":                    {func(float64) float64 { return 50 }, 0.1, 0, true},
		"saw of a garbage collector":  {func(s float64) float64 { return 50 + 20*math.Mod(s, 13)/13 }, 0.1, 0, true},
		"fills first, then stays":     {func(s float64) float64 { return 100 * min(1, 0.2+s/200) }, 0.1, 0, true},
		"falls":                       {func(s float64) float64 { return 100 - s/10 }, 0.1, 0, true},
		"leaks a quarter in the half": {func(s float64) float64 { return 100 + s/10 }, 0.1, 0, false},
		"leak under a saw":            {func(s float64) float64 { return 100 + s/10 + 20*math.Mod(s, 13)/13 }, 0.1, 0, false},
		"a few more of few":           {func(s float64) float64 { return 5 + s/150 }, 0.05, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := record(tt.f, tt.growth, tt.slack).Trends()
			if len(got) != 1 || got[0].Flat() != tt.flat {
				t.Errorf("got %v, want flat %t", got, tt.flat)
			}
		})
	}
	leak := record(func(s float64) float64 { return 100 + s/10 }, 0.1, 0).Trends()[0]
	if math.Abs(leak.Rise-29.9) > 0.1 || math.Abs(leak.Mean-145) > 0.1 {
		t.Errorf("got %s, want a mean of 145 and a rise of 29.9", leak)
	}
	if got := (&Record{Series: []*Series{{}}}).Trends(); got != nil {
		t.Errorf("without samples: got %v, want none", got)
	}
}

func TestFiles(t *testing.T) {
	r := record(func(s float64) float64 { return s }, 0.1, 0)
	var table, picture strings.Builder
	if err := errors.Join(r.CSV(&table), r.SVG(&picture, "30 min & more")); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if len(lines) != 601 || lines[0] != "seconds,heap (MiB)" || lines[600] != "599.0,599" {
		t.Errorf("table: got %d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	d := xml.NewDecoder(strings.NewReader(picture.String()))
	points := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "polyline" {
			points += len(strings.Fields(e.Attr[0].Value))
		}
	}
	if points != 600 {
		t.Errorf("picture: got %d points, want 600", points)
	}
}
