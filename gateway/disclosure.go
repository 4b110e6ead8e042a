package gateway

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// Disclosure is what a visitor is told before they register: generated from the Descriptor, so that it cannot say anything
// else than the adapter declares. It holds nothing about the visitor: the same text stands for everybody.
type Disclosure struct {
	Title string
	// Points are the statements in order, each under a name that stays the same in every language.
	Points []DisclosurePoint
	// Agree are the points that need a yes each: required bool fields.
	Agree []Field
}

// DisclosurePoint is one statement.
type DisclosurePoint struct {
	Name, Label, Text string
}

// String is the exact text that a consent receipt is about: the title, the statements, what is agreed to.
func (d Disclosure) String() string {
	var b strings.Builder
	b.WriteString(d.Title)
	b.WriteString("\n\n")
	for _, p := range d.Points {
		fmt.Fprintf(&b, "%s: %s\n", p.Label, p.Text)
	}
	b.WriteString("\n")
	for _, f := range d.Agree {
		fmt.Fprintf(&b, "[x] %s\n", f.Label)
	}
	return b.String()
}

// statements is the text without what is agreed to, for forms that show that as fields.
func (d Disclosure) statements() string {
	text, _, _ := strings.Cut(d.String(), "\n\n[x] ")
	return strings.TrimPrefix(text, d.Title+"\n\n")
}

// Hash is the SHA-256 of String.
func (d Disclosure) Hash() []byte {
	sum := sha256.Sum256([]byte(d.String()))
	return sum[:]
}

// Names of the fields that stand for a consent.
const consentPrefix = "agree_"

// isConsent reports whether a field is a point to agree to: nothing but a yes answers it.
func isConsent(f Field) bool {
	return f.Kind == FieldBool && f.Required && strings.HasPrefix(f.Name, consentPrefix)
}

// Disclosure returns what a visitor is told before they register; the zero value for an unknown adapter.
func (d *Desk) Disclosure(v Visitor) Disclosure {
	inst, ok := d.instances[v.Adapter]
	if !ok {
		return Disclosure{}
	}
	desc := inst.Adapter.Descriptor()
	w := disclosureWriter{d: d, v: v, desc: desc}
	operator := d.operator.Load().name
	if operator == "" {
		operator = d.say(v, textDiscUnnamed)
	}
	w.point("operator", textDiscOperator, operator, inst.Component)
	w.point("platform", textDiscPlatform, desc.Platform, w.or(desc.API), w.terms())
	w.shown(inst)
	w.add("text_out", textDiscTextOut, w.mode(desc.Out))
	w.add("text_in", textDiscTextIn, w.mode(desc.In))
	w.add("media", textDiscMedia, w.mode(desc.Media))
	w.point("metadata", textDiscMetadata, w.seenBy())
	w.point("kept", textDiscKept, w.duration(desc.Retention))
	if desc.Caps.Has(FeatureMedia) {
		w.point("files", textDiscFiles)
	}
	w.add("kept_there", textDiscKeptThere, w.platformRetention())
	w.add("region", textDiscRegion, w.region())
	w.add("missing", textDiscMissing, w.features(None))
	w.add("emulated", textDiscEmulated, w.features(Emulated))
	w.add("limits", textDiscLimits, w.limits())
	w.point("leave", textDiscLeave, inst.Component, desc.Platform)
	w.point("report", textDiscReport, operator)
	w.point("undone", textDiscUndone, desc.Platform)
	w.point("told", textDiscTold, desc.Platform)
	return Disclosure{Title: d.say(v, textDiscTitle, desc.Platform), Points: w.points, Agree: w.ticks()}
}

// disclosureWriter puts a Descriptor into words.
type disclosureWriter struct {
	d      *Desk
	v      Visitor
	desc   Descriptor
	points []DisclosurePoint
}

// point adds a statement whose text has arguments; the label is the text of the key with ".label" behind it.
func (w *disclosureWriter) point(name string, key TextKey, args ...any) {
	w.add(name, key, w.d.say(w.v, key, args...))
}

func (w *disclosureWriter) add(name string, key TextKey, text string) {
	if text != "" {
		w.points = append(w.points, DisclosurePoint{name, w.d.say(w.v, key+textLabel), text})
	}
}

// shown says what people see of a user: on a line the operator's own bot, number or page, and the user's name (Account.called).
func (w *disclosureWriter) shown(inst Instance) {
	if line, ok := inst.line(); ok {
		w.add("identifier", textDiscIdentifier, w.d.say(w.v, textDiscShared, w.desc.Platform, w.or(line.Shown)))
		return
	}
	w.point("identifier", textDiscIdentifier, w.desc.Platform, w.d.identifier(w.v, w.desc.Reveals))
}

