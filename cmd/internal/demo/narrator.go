package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// width is the most characters of a printed line.
const width = 116

// narrator prints the play.
type narrator struct {
	out   io.Writer
	color bool
	began time.Time
	steps int
}

// ANSI colours (ECMA-48, SGR).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	cyan   = "36"
	violet = "35"
)

func (n *narrator) paint(code, text string) string {
	if !n.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line prints one line behind the elapsed time. What a terminal cannot take back is no loss to the play.
func (n *narrator) line(text string) {
	fmt.Fprintf(n.out, "%s  %s\n", n.paint(dim, fmt.Sprintf("%6.2fs", time.Since(n.began).Seconds())), text)
}

// step begins the next step.
func (n *narrator) step(title string) {
	n.steps++
	fmt.Fprintln(n.out)
	n.line(n.paint(bold, fmt.Sprintf("%d. %s", n.steps, title)))
}

// note says what is going on.
func (n *narrator) note(format string, args ...any) {
	n.line(n.paint(dim, "   "+cut(fmt.Sprintf(format, args...), width)))
}

// ok says what was proved.
func (n *narrator) ok(format string, args ...any) {
	n.line(n.paint(green, "   ok ") + cut(fmt.Sprintf(format, args...), width))
}

// Where a line was read.
const (
	atXMPP    = "xmpp"
	atSandbox = "sandbox"
)

// says prints what somebody said, as it was read there. Long texts are cut after most lines; 0 cuts none.
func (n *narrator) says(where, who, to, text string, most int) {
	code := cyan
	if where == atSandbox {
		code = violet
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	left := 0
	if most > 0 && len(lines) > most {
		left = len(lines) - most
		lines = lines[:most]
	}
	head := fmt.Sprintf("   %-7s  %s -> %s: ", where, who, to)
	first, rest := wrap(lines[0], width-len(head))
	n.line(n.paint(code, head) + first)
	if rest != "" {
		lines[0] = rest
	} else {
		lines = lines[1:]
	}
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			n.more(l)
		}
	}
	if left > 0 {
		n.more(fmt.Sprintf("(%d more lines)", left))
	}
}

// more prints what belongs to the line before, wrapped.
func (n *narrator) more(text string) {
	for mark := "| "; text != ""; mark = "|   " {
		var first string
		first, text = wrap(text, width-24)
		fmt.Fprintf(n.out, "%20s%s%s\n", "", n.paint(dim, mark), first)
	}
}

// wrap cuts a line at the last space before n characters.
func wrap(text string, n int) (first, rest string) {
	if utf8.RuneCountInString(text) <= n {
		return text, ""
	}
	head := string([]rune(text)[:n])
	if i := strings.LastIndexByte(head, ' '); i > 0 {
		head = head[:i]
	}
	return head, strings.TrimSpace(text[len(head):])
}

// cut shortens a line to n characters.
func cut(text string, n int) string {
	if n < 10 || utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-3]) + "..."
}
