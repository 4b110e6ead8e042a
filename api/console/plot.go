package console

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A plot is 240 units wide, one for each look of the last hour, and 100 high; the page stretches it.
const (
	plotWidth  = kept
	plotHeight = 100
)

// line is one line of a plot: a value for each sample, NaN for none.
type line struct {
	class string
	at    func(sample) float64
}

// plotView is a plot for the page. Label says in words what it shows.
type plotView struct {
	Label string
	Lines []plotLine
	Large bool
}

type plotLine struct{ Class, Path string }

// plot draws lines over the last hour, with 0 at the foot and the highest value of all at the head.
func plot(samples []sample, now time.Time, lines ...line) (out plotView, most float64) {
	for _, l := range lines {
		for _, s := range samples {
			if v := l.at(s); v > most { // never for NaN
				most = v
			}
		}
	}
	out.Lines = append(out.Lines, plotLine{"base", fmt.Sprintf("M0 %d H%d", plotHeight, plotWidth)})
	for _, l := range lines {
		if path := drawn(samples, now, l, most); path != "" {
			out.Lines = append(out.Lines, plotLine{l.class, path})
		}
	}
	return out, most
}

// drawn is the path of one line: gaps where there is no value, a dot where a value stands alone.
func drawn(samples []sample, now time.Time, l line, most float64) string {
	if most == 0 {
		return ""
	}
	var b strings.Builder
	var run [][2]int
	end := func() {
		for i, p := range run {
			switch {
			case i == 0:
				fmt.Fprintf(&b, "M%d %d", p[0], p[1])
			case i < len(run)-1 && p[1] == run[i-1][1] && p[1] == run[i+1][1]: // amid what is level
			default:
				fmt.Fprintf(&b, "L%d %d", p[0], p[1])
			}
		}
		if len(run) == 1 {
			b.WriteString("h2") // as wide as it is high, about
		}
		run = run[:0]
	}
	for _, s := range samples {
		v := l.at(s)
		if math.IsNaN(v) {
			end()
			continue
		}
		x := math.Round(plotWidth * (1 - now.Sub(s.at).Seconds()/span.Seconds()))
		run = append(run, [2]int{max(0, int(x)), int(math.Round(plotHeight * (1 - v/most)))})
	}
	end()
	return b.String()
}

// perMinute turns what a sample counted into a rate.
func (s sample) perMinute(n float32) float64 {
	if s.took <= 0 {
		return 0
	}
	return float64(n) * float64(time.Minute) / float64(s.took)
}

// rate is how much was counted a minute in the newest samples, at most four.
func rate(samples []sample, of func(sample) float32) float64 {
	var n float64
	var took time.Duration
	for _, s := range samples[max(0, len(samples)-4):] {
		n, took = n+float64(of(s)), took+s.took
	}
	if took <= 0 {
		return 0
	}
	return n * float64(time.Minute) / float64(took)
}

// newest is the last value that was measured in the last five minutes, NaN for none.
func newest(samples []sample, of func(sample) float32) float64 {
	for i := len(samples) - 1; i >= max(0, len(samples)-20); i-- {
		if v := float64(of(samples[i])); !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

// number writes a rate or count in few digits.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10 && v != math.Trunc(v):
		return fmt.Sprintf("%.1f", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // a narrow space between thousands
	}
	return s
}

// took writes seconds, a dash where nothing was measured.
func took(seconds float64) string {
	switch {
	case math.IsNaN(seconds):
		return "–"
	case seconds < .01:
		return fmt.Sprintf("%.1f ms", seconds*1000)
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	case seconds < 120:
		return fmt.Sprintf("%.1f s", seconds)
	}
	return age(time.Duration(seconds * float64(time.Second)))
}

// age writes a time span in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d/time.Second)))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

// size writes bytes.
func size(v float64) string {
	switch {
	case v >= 1<<30:
		return fmt.Sprintf("%.1f GiB", v/(1<<30))
	case v >= 1<<20:
		return fmt.Sprintf("%.0f MiB", v/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", v/(1<<10))
}
