package manual

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// section is where commands stand in the manual.
const section = 1

// Page writes the page of a program in man(7), with a part for each command.
func Page(out io.Writer, app *kong.Application) error {
	w := bufio.NewWriter(out)
	summary, rest, _ := strings.Cut(app.Help, "\n")
	fmt.Fprintf(w, ".TH %s %d\n", strings.ToUpper(app.Name), section)
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", app.Name, roff(strings.TrimSuffix(summary, ".")))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n.I command\n[flags]\n", app.Name)
	fmt.Fprint(w, ".SH DESCRIPTION\n")
	prose(w, rest)
	fmt.Fprint(w, ".SH FLAGS OF EVERY COMMAND\n")
	flags(w, app.Flags)
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range commands(app.Node) {
		fmt.Fprintf(w, ".SS %s\n", roff(c.Summary()))
		prose(w, c.Help)
		if p := c.Parent; p.Type == kong.CommandNode && p.Children[0] == c {
			prose(w, p.Detail) // said once, where the family begins
		}
		prose(w, c.Detail)
		for _, p := range c.Positional {
			fmt.Fprintf(w, ".TP\n.I %s\n%s\n", roff(p.Summary()), roff(p.Help))
		}
		flags(w, c.Flags)
	}
	fmt.Fprint(w, ".SH FILES\n.TP\n.I /etc/postern/postern.yaml\nThe configuration that commands read unless \\-\\-config names another.\n")
	fmt.Fprint(w, ".SH SEE ALSO\n/usr/share/doc/postern: the configuration with every key, and what to set up at each platform.\n")
	return w.Flush()
}

// commands are those that can be run, in the order of --help.
func commands(n *kong.Node) []*kong.Node {
	if len(n.Children) == 0 {
		return []*kong.Node{n}
	}
	var out []*kong.Node
	for _, c := range n.Children {
		if !c.Hidden {
			out = append(out, commands(c)...)
		}
	}
	return out
}

func flags(w *bufio.Writer, all []*kong.Flag) {
	for _, f := range all {
		if f.Hidden {
			continue
		}
		fmt.Fprint(w, ".TP\n")
		if f.Short != 0 {
			fmt.Fprintf(w, "\\fB\\-%c\\fR, ", f.Short)
		}
		fmt.Fprintf(w, "\\fB%s\\fR", roff("--"+f.Name))
		if takesValue(f) {
			fmt.Fprintf(w, "=\\fI%s\\fR", roff(strings.Trim(f.FormatPlaceHolder(), `"`)))
		}
		fmt.Fprintf(w, "\n%s\n", roff(f.Help))
	}
}

// takesValue reports whether a word belongs to the flag.
func takesValue(f *kong.Flag) bool { return !f.IsBool() && !f.IsCounter() }

// prose writes paragraphs; lines that are set in stay as they are.
func prose(w *bufio.Writer, text string) {
	verbatim := false
	fill := func(no bool) {
		if verbatim != no {
			verbatim = no
			fmt.Fprint(w, map[bool]string{true: ".nf\n", false: ".fi\n"}[no])
		}
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	fmt.Fprint(w, ".PP\n")
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		if line == "" {
			fill(false)
			fmt.Fprint(w, ".PP\n")
			continue
		}
		fill(strings.HasPrefix(line, "  "))
		fmt.Fprint(w, roff(line)+"\n")
	}
	fill(false)
}

// roff keeps text from being read as requests of troff (groff_char(7)): a hyphen stays what can be copied to a shell.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
