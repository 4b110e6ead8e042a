package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"postern/adapters/internal/sandbox"
)

// The features of the document. Those that are switchable stand in the order in which the page shows them and are offered from the
// start; a test or a visitor of the page switches each of them off and on again.
var (
	switchable = []string{
		"spans", "reply_out", "reply_in", "edit_out", "edit_in", "retract_out", "retract_in", "react_out", "react_in", "delivered", "read_out",
		"read_in", "typing_out", "typing_in", "media", "sticker", "view_once", "location", "live_location", "contact", "poll", "answer",
		"previews", "profile", "presence", "call_events", "blocks", "reports", "expires",
	}
	// directed can be had one way and not the other; the name without a direction switches both.
	directed = []string{"reply", "edit", "retract", "react", "read", "typing"}
	always   = []string{"text", "export", "erase", "contact_requests", "lookup"}
	notHere  = []string{"groups", "keys", "calls"}
)

// Levels of a feature.
const (
	levelOn  = "native"
	levelOff = "unavailable"
)

// Offer is the part of the directory's limits that can be changed while the sandbox runs. Empty lists mean any.
type Offer struct {
	TextBytes        int      `json:"text_bytes"`
	MediaBytes       int64    `json:"media_bytes"`
	MediaTypes       []string `json:"media_types"`
	EditWindowS      int      `json:"edit_window_s"`
	RetractWindowS   int      `json:"retract_window_s"`
	ReactionsPerUser int      `json:"reactions_per_user"`
	Reactions        []string `json:"reactions"`
}

func defaultOffer() Offer {
	return Offer{
		TextBytes: textBytes, MediaBytes: mediaBytes, MediaTypes: []string{}, EditWindowS: editWindowS, RetractWindowS: retractWindowS,
		ReactionsPerUser: reactionsPerUser, Reactions: []string{},
	}
}

// opFeature and eventFeature say which feature an operation needs and an event belongs to.
var (
	opFeature = map[string]string{
		"editMessage": "edit_out", "retractMessage": "retract_out", "setReactions": "react_out", "addReaction": "react_out",
		"removeReaction": "react_out", "sendTyping": "typing_out", "createMedia": "media", "readMedia": "media", "uploadMedia": "media", "downloadMedia": "media",
		"readProfile": "profile", "listBlocks": "blocks", "readBlock": "blocks", "block": "blocks", "unblock": "blocks",
		"createReport": "reports", "readReport": "reports", "appealReport": "reports",
	}
	eventFeature = map[string]string{
		"message.updated": "edit_in", "message.retracted": "retract_in", "reaction.changed": "react_in", "typing": "typing_in",
		"conversation.read": "read_in",
		"call.changed":      "call_events", "profile.updated": "profile", "presence.changed": "presence",
	}
)

// each returns the features that a name stands for.
func each(name string) []string {
	if slices.Contains(directed, name) {
		return []string{name + "_out", name + "_in"}
	}
	return []string{name}
}

// canSwitch says whether every feature that a name stands for can be switched.
func canSwitch(name string) bool {
	return !slices.ContainsFunc(each(name), func(f string) bool { return !slices.Contains(switchable, f) })
}

func (s *Server) has(feature string) bool { return feature == "" || s.features[feature] == levelOn }

// lacks is the refusal of what the directory calls unavailable.
func lacks(feature, param string) *problem {
	p := fail("feature_unavailable", "the directory says that "+feature+" is unavailable")
	p.Param = param
	return p
}

func (s *Server) resetOffer() {
	s.features, s.offer, s.offerVersion = map[string]string{}, defaultOffer(), 0
	for _, f := range slices.Concat(switchable, always) {
		s.features[f] = levelOn
	}
	for _, name := range slices.Concat(notHere, s.cfg.Without) {
		for _, f := range each(name) {
			s.features[f] = levelOff
		}
	}
}

type offerView struct {
	Features   map[string]string `json:"features"`
	Switchable []string          `json:"switchable"`
	Limits     Offer             `json:"limits"`
}

func (s *Server) offerView() offerView {
	return offerView{Features: maps.Clone(s.features), Switchable: switchable, Limits: s.offer}
}

