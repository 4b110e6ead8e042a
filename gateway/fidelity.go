package gateway

import (
	"fmt"
	"time"
)

// FidelityRow is one line of the table of what works where, which the README and the console show.
type FidelityRow struct {
	Name string
	// Cell says how it is on an adapter with these Caps of a direct chat at best; "-" is not at all.
	Cell func(Caps) string
	// Feature is set where the row is about one. Without says what becomes of it where the platform lacks it, empty where there is nothing
	// to say.
	Feature Feature
	Without string
}

// Fidelity returns the rows of the table in their order: all features, then limits.
func Fidelity() []FidelityRow {
	var rows []FidelityRow
	for _, f := range Features() {
		w := fidelityWords[f]
		rows = append(rows, FidelityRow{Name: w[0], Without: w[1], Feature: f, Cell: func(c Caps) string { return fidelityLevel(c.Levels[f]) }})
	}
	return append(rows,
		FidelityRow{Name: "longest text", Cell: fidelityText},
		FidelityRow{Name: "largest file", Cell: fidelityMedia},
		FidelityRow{Name: "edits within", Cell: func(c Caps) string { return fidelityAge(c, FeatureEdit, c.EditFor) }},
		FidelityRow{Name: "retractions within", Cell: func(c Caps) string { return fidelityAge(c, FeatureRetract, c.RetractFor) }},
		FidelityRow{Name: "the user may write", Cell: fidelityWindow},
		FidelityRow{Name: "a send whose answer was lost", Cell: fidelityAgain},
	)
}

// fidelityWords are how the table names features, and what it says of their lack.
var fidelityWords = map[Feature][2]string{
	FeatureText:      {"text", ""},
	FeatureMedia:     {"files", "a link to the file where it lies on an upload service; otherwise refused"},
	FeatureLocation:  {"places", "a text with a geo: address"},
	FeatureContact:   {"contact cards", "a text with names and numbers"},
	FeaturePoll:      {"polls", "a text with numbered options"},
	FeatureSticker:   {"stickers", "its emoji; refused where it has none"},
	FeatureAnswer:    {"answers to polls and buttons", "a reply in words"},
	FeatureStyling:   {"styled text", "marks such as *bold*"},
	FeatureReply:     {"replies", "the text behind a quotation"},
	FeatureEdit:      {"edits", "a new message that says so (✎)"},
	FeatureRetract:   {"retractions", "refused, with the reason"},
	FeatureReact:     {"reactions", "refused, with the reason"},
	FeatureDelivered: {"delivery is told", "a receipt says that the platform has taken it"},
	FeatureReadOut:   {"the user's reading is told", "dropped: nobody waits for it"},
	FeatureReadIn:    {"the contact's reading is told", "never told"},
	FeatureTypingOut: {"the user's typing is shown", "dropped: nobody waits for it"},
	FeatureTypingIn:  {"the contact's typing is shown", "never shown"},
	FeaturePresence:  {"presence", ""},
	FeatureProfile:   {"names and pictures", ""},
	FeatureBlock:     {"blocking", ""},
	FeatureReport:    {"reporting", ""},
	FeatureGroups:    {"groups", "refused, with the reason"},
}

func fidelityLevel(l Level) string {
	if l == None {
		return "-"
	}
	return l.String()
}

func fidelityText(c Caps) string {
	if c.TextMax == 0 {
		return "any"
	}
	return fmt.Sprintf("%d %s", c.TextMax, map[TextUnit]string{CodePoints: "characters", UTF16Units: "UTF-16 units", Bytes: "bytes"}[c.TextUnit])
}

func fidelityMedia(c Caps) string {
	switch {
	case !c.Has(FeatureMedia):
		return "-"
	case c.MediaMax == 0:
		return "any"
	case c.MediaMax%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", c.MediaMax>>20)
	}
	return fmt.Sprintf("%.0f MB", float64(c.MediaMax)/1e6)
}

func fidelityAge(c Caps, f Feature, limit time.Duration) string {
	switch {
	case !c.Has(f):
		return "-"
	case limit == 0:
		return "any time"
	}
	return fidelityHours(limit)
}

// fidelityWindow is when a user may write at all.
func fidelityWindow(c Caps) string {
	switch {
	case c.Window == nil:
		return "any time"
	case c.Window.Reopen:
		return fidelityHours(c.Window.For) + " after the contact, or by a template"
	}
	return fidelityHours(c.Window.For) + " after the contact"
}

// fidelityAgain is what becomes of an op whose answer was lost.
func fidelityAgain(c Caps) string {
	switch {
	case c.Idempotent:
		return "repeated under its key, once there"
	case c.Echo:
		return "awaited as an echo, then repeated"
	}
	return "repeated: may come twice"
}

func fidelityHours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}
