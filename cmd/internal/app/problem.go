package app

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a configuration.
type Problem struct {
	File string
	// Line and Column count from 1; 0 when the mistake is something missing altogether.
	Line, Column int
	// Key is the path of the key, such as adapters.telegram.jid; empty for the file as a whole.
	Key  string
	Text string
}

// Error is one line: where, what, and what to do.
func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	if p.Key == "" {
		return where + ": " + p.Text
	}
	return where + ": " + p.Key + ": " + p.Text
}

// Problems is every mistake that was found, in the order of the file.
type Problems []Problem

// Error is one line per mistake.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each mistake.
func (p Problems) Unwrap() []error {
	out := make([]error, len(p))
	for i, one := range p {
		out[i] = one
	}
	return out
}

// sorted orders by place and drops repetitions.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(p)
}

// positions says where in which file each key stands.
type positions struct {
	file string
	keys map[string]position
}

type position struct{ line, column int }

// problem names a key's place, or that of the nearest part of the path that is in the file.
func (at positions) problem(key, text string, args ...any) Problem {
	p := Problem{File: at.file, Key: key, Text: fmt.Sprintf(text, args...)}
	for k := key; k != ""; {
		if pos, ok := at.keys[k]; ok {
			p.Line, p.Column = pos.line, pos.column
			break
		}
		i := strings.LastIndexByte(k, '.')
		k = k[:max(i, 0)]
	}
	return p
}

// flatten splits joined errors.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range many.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{err}
}

// problemsOf is the list inside an error, or nil.
func problemsOf(err error) Problems {
	p, _ := errors.AsType[Problems](err)
	return p
}