func (w *disclosureWriter) or(s string) string {
	if s == "" {
		return w.d.say(w.v, textDiscUnknown)
	}
	return s
}

func (w *disclosureWriter) terms() string {
	return w.or(strings.TrimSpace(w.desc.TermsURL + " " + w.desc.TermsVersion))
}

func (w *disclosureWriter) mode(m Mode) string {
	return w.d.say(w.v, modeText(m), w.desc.Platform)
}

func (w *disclosureWriter) seenBy() string {
	if len(w.desc.MetadataSeenBy) == 0 {
		return w.d.say(w.v, textDiscSeenDefault, w.desc.Platform)
	}
	return strings.Join(w.desc.MetadataSeenBy, ", ")
}

func (w *disclosureWriter) platformRetention() string {
	if w.desc.PlatformRetention == 0 {
		return w.d.say(w.v, textDiscKeptUnknown, w.desc.Platform)
	}
	return w.d.say(w.v, textDiscKeptThere, w.desc.Platform, w.duration(w.desc.PlatformRetention))
}

func (w *disclosureWriter) region() string {
	if w.desc.Region == "" {
		return w.d.say(w.v, textDiscNoRegion)
	}
	return w.d.say(w.v, textDiscRegion, w.desc.Region)
}

func (w *disclosureWriter) features(l Level) string {
	var names []string
	for _, f := range Features() {
		if w.desc.Caps.Levels[f] == l {
			names = append(names, w.d.say(w.v, textFeature+TextKey(f)))
		}
	}
	if len(names) == 0 && l == None {
		return w.d.say(w.v, textDiscNothing)
	}
	return strings.Join(names, ", ")
}

func (w *disclosureWriter) limits() string {
	var all []string
	add := func(on bool, key TextKey, args ...any) {
		if on {
			all = append(all, w.d.say(w.v, key, args...))
		}
	}
	c := w.desc.Caps
	add(c.TextMax > 0, textLimitText, c.TextMax)
	add(c.MediaMax > 0, textLimitMedia, c.MediaMax>>20)
	add(c.EditFor > 0, textLimitEdit, w.duration(c.EditFor))
	add(c.RetractFor > 0, textLimitRetract, w.duration(c.RetractFor))
	if c.Window != nil {
		add(true, textLimitWindow, w.duration(c.Window.For))
	}
	add(w.desc.MaxPerMinute > 0, textLimitRate, w.desc.MaxPerMinute)
	add(w.desc.Inactivity > 0, textLimitIdle, w.desc.Platform, w.duration(w.desc.Inactivity))
	if len(all) == 0 {
		return w.d.say(w.v, textDiscNothing)
	}
	return strings.Join(all, "; ")
}

func (w *disclosureWriter) duration(t time.Duration) string {
	if t <= 0 {
		return w.d.say(w.v, textDiscUnknown)
	}
	return w.d.duration(w.v, t)
}

// ticks are the points to agree to: terms, who can read, what is seen, and where the user lives when that counts.
func (w *disclosureWriter) ticks() []Field {
	tick := func(name string, key TextKey, args ...any) Field {
		return Field{Name: consentPrefix + name, Label: w.d.say(w.v, key, args...), Kind: FieldBool, Required: true}
	}
	out := []Field{
		tick("terms", textAgreeTerms, w.desc.Platform, w.terms()),
		tick("reading", textAgreeReading, w.desc.Platform),
		tick("metadata", textAgreeMetadata, w.desc.Platform),
	}
	if w.desc.Region != "" {
		out = append(out, tick("region", textAgreeRegion, w.desc.Region))
	}
	return out
}

// identifier names a kind of identifier in the visitor's language.
func (d *Desk) identifier(v Visitor, id Identifier) string {
	if id == "" {
		id = IdentifierOpaque
	}
	return d.say(v, textIdentifier+TextKey(id))
}

func (d *Desk) duration(v Visitor, t time.Duration) string { return d.cfg.Texts.duration(v.Lang, t) }

// duration says a time span in its largest whole unit.
func (t *Texts) duration(lang string, d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return t.Say(lang, textDays, int(d/day))
	case d >= 2*time.Hour && d%time.Hour == 0:
		return t.Say(lang, textHours, int(d/time.Hour))
	case d >= time.Minute:
		return t.Say(lang, textMinutes, int((d+time.Minute-1)/time.Minute))
	}
	return t.Say(lang, textSeconds, max(1, int(d/time.Second)))
}
