package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Loose is a string that also comes as a number: ids, sizes and times do, from page to page. What is neither is empty.
type Loose string

// UnmarshalJSON implements json.Unmarshaler.
func (l *Loose) UnmarshalJSON(raw []byte) error {
	*l = ""
	switch {
	case len(raw) > 1 && raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*l = Loose(strings.TrimSpace(s))
	case len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'):
		*l = Loose(raw)
	}
	return nil
}

// Decode reads JSON as far as it fits: a value of another type than the document's costs itself alone.
func Decode(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil
	}
	return err
}

// Words reads the words of a secret's file. The error names the adapter and the key of its configuration.
func Words(name, key, file string) ([]string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, key, err)
	}
	return strings.Fields(string(raw)), nil
}
