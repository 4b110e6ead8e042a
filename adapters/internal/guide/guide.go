// Package guide is what an adapter tells an operator who sets it up: what there is to know, to make and to fetch, and what each key means.
package guide

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Guide is all that `postern init` and the example configuration have to know of one type of adapter.
type Guide struct {
	// Example is the adapter's part of deploy/postern.yaml: each of its own keys on a line, with its default and its meaning. Those above
	// the Line have no default.
	Example string
	// Page is the operator's page in deploy/platforms; empty where there is none.
	Page string
	// Keys are what a first configuration has, in the order in which they are asked for.
	Keys []Key
}

// Line parts an Example: what is below it has a default.
const Line = "    # ---\n"

// Key is one key of a first configuration: an answer of the operator's or, with File, a file that holds a secret.
type Key struct {
	// Name is the key, as in Example.
	Name string
	// Ask is the question. An empty answer leaves the key out, unless it is Required.
	Ask      string
	Required bool
	// Default is what an empty line stands for; nil: nothing.
	Default func(Answers) string
	// Check says what is wrong with an answer that is not empty; nil takes any.
	Check func(string) error
	// When says whether the key is there at all, from what was answered before; nil: always.
	When func(Answers) bool
	// File is the end of the name of the secret's file, which begins with the type. Make makes its content; without, Fetch says what the
	// operator puts there and where they get it.
	File  string
	Make  func() (string, error)
	Fetch string
}

// Answers are by key. PublicURL is there besides the adapter's own keys.
type Answers map[string]string

// PublicURL is the key of the address under which platforms reach the gateway.
const PublicURL = "http.public_url"

// Always is a Default that asks nobody.
func Always(s string) func(Answers) string { return func(Answers) string { return s } }

// Given is a When: another key has an answer.
func Given(key string) func(Answers) bool { return func(a Answers) bool { return a[key] != "" } }

// OneOf is a Check.
func OneOf(known ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(known, s) {
			return nil
		}
		return fmt.Errorf("got %q, want %s", s, strings.Join(known, " or "))
	}
}

// Form is a Check: the answer looks like this, which is said by want.
func Form(form *regexp.Regexp, want string) func(string) error {
	return func(s string) error {
		if form.MatchString(s) {
			return nil
		}
		return fmt.Errorf("got %q, want %s", s, want)
	}
}

// Word makes a secret of 64 hexadecimal digits, 256 bits.
func Word() (string, error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw) + "\n", nil
}

// Lines are the lines of Example by key: the key, and what stands behind its value to explain it.
func (g Guide) Lines() []Explained {
	var out []Explained
	for line := range strings.Lines(g.Example) {
		key, rest, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value, comment, _ := strings.Cut(rest, " # ")
		out = append(out, Explained{key, strings.TrimSpace(value), comment})
	}
	return out
}

// Explained is a key with the value and the comment of the example.
type Explained struct{ Key, Value, Comment string }

// Key returns a key of a first configuration.
func (g Guide) Key(name string) (Key, bool) {
	i := slices.IndexFunc(g.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return g.Keys[i], true
}

// Asked names the keys that have a question, in order.
func (g Guide) Asked() []string {
	var out []string
	for _, k := range g.Keys {
		if k.Ask != "" {
			out = append(out, k.Name)
		}
	}
	return out
}