// patchCapabilities switches features; each change is announced by capability.changed.
func patchCapabilities(c *controlCall) (any, error) {
	in := map[string]string{}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	for f, level := range in {
		if !canSwitch(f) {
			return nil, sandbox.Wrong("feature " + f + ": want one of " + strings.Join(switchable, ", "))
		}
		if level != levelOn && level != levelOff {
			return nil, sandbox.Wrong("feature " + f + ": want native or unavailable")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) { // a direction's own word counts: it comes after that for both
		for _, f := range each(name) {
			if c.features[f] != in[name] {
				c.features[f] = in[name]
				c.announce(f)
			}
		}
	}
	return c.offerView(), nil
}

// patchLimits changes limits; the feature that a limit belongs to is announced, so that partners read the directory again.
func patchLimits(c *controlCall) (any, error) {
	next := c.offer
	if err := c.decode(&next); err != nil {
		return nil, err
	}
	if next.TextBytes < 1 || next.MediaBytes < 0 || next.EditWindowS < 0 || next.RetractWindowS < 0 || next.ReactionsPerUser < 0 || next.ReactionsPerUser > 20 {
		return nil, sandbox.Wrong("a limit is out of range")
	}
	old := c.offer
	c.offer = next
	for _, changed := range []struct {
		feature string
		yes     bool
	}{
		{"text", old.TextBytes != next.TextBytes},
		{"media", old.MediaBytes != next.MediaBytes || !slices.Equal(old.MediaTypes, next.MediaTypes)},
		{"edit_out", old.EditWindowS != next.EditWindowS},
		{"retract_out", old.RetractWindowS != next.RetractWindowS},
		{"react_out", old.ReactionsPerUser != next.ReactionsPerUser || !slices.Equal(old.Reactions, next.Reactions)},
	} {
		if changed.yes {
			c.announce(changed.feature)
		}
	}
	return c.offerView(), nil
}

func (s *Server) announce(feature string) {
	s.offerVersion++
	for _, p := range s.partners {
		s.emit(p, "capability.changed", nil, nil, map[string]string{"feature": feature, "level": s.features[feature]})
	}
	s.touch()
}

// directoryLimits are the limits as the directory tells them.
func (s *Server) directoryLimits() map[string]any {
	out := map[string]any{
		"text_bytes": s.offer.TextBytes, "media_bytes": s.offer.MediaBytes, "lookup_batch": lookupBatch, "receipt_batch": receiptBatch, "mailbox_days": mailboxDays,
		"inactivity_days": inactivityDays, "edit_window_s": s.offer.EditWindowS, "retract_window_s": s.offer.RetractWindowS,
		"reactions_per_user": s.offer.ReactionsPerUser, "messages_per_minute": s.cfg.MessagesPerMinute, "lookups_per_day": lookupsPerDay,
	}
	if len(s.offer.MediaTypes) > 0 {
		out["media_types"] = s.offer.MediaTypes
	}
	if len(s.offer.Reactions) > 0 {
		out["reactions"] = s.offer.Reactions
	}
	return out
}

// takesType says whether a media type is among those of the limits, where "image/*" stands for all images.
func (o Offer) takesType(typ string) bool {
	major, _, _ := strings.Cut(typ, "/")
	return len(o.MediaTypes) == 0 || slices.Contains(o.MediaTypes, typ) || slices.Contains(o.MediaTypes, major+"/*")
}

func (o Offer) takesEmoji(emoji string) bool {
	return len(o.Reactions) == 0 || slices.Contains(o.Reactions, emoji)
}

// carried is a person's content as the partner gets it: what the directory calls unavailable becomes `unsupported`, and what only
// decorates is left out.
func (s *Server) carried(raw json.RawMessage) json.RawMessage {
	var c map[string]json.RawMessage
	if json.Unmarshal(raw, &c) != nil || c == nil {
		return raw // the control API may send what a gatekeeper should not
	}
	before := len(c)
	lost := ""
	for _, member := range []string{"location", "contact", "poll", "answer"} {
		if c[member] != nil && !s.has(member) {
			delete(c, member)
			lost = member
		}
	}
	if kind := s.lostMedia(c["media"]); kind != "" {
		delete(c, "media")
		lost = kind
	}
	for _, member := range []string{"spans", "previews"} {
		if !s.has(member) {
			delete(c, member)
		}
	}
	live := s.plainLocation(c)
	if lost != "" {
		c["unsupported"] = encoded(lost)
	}
	if lost == "" && len(c) == before && !live {
		return raw
	}
	return encoded(c)
}

// lostMedia names the kind of media that is not carried; empty when all of it is.
func (s *Server) lostMedia(raw json.RawMessage) string {
	var parts []mediaPart
	if raw == nil || json.Unmarshal(raw, &parts) != nil {
		return ""
	}
	for _, p := range parts {
		switch {
		case !s.has("media"), p.Kind == "sticker" && !s.has("sticker"):
			return orString(p.Kind, "media")
		case p.ViewOnce && !s.has("view_once"):
			return "view_once"
		}
	}
	return ""
}

// plainLocation takes the promise of updates from a location where those are not carried.
func (s *Server) plainLocation(c map[string]json.RawMessage) bool {
	var l map[string]json.RawMessage
	if s.has("live_location") || json.Unmarshal(c["location"], &l) != nil || l["live_until"] == nil {
		return false
	}
	delete(l, "live_until")
	c["location"] = encoded(l)
	return true
}

// encoded is JSON of what always encodes: strings, and maps of raw JSON that was decoded before.
func encoded(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return out
}

func getCapabilities(c *controlCall) (any, error) { return c.offerView(), nil }
