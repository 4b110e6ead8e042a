package soak

import (
	"fmt"
	"io"
	"strings"
)

// Sizes of the picture, in the units of SVG.
const (
	width    = 800
	panel    = 110 // height of one series
	left     = 90
	top      = 24
	plotWide = width - left - 20
	plotHigh = panel - 40
)

// SVG draws every series over time, one below the other, each from zero to its maximum, with the trend of the second half.
func (r *Record) SVG(w io.Writer, title string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='11'>\n", width, top+panel*len(r.Series))
	fmt.Fprintf(&b, "<rect width='100%%' height='100%%' fill='white'/>\n<text x='%d' y='16' font-size='13'>%s</text>\n", left, escape(title))
	trends := r.Trends()
	for i, s := range r.Series {
		r.draw(&b, s, top+panel*i+24)
		if i < len(trends) {
			t := trends[i]
			fmt.Fprintf(&b, "<text x='%d' y='%d' fill='%s'>%s</text>\n", left, top+panel*i+16, colour(t.Flat()), escape(t.String()))
		}
	}
	b.WriteString("</svg>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return nil
}

// draw puts one series into the box whose upper edge is y.
func (r *Record) draw(b *strings.Builder, s *Series, y int) {
	_, most := bounds(s.Values)
	if most <= 0 {
		most = 1
	}
	fmt.Fprintf(b, "<rect x='%d' y='%d' width='%d' height='%d' fill='none' stroke='#bbb'/>\n", left, y, plotWide, plotHigh)
	fmt.Fprintf(b, "<text x='%d' y='%d' text-anchor='end'>%.4g</text><text x='%d' y='%d' text-anchor='end'>0</text>\n", left-4, y+10, most, left-4, y+plotHigh)
	if len(r.At) < 2 {
		return
	}
	end := r.At[len(r.At)-1]
	var points strings.Builder
	for i, v := range s.Values {
		x := left + plotWide*float64(r.At[i])/float64(end)
		fmt.Fprintf(&points, "%.1f,%.1f ", x, float64(y+plotHigh)-float64(plotHigh)*v/most)
	}
	fmt.Fprintf(b, "<polyline points='%s' fill='none' stroke='#2563a8'/>\n", strings.TrimSpace(points.String()))
	fmt.Fprintf(b, "<text x='%d' y='%d' text-anchor='end'>%s</text>\n", left+plotWide, y+plotHigh+12, end.Round(1e9))
}

func colour(flat bool) string {
	if flat {
		return "#333"
	}
	return "#b00"
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&apos;").Replace(text)
}
