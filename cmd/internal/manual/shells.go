package manual

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are those that Completion knows.
const Shells = "bash,zsh,fish"

// ErrShell is returned for any other.
var ErrShell = errors.New("manual: unknown shell, want one of " + Shells)

// Completion writes what a shell reads to complete the program's commands, flags, and the values of those that have few.
func Completion(out io.Writer, app *kong.Application, shell string) error {
	w := bufio.NewWriter(out)
	switch shell {
	case "bash":
		bash(w, app)
	case "zsh":
		zsh(w, app)
	case "fish":
		fish(w, app)
	default:
		return ErrShell
	}
	return w.Flush()
}

// each calls do for the program and every command, with the words that lead there.
func each(n *kong.Node, path string, do func(path string, n *kong.Node)) {
	do(path, n)
	for _, c := range n.Children {
		if !c.Hidden {
			each(c, strings.TrimSpace(path+" "+c.Name), do)
		}
	}
}

// own are the flags that are offered after the words that lead to n.
func own(app *kong.Application, n *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for _, f := range app.Flags {
		if !f.Hidden {
			out = append(out, f)
		}
	}
	if n != app.Node {
		for _, f := range n.Flags {
			if !f.Hidden {
				out = append(out, f)
			}
		}
	}
	return out
}

// words are what may be written after a flag: its values, or nothing where it wants a file or anything else.
func words(f *kong.Flag) string { return strings.ReplaceAll(f.Enum, ",", " ") }

// values are the flags of n that take a value, as patterns of a shell's case, and the values.
func values(flags []*kong.Flag, do func(pattern, words string)) {
	for _, f := range flags {
		if !takesValue(f) {
			continue
		}
		pattern := "--" + f.Name
		if f.Short != 0 {
			pattern += fmt.Sprintf("|-%c", f.Short)
		}
		do(pattern, words(f))
	}
}

func bash(w *bufio.Writer, app *kong.Application) {
	fmt.Fprintf(w, "# Completion of %s for bash. Made by: %s completion bash\n", app.Name, app.Name)
	fmt.Fprintf(w, "_%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= word\n\tCOMPREPLY=()\n", app.Name)
	fmt.Fprint(w, "\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n")
	fmt.Fprint(w, "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase \"$path $word\" in\n")
	each(app.Node, "", func(path string, n *kong.Node) {
		if path != "" {
			fmt.Fprintf(w, "\t\t%q) path=%q ;;\n", parent(path)+" "+n.Name, path)
		}
	})
	fmt.Fprint(w, "\t\tesac\n\tdone\n\tcase \"$path\" in\n")
	each(app.Node, "", func(path string, n *kong.Node) {
		flags := own(app, n)
		fmt.Fprintf(w, "\t%q)\n\t\tcase \"$prev\" in\n", path)
		values(flags, func(pattern, words string) {
			if words == "" {
				fmt.Fprintf(w, "\t\t%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", pattern)
				return
			}
			fmt.Fprintf(w, "\t\t%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", pattern, words)
		})
		var all []string
		for _, c := range n.Children {
			if !c.Hidden {
				all = append(all, c.Name)
			}
		}
		for _, p := range n.Positional {
			all = append(all, strings.Fields(strings.ReplaceAll(p.Enum, ",", " "))...)
		}
		for _, f := range flags {
			all = append(all, "--"+f.Name)
		}
		fmt.Fprintf(w, "\t\tesac\n\t\tCOMPREPLY=($(compgen -W %q -- \"$cur\"))\n\t\t;;\n", strings.Join(all, " "))
	})
	fmt.Fprintf(w, "\tesac\n}\ncomplete -F _%s %s\n", app.Name, app.Name)
}

// parent is the path without its last word.
func parent(path string) string {
	if i := strings.LastIndexByte(path, ' '); i >= 0 {
		return path[:i]
	}
	return ""
}

// quoted is a string of zsh or fish: in both, an apostrophe ends it and is written outside.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }

// brief is the first sentence of a help, on one line.
func brief(help string) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(help, "\n", " "), ". ")
	return strings.TrimSuffix(first, ".")
}

