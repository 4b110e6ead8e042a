package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// What a user wants to hear less of: block, mute, pause, and their opposites; and reports of what nobody should hear.

func blockFlow(d *Desk) flow {
	return d.aboutContact(flow{node: NodeBlock, title: textBlock, help: textBlockHelp, words: textBlockWords}, nil,
		func(ctx context.Context, t *turn, h hit, _ map[string]string) (outcome, error) {
			return d.block(ctx, t, h, true)
		})
}

func unblockFlow(d *Desk) flow {
	return d.aboutContact(flow{node: NodeUnblock, title: textUnblock, help: textUnblockHelp, words: textUnblockWords}, nil,
		func(ctx context.Context, t *turn, h hit, _ map[string]string) (outcome, error) {
			return d.block(ctx, t, h, false)
		})
}

// block keeps a contact away from the visitor, here and, where it takes that, on the platform. What is here works at once.
func (d *Desk) block(ctx context.Context, t *turn, h hit, on bool) (outcome, error) {
	if h.contact.Blocked != on { // said again it changes nothing
		note := d.deedOften // who unblocks can block as often, and is never kept from that
		action := deedUnblock
		if on {
			note, action = d.deed, deedBlock
		}
		if err := note(ctx, t.Visitor, action); err != nil {
			return outcome{}, err
		}
	}
	h, err := d.change(ctx, h, func(c *Contact) { c.Blocked, c.BlockedBy = on, "" })
	if err != nil {
		return outcome{}, err
	}
	return d.tellBlock(ctx, t, h)
}

// tellBlock shows whether a contact is blocked, at whosever wish, and tells the platform.
func (d *Desk) tellBlock(ctx context.Context, t *turn, h hit) (outcome, error) {
	on := h.contact.Blocked
	key, seen := textBlockDone, ShowPresence{}
	if !on {
		caps := t.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect})
		key, seen = textUnblocked, ShowPresence{Available: works(h.account), Avatar: h.contact.Avatar.SHA1, Chat: &caps}
	}
	out := outcome{text: d.say(t.Visitor, key, d.short(t, h))}
	if h.contact.Subscribed {
		out.after = append(out.after, t.show(h.contact.Alias, seen))
	}
	told, err := d.moderate(ctx, t, h, FeatureBlock, func(ctx context.Context, m Moderator) error {
		return m.Block(ctx, h.account.Credentials(), h.contact.ID, on)
	})
	switch {
	case err != nil:
		return outcome{}, err
	case told == moderationNone && on:
		out.note = d.say(t.Visitor, textBlockedHere, d.platform(t.Visitor))
	case told == moderationFailed:
		out.note = d.say(t.Visitor, textModeratorAway, d.platform(t.Visitor))
	}
	return out, nil
}

// moderation is how telling a platform ended.
type moderation uint8

const (
	moderationDone   moderation = iota
	moderationNone              // the platform takes no such thing
	moderationFailed            // a later try may work
)

// moderate tells the platform what a visitor decided about a contact. An error is internal.
func (d *Desk) moderate(ctx context.Context, t *turn, h hit, f Feature, call func(context.Context, Moderator) error) (moderation, error) {
	m, ok := t.inst.Adapter.(Moderator)
	if !ok || !t.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}).Has(f) {
		return moderationNone, nil
	}
	err := call(ctx, m)
	if err == nil {
		return moderationDone, nil
	}
	if _, ok := errors.AsType[*SendError](err); !ok {
		return moderationFailed, err
	}
	d.log.Warn("platform did not take a decision about a contact", "adapter", t.Adapter, "account", h.account.ID, "feature", string(f), "class", ClassOf(err), "error", err)
	if ClassOf(err) == Unsupported {
		return moderationNone, nil
	}
	return moderationFailed, nil
}

func reportFlow(d *Desk) flow {
	return d.aboutContact(flow{node: NodeReport, title: textReport, help: textReportHelp, words: textReportWords},
		func(t *turn) []Field {
			return []Field{
				{Name: "reason", Label: d.say(t.Visitor, textReportReason), Kind: FieldChoice, Required: true, Options: []Choice{
					{string(ReportSpam), d.say(t.Visitor, textReportSpam)}, {string(ReportAbuse), d.say(t.Visitor, textReportAbuse)},
				}},
				{Name: "statement", Label: d.say(t.Visitor, textReportStatement), Kind: FieldText},
				{Name: "block", Label: d.say(t.Visitor, textReportBlock), Kind: FieldBool},
			}
		}, d.report)
}

