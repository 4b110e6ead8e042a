package gateway

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// keysInCode returns the texts that the package's constants name.
func keysInCode(t *testing.T) []string {
	t.Helper()
	notTests := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	packages, err := parser.ParseDir(token.NewFileSet(), ".", notTests, 0) //nolint:staticcheck // one directory without build tags
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range packages {
		ast.Inspect(p, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "TextKey" {
				return true
			}
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					key, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					if strings.HasPrefix(key, ".") { // the end of other keys
						continue
					}
					keys = append(keys, key)
				}
			}
			return true
		})
	}
	if len(keys) < 100 {
		t.Fatalf("got %d keys, the search is broken", len(keys))
	}
	return keys
}

func TestEveryKeyHasAnEnglishText(t *testing.T) {
	for _, key := range keysInCode(t) {
		if builtIn()["en"][TextKey(key)] == "" {
			// A key may be the common part of several, such as desk.feature.
			if !slices.ContainsFunc(slices.Collect(maps.Keys(builtIn()["en"])), func(k TextKey) bool { return strings.HasPrefix(string(k), key) }) {
				t.Errorf("no English text for %q", key)
			}
		}
	}
}

// TestOperatorsReadWords: every code that operators are shown by chat has a text, in English at least.
func TestOperatorsReadWords(t *testing.T) {
	want := map[TextKey][]string{
		textOperateWhere:    {"in", "out", "outbox", "webhook"},
		textOperateStanding: {},
		textOperateWhat:     slices.Concat(slices.Collect(maps.Keys(opKinds)), slices.Collect(maps.Keys(eventKinds))),
	}
	for _, r := range parkReasons {
		want[textOperatePark] = append(want[textOperatePark], string(r))
	}
	for _, c := range Classes() {
		want[textOperateClass] = append(want[textOperateClass], c.String())
	}
	for key := range builtIn()["en"] { // users' own words for it
		if s, ok := strings.CutPrefix(string(key), string(textStanding)); ok {
			want[textOperateStanding] = append(want[textOperateStanding], s)
		}
	}
	for of, codes := range want {
		if len(codes) < 4 {
			t.Errorf("%s: got %d codes, the search is broken", of, len(codes))
		}
		for _, code := range codes {
			if text := builtIn()["en"][of+TextKey(code)]; text == "" {
				t.Errorf("no English text for %q", string(of)+code)
			}
		}
	}
}

var verb = regexp.MustCompile(`%(\[\d+\])?[sdv%]`)

// verbs lists the arguments that a text takes, by place.
func verbs(text string) []string {
	var out []string
	at := 0
	for _, m := range verb.FindAllString(text, -1) {
		if m == "%%" {
			continue
		}
		at++
		if open := strings.IndexByte(m, '['); open >= 0 {
			n, err := strconv.Atoi(m[open+1 : strings.IndexByte(m, ']')])
			if err == nil {
				at = n
			}
		}
		out = append(out, strconv.Itoa(at)+m[len(m)-1:])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestLanguagesAreComplete(t *testing.T) {
	english := builtIn()["en"]
	for lang, texts := range builtIn() {
		for key, text := range english {
			switch got, ok := texts[key]; {
			case !ok:
				t.Errorf("%s lacks %q", lang, key)
			case strings.TrimSpace(got) == "" && text != "":
				t.Errorf("%s has an empty %q", lang, key)
			case !slices.Equal(verbs(got), verbs(text)):
				t.Errorf("%s %q takes %v, English %v", lang, key, verbs(got), verbs(text))
			}
		}
		for key := range texts {
			if _, ok := english[key]; !ok {
				t.Errorf("%s has %q, which English lacks", lang, key)
			}
		}
	}
}

// TestNoKeyTwice: encoding/json keeps the last of two equal keys without a word.
func TestNoKeyTwice(t *testing.T) {
	for lang := range builtIn() {
		raw, err := textFiles.ReadFile("texts/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(raw)))
		seen := map[string]bool{}
		for n := 0; ; n++ {
			tok, err := d.Token()
			if err != nil {
				break
			}
			if s, ok := tok.(string); ok && n%2 == 1 {
				if seen[s] {
					t.Errorf("%s has %q twice", lang, s)
				}
				seen[s] = true
			}
		}
		if len(seen) < 100 {
			t.Errorf("%s: saw %d keys, the search is broken", lang, len(seen))
		}
	}
}

// toldToSend is what a text tells its reader to send: it stands in straight double quotes in every language.
var toldToSend = regexp.MustCompile(`"([^"]*)"`)

// commandWords are the words that a chat in a language understands, each with the keys that list it.
func commandWords(lang string) map[string][]TextKey {
	words := map[string][]TextKey{}
	for _, l := range slices.Compact([]string{lang, "en"}) {
		for key, text := range builtIn()[l] {
			if !strings.HasSuffix(string(key), ".words") && !strings.HasPrefix(string(key), "desk.words.") {
				continue
			}
			for word := range strings.SplitSeq(text, "|") {
				if !slices.Contains(words[word], key) {
					words[word] = append(words[word], key)
				}
			}
		}
	}
	return words
}

// TestToldWordsAreUnderstood: whatever a text tells its reader to send is a command or an answer in the reader's language. Of
// an example such as "add anna" the first word counts.
func TestToldWordsAreUnderstood(t *testing.T) {
	english := builtIn()["en"]
	for lang, texts := range builtIn() {
		words, told := commandWords(lang), 0
		understood := func(text string) bool {
			text = strings.ToLower(text)
			first, _, _ := strings.Cut(text, " ")
			return len(words[text]) > 0 || len(words[first]) > 0
		}
		for key, text := range texts {
			all := toldToSend.FindAllStringSubmatch(text, -1)
			for _, m := range all {
				if told++; !understood(m[1]) {
					t.Errorf("%s %q tells to send %q, which is not understood", lang, key, m[1])
				}
			}
			if want := len(toldToSend.FindAllString(english[key], -1)); len(all) != want {
				t.Errorf("%s %q tells to send %d words, English %d: other quotation marks?", lang, key, len(all), want)
			}
		}
		if told < 20 {
			t.Errorf("%s: saw %d words to send, the search is broken", lang, told)
		}
		// The line that takes an account over stands alone, to be copied whole.
		_, line, _ := strings.Cut(texts[textMoveCode], "\n")
		if word, _, _ := strings.Cut(line, " %s"); !slices.Contains(words[word], textClaimWords) {
			t.Errorf("%s %q tells to send %q, want a word of %q", lang, textMoveCode, word, textClaimWords)
		}
		// A word starts one command, and none that a dialogue needs for itself.
		for word, keys := range words {
			commands := 0
			for _, key := range keys {
				if strings.HasSuffix(string(key), ".words") {
					commands++
				}
			}
			if commands > 1 || commands == 1 && (slices.Contains(keys, textWordsCancel) || slices.Contains(keys, textWordsBack)) {
				t.Errorf("%s: %q is a word of %q", lang, word, keys)
			}
			if word != strings.ToLower(strings.TrimSpace(word)) || word == "" {
				t.Errorf("%s: %q is never understood: words are compared in lower case, without spaces around", lang, word)
			}
		}
	}
}