func zsh(w *bufio.Writer, app *kong.Application) {
	fmt.Fprintf(w, "#compdef %s\n# Completion of %s for zsh. Made by: %s completion zsh\n", app.Name, app.Name, app.Name)
	fmt.Fprintf(w, "_%s() {\n\tlocal at= word\n\tlocal -a offered\n\tfor word in ${words[2,CURRENT-1]}; do\n\t\tcase \"$at $word\" in\n", app.Name)
	each(app.Node, "", func(path string, n *kong.Node) {
		if path != "" {
			fmt.Fprintf(w, "\t\t%s) at=%s ;;\n", quoted(parent(path)+" "+n.Name), quoted(path))
		}
	})
	fmt.Fprint(w, "\t\tesac\n\tdone\n\tcase \"$at\" in\n")
	each(app.Node, "", func(path string, n *kong.Node) {
		flags := own(app, n)
		fmt.Fprintf(w, "\t%s)\n\t\tcase ${words[CURRENT-1]} in\n", quoted(path))
		values(flags, func(pattern, words string) {
			if words == "" {
				fmt.Fprintf(w, "\t\t%s) _files; return ;;\n", pattern)
				return
			}
			fmt.Fprintf(w, "\t\t%s) compadd -- %s; return ;;\n", pattern, words)
		})
		fmt.Fprint(w, "\t\tesac\n\t\toffered=(\n")
		offer := func(word, help string) {
			fmt.Fprintf(w, "\t\t\t%s\n", quoted(word+":"+strings.ReplaceAll(brief(help), ":", `\:`)))
		}
		offers(app, n, offer)
		fmt.Fprint(w, "\t\t)\n\t\t;;\n")
	})
	fmt.Fprintf(w, "\tesac\n\t_describe %s offered\n}\nif [ \"$funcstack[1]\" = _%s ]; then _%s \"$@\"; else compdef _%s %s; fi\n", app.Name, app.Name, app.Name, app.Name, app.Name)
}

// offers calls offer for what may come after the words that lead to n.
func offers(app *kong.Application, n *kong.Node, offer func(word, help string)) {
	for _, c := range n.Children {
		if !c.Hidden {
			offer(c.Name, c.Help)
		}
	}
	for _, p := range n.Positional {
		for v := range strings.FieldsSeq(strings.ReplaceAll(p.Enum, ",", " ")) {
			offer(v, p.Help)
		}
	}
	for _, f := range own(app, n) {
		offer("--"+f.Name, f.Help)
	}
}

func fish(w *bufio.Writer, app *kong.Application) {
	fmt.Fprintf(w, "# Completion of %s for fish. Made by: %s completion fish\n", app.Name, app.Name)
	fmt.Fprintf(w, "function __%s_at\n\tset -l at ''\n\tfor word in (commandline -opc)[2..-1]\n\t\tswitch \"$at $word\"\n", app.Name)
	each(app.Node, "", func(path string, n *kong.Node) {
		if path != "" {
			fmt.Fprintf(w, "\t\t\tcase %s\n\t\t\t\tset at %s\n", quoted(parent(path)+" "+n.Name), quoted(path))
		}
	})
	fmt.Fprintf(w, "\t\tend\n\tend\n\ttest \"$at\" = \"$argv[1]\"\nend\ncomplete -c %s -f\n", app.Name)
	each(app.Node, "", func(path string, n *kong.Node) {
		when := fmt.Sprintf("complete -c %s -n %s", app.Name, quoted(fmt.Sprintf("__%s_at %q", app.Name, path)))
		for _, c := range n.Children {
			if !c.Hidden {
				fmt.Fprintf(w, "%s -a %s -d %s\n", when, c.Name, quoted(brief(c.Help)))
			}
		}
		for _, p := range n.Positional {
			if p.Enum != "" {
				fmt.Fprintf(w, "%s -a %s\n", when, quoted(strings.ReplaceAll(p.Enum, ",", " ")))
			}
		}
		for _, f := range own(app, n) {
			fmt.Fprintf(w, "%s -l %s", when, f.Name)
			if f.Short != 0 {
				fmt.Fprintf(w, " -s %c", f.Short)
			}
			switch {
			case !takesValue(f):
			case f.Enum != "":
				fmt.Fprintf(w, " -x -a %s", quoted(words(f)))
			default:
				fmt.Fprint(w, " -r -F")
			}
			fmt.Fprintf(w, " -d %s\n", quoted(brief(f.Help)))
		}
	})
}