// report makes a case of a complaint, and passes it on, or says who takes complaints where the platform does not.
func (d *Desk) report(ctx context.Context, t *turn, h hit, answers map[string]string) (outcome, error) {
	opened, err := d.openCase(ctx, t, h, answers)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{}
	if answers["block"] == "true" {
		if out, err = d.block(ctx, t, h, true); err != nil {
			return outcome{}, err
		}
	}
	told, err := d.moderate(ctx, t, h, FeatureReport, func(ctx context.Context, m Moderator) error {
		return m.Report(ctx, h.account.Credentials(), Report{
			ID: NewOpID(), Contact: h.contact.ID, Reason: ReportReason(answers["reason"]), Text: answers["statement"],
		})
	})
	if err != nil {
		return outcome{}, err
	}
	d.noteCase(ctx, opened.ID, told)
	out.text = lines(d.say(t.Visitor, textCaseOpened, opened.ID), out.text)
	switch told {
	case moderationDone:
		out.text = lines(d.say(t.Visitor, textReported, d.short(t, h), d.platform(t.Visitor)), out.text)
	case moderationNone:
		out.text = lines(d.say(t.Visitor, textReportNobody, d.platform(t.Visitor)), out.text)
	case moderationFailed:
		out.text, out.noteError = lines(d.say(t.Visitor, textReportFailed, d.platform(t.Visitor)), out.text), true
	}
	return out, nil
}

// complaints is where a complaint can go that the platform does not take.
func (d *Desk) complaints(t *turn) string {
	by := d.operator.Load()
	contacts := by.contacts
	if contacts == nil {
		contacts = t.inst.Contacts
	}
	for _, kind := range []string{ContactAbuse, ContactAdmin, ContactSupport} {
		if all := contacts[kind]; len(all) > 0 {
			return all[0]
		}
	}
	if by.name != "" {
		return by.name
	}
	return d.say(t.Visitor, textDiscUnnamed)
}

// mutes are the lengths that a contact can be muted for, in seconds; 0 is until the user says otherwise.
var mutes = [...]struct {
	seconds int64
	label   TextKey
}{{3600, textMuteHour}, {8 * 3600, textMuteHours}, {24 * 3600, textMuteDay}, {0, textMuteForever}}

func muteFlow(d *Desk) flow {
	return d.aboutContact(flow{node: NodeMute, title: textMute, help: textMuteHelp, words: textMuteWords},
		func(t *turn) []Field {
			f := Field{Name: "for", Label: d.say(t.Visitor, textMuteFor), Kind: FieldChoice, Required: true}
			for _, m := range mutes {
				f.Options = append(f.Options, Choice{strconv.FormatInt(m.seconds, 10), d.say(t.Visitor, m.label)})
			}
			return []Field{f}
		},
		func(ctx context.Context, t *turn, h hit, answers map[string]string) (outcome, error) {
			until := MuteForever
			if n, err := strconv.ParseInt(answers["for"], 10, 64); err == nil && n > 0 {
				until = time.Now().Unix() + n
			}
			h, err := d.change(ctx, h, func(c *Contact) { c.Muted = until })
			return outcome{text: d.say(t.Visitor, textMuted, d.short(t, h))}, err
		})
}

func unmuteFlow(d *Desk) flow {
	return d.aboutContact(flow{node: NodeUnmute, title: textUnmute, help: textUnmuteHelp, words: textUnmuteWords}, nil,
		func(ctx context.Context, t *turn, h hit, _ map[string]string) (outcome, error) {
			h, err := d.change(ctx, h, func(c *Contact) { c.Muted = 0 })
			return outcome{text: d.say(t.Visitor, textUnmuted, d.short(t, h))}, err
		})
}

// change writes a contact as it is by now, with a change.
func (d *Desk) change(ctx context.Context, h hit, change func(*Contact)) (hit, error) {
	now, err := d.cfg.Identity.Revise(ctx, h.account, h.contact.Alias, change)
	if err != nil {
		return h, err
	}
	h.contact = now
	return h, nil
}
