package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStyling(t *testing.T) {
	span := func(start, length int, s SpanStyle) Span { return Span{Start: start, Length: length, Style: s} }
	for _, tt := range []struct {
		name, in, want string
		spans          []Span
	}{
		{"plain", "hello", "hello", nil},
		{"strong", "so *bold* this", "so bold this", []Span{span(3, 4, SpanStrong)}},
		{"all four", "*a* _b_ ~c~ `d`", "a b c d", []Span{span(0, 1, SpanStrong), span(2, 1, SpanEmphasis), span(4, 1, SpanDeleted), span(6, 1, SpanCode)}},
		{"nested", "*_🎂 both_*", "🎂 both", []Span{span(0, 6, SpanStrong), span(0, 6, SpanEmphasis)}},
		{"nothing in code", "`*x*`", "*x*", []Span{span(0, 3, SpanCode)}},
		{"lazy", "*strong*plain*", "strongplain*", []Span{span(0, 6, SpanStrong)}},
		{"inside a word", "2*3*4 snake_case_name", "2*3*4 snake_case_name", nil},
		{"space inside", "* not * bold", "* not * bold", nil},
		{"space before the end", "*not *bold", "*not *bold", nil},
		{"over lines", "*not\nbold*", "*not\nbold*", nil},
		{"empty", "** __ ~~ ``", "** __ ~~ ``", nil},
		{"lonely", "*", "*", nil},
		{"a link", "https://x.example/_a_b_", "https://x.example/_a_b_", nil},
		{"quote", "> she said\n> so\nyes", "she said\nso\nyes", []Span{span(0, 11, SpanQuote)}},
		{"quote in a quote", ">> deep\n> less", "deep\nless", []Span{span(0, 9, SpanQuote), span(0, 4, SpanQuote)}},
		{"quote behind a line", "so\n> *she*", "so\nshe", []Span{span(3, 3, SpanQuote), span(3, 3, SpanStrong)}},
		{"fence", "look:\n```go\nx := *y*\n\nz\n```\nok", "look:\nx := *y*\n\nz\nok", []Span{span(6, 11, SpanPre)}},
		{"fence without end", "```\nx", "```\nx", nil},
		{"blank lines stay", "a\n\n\nb\n", "a\n\n\nb\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseStyling(tt.in)
			if d := cmp.Diff(Text{Text: tt.want, Spans: tt.spans}, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// cutText returns the code points [from, to) of a text with the spans that lie there.
func cutText(t Text, from, to int) Text {
	return Text{Text: string([]rune(t.Text)[from:to]), Spans: CutSpans(t.Spans, from, to)}
}

// TestStyledAgain: what was read is written as it was typed, and its runs are where the words are.
func TestStyledAgain(t *testing.T) {
	for _, in := range []string{
		"so *bold* this", "*a* _b_ ~c~ `d`", "*_🎂 both_*", "> she said\n> so\nyes", "> > deep\n> less", "so\n> *she*",
		"look:\n```\nx := *y*\n\nz\n```\nok", "2*3*4", "🎂 *🎂* 👨‍👩‍👧 _שלום_",
	} {
		read := ParseStyling(in)
		got, runs := Styled(read)
		if got != in {
			t.Errorf("got %q, want %q", got, in)
		}
		for i, r := range runs {
			if r.Style == SpanQuote || r.Style == SpanPre || len(runs) != len(read.Spans) {
				continue
			}
			s := read.Spans[i]
			inner, _ := Styled(cutText(Text{Text: read.Text, Spans: read.Spans[i+1:]}, s.Start, s.Start+s.Length))
			if here := string([]rune(got)[r.Start : r.Start+r.Length]); here != inner && !strings.Contains(inner, here) {
				t.Errorf("%q: run %d is over %q, want %q", in, i, here, inner)
			}
		}
	}
}

func TestStyledSaysTheRest(t *testing.T) {
	for _, tt := range []struct {
		in   Text
		want string
	}{
		{Text{Text: "he dies", Spans: []Span{{Start: 3, Length: 4, Style: SpanSpoiler}}}, "he ||dies||"},
		{Text{Text: "see here", Spans: []Span{{Start: 4, Length: 4, Style: SpanLink, URL: "https://x.example"}}}, "see here (https://x.example)"},
		{Text{Text: "see\nhere\n", Spans: []Span{{Length: 9, Style: SpanLink, URL: "https://x.example"}}}, "see\nhere (https://x.example)\n"},
		{Text{Text: "a b", Spans: []Span{{Start: 2, Length: 1, Style: SpanPre}}}, "a `b`"},
		{Text{Text: "hi Anna", Spans: []Span{{Start: 3, Length: 4, Style: SpanMention}}}, "hi Anna"},
		{Text{Text: "x", Spans: []Span{{Start: 9, Length: -3, Style: SpanStrong}}}, "x"},
		{Text{Text: "xy", Spans: []Span{{Start: 1, Length: 1 << 62, Style: SpanStrong}}}, "x*y*"},
	} {
		if got, _ := Styled(tt.in); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// Texts that are all marks are read and written in a time that goes by their length, and grow by marks alone.
func TestStylingIsBounded(t *testing.T) {
	const lines = 40_000
	began := time.Now()
	for _, s := range []string{"```x\n", "```\na\n```\n", "> ```x\n", "*a _b ~c\n", "*_~`*_~`\n", ">>>>>>>>>\n"} {
		if got := ParseStyling(strings.Repeat(s, lines)); len(got.Spans) > maxStyles+2*maxQuoteDepth {
			t.Errorf("%q: got %d spans, want no more than are read", s, len(got.Spans))
		}
	}
	for _, style := range []SpanStyle{SpanQuote, SpanStrong, SpanLink, SpanPre, SpanSpoiler} {
		in := Text{Text: strings.Repeat("a\n", lines)}
		for range 5000 {
			in.Spans = append(in.Spans, Span{Length: 2 * lines, Style: style, URL: "https://x.example/"})
		}
		if got, _ := Styled(in); len(got) > len(in.Text)+40*maxMarks {
			t.Errorf("%s: %d bytes became %d", style, len(in.Text), len(got))
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzParseStyling(f *testing.F) {
	for _, s := range []string{"*a* _b_", "> > x\n```\ny\n```", strings.Repeat("*_~`", 50), "*🎂*\n>", "```\n```"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ParseStyling(s)
		n := len([]rune(got.Text))
		for _, sp := range got.Spans {
			if sp.Start < 0 || sp.Length < 0 || sp.Start+sp.Length > n {
				t.Fatalf("%q: got span %+v over %d code points", s, sp, n)
			}
		}
		rest := []rune(s)
		for _, r := range got.Text {
			i := 0
			for i < len(rest) && rest[i] != r {
				i++
			}
			if i == len(rest) {
				t.Fatalf("%q became %q: %q came from nowhere", s, got.Text, r)
			}
			rest = rest[i+1:]
		}
	})
}

// Spans of any shape over any text give text that holds every character of the original, and runs inside of it.
func FuzzStyled(f *testing.F) {
	f.Add("bold 🎂 it\nmore", 0, 7, 5, 30)
	f.Add("x", -4, 1<<40, 1, -1)
	f.Fuzz(func(t *testing.T, s string, a, al, b, bl int) {
		got, runs := Styled(Text{Text: s, Spans: []Span{
			{Start: a, Length: al, Style: SpanStrong}, {Start: b, Length: bl, Style: SpanQuote}, {Start: b, Length: al, Style: SpanPre},
		}})
		rest := []rune(got)
		for _, r := range runs {
			if r.Start < 0 || r.Length < 1 || r.Start+r.Length > len(rest) {
				t.Fatalf("%q: got run %+v over %d code points", s, r, len(rest))
			}
		}
		for _, r := range s {
			i := 0
			for i < len(rest) && rest[i] != r {
				i++
			}
			if i == len(rest) {
				t.Fatalf("%q became %q: %q is missing or out of order", s, got, r)
			}
			rest = rest[i+1:]
		}
	})
}
