package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// CaseID names a case: a ULID in lower case.
type CaseID string

// isOne reports whether an id can be that of a case.
func (id CaseID) isOne() bool {
	_, err := ulid.ParseStrict(string(id))
	return err == nil && strings.ToLower(string(id)) == string(id)
}

// Case is a user's report of a contact, and what became of it: the operator decides, with reasons; the user may appeal once, and the
// operator decides once more. It holds no message, only what the user wrote in the report. It is sealed under the user's own key.
type Case struct {
	ID      CaseID    `json:"id"`
	User    UserID    `json:"user"`
	Adapter AdapterID `json:"adapter"`
	Account AccountID `json:"account"`
	// Contact is the platform's id of the person, Address the local part under which the user knows them.
	Contact ContactID `json:"contact"`
	Alias   Alias     `json:"alias"`
	Address Alias     `json:"address"`
	Name    string    `json:"name,omitempty"`
	// Lang is the language that the user reported in.
	Lang      string       `json:"lang,omitempty"`
	Reason    ReportReason `json:"reason"`
	Statement string       `json:"statement,omitempty"`
	// Platform is whether the platform took the report.
	Platform CasePlatform `json:"platform"`
	Opened   time.Time    `json:"opened"`
	// Decisions are one, or two where the user appealed.
	Decisions []CaseDecision `json:"decisions,omitempty"`
	Appeal    *CaseAppeal    `json:"appeal,omitempty"`
}

// CasePlatform is whether a platform took a report.
type CasePlatform string

// What became of a report on the platform.
const (
	CaseUntold CasePlatform = "untold" // it was not asked, or did not answer
	CaseTold   CasePlatform = "told"
	CaseNoWay  CasePlatform = "takes_none"
)

// CaseDecision is what the operator decided, and why.
type CaseDecision struct {
	Decision Decision  `json:"decision"`
	Reasons  string    `json:"reasons"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	// Due: it is written down, and not carried out and told yet. A decision without that is.
	Due bool `json:"due,omitempty"`
	// Lifts: it takes back the block of the decision before.
	Lifts bool `json:"lifts,omitempty"`
}

// CaseAppeal is what a user has to say against a decision.
type CaseAppeal struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Decision is what can be decided: a closed set, since users read it in their language.
type Decision string

// Decisions. ContactBlocked is carried out by the gateway, as the user's own block is; NoAction after an appeal takes it back; Forwarded says
// that the operator went on with the report elsewhere, such as to the platform or an authority.
const (
	NoAction       Decision = "no_action"
	ContactBlocked Decision = "contact_blocked"
	Forwarded      Decision = "forwarded"
)

// Decisions returns all there are.
func Decisions() []Decision { return []Decision{NoAction, ContactBlocked, Forwarded} }

// CaseState is how far a case got.
type CaseState string

// States of a case. Open and appealed ones wait for the operator.
const (
	CaseOpen     CaseState = "open"
	CaseDecided  CaseState = "decided"
	CaseAppealed CaseState = "appealed"
	CaseClosed   CaseState = "closed"
)

// CaseStates returns all there are.
func CaseStates() []CaseState { return []CaseState{CaseOpen, CaseDecided, CaseAppealed, CaseClosed} }

// Waits reports whether the operator has to decide.
func (s CaseState) Waits() bool { return s == CaseOpen || s == CaseAppealed }

// State is how far the case got. It waits until the last decision is carried out.
func (c *Case) State() CaseState {
	done := len(c.Decisions)
	if c.Pending() != nil {
		done--
	}
	switch {
	case done == 0:
		return CaseOpen
	case c.Appeal == nil:
		return CaseDecided
	case done == 1:
		return CaseAppealed
	}
	return CaseClosed
}

// Pending is the decision that is written down and not carried out; nil where there is none.
func (c *Case) Pending() *CaseDecision {
	if n := len(c.Decisions); n > 0 && c.Decisions[n-1].Due {
		return &c.Decisions[n-1]
	}
	return nil
}

const (
	// AppealFor is how long a decision can be appealed against.
	AppealFor = 30 * 24 * time.Hour
	// maxCases is how many cases wait at most: more reports are refused for the moment, since nobody could read them.
	maxCases = 10_000
	// maxCasesOfUser is how many reports of one user are kept, decided or not.
	maxCasesOfUser = 200
	// caseGrace is how long a case may be in the list and not there yet.
	caseGrace = time.Hour
)

// AppealUntil is until when the user may appeal; zero where they may not.
func (c *Case) AppealUntil() time.Time {
	if c.State() != CaseDecided {
		return time.Time{}
	}
	until, end := c.Decisions[0].At.Add(AppealFor), c.Opened.Add(CaseTTL)
	if end.Before(until) {
		return end
	}
	return until
}

// ErrCaseState: the case is decided already, and nobody appealed.
var ErrCaseState = errors.New("gateway: the case does not wait for a decision")

// ErrCaseContact: the contact is not there any more, and cannot be blocked.
var ErrCaseContact = errors.New("gateway: the contact of the case is not there any more")

// ownerCases has the list of cases. The cases themselves are their users', expire by themselves and go with them.
const ownerCases Owner = "cases"

// caseEntry is a case in the list: whose it is, as the store knows them, and its state. Where that was not written any more the list says
// that it waits, and who looks puts it right.
type caseEntry struct {
	ID     CaseID    `json:"-"`
	Owner  Owner     `json:"o"`
	State  CaseState `json:"s"`
	Opened time.Time `json:"t"`
}

// caseList returns the list, newest first. What has expired leaves it.
func (d *Desk) caseList(ctx context.Context) ([]caseEntry, error) {
	all := map[CaseID]caseEntry{} // a name may come twice
	var gone []Change
	for cursor := ""; ; {
		page, next, err := d.cfg.Store.List(ctx, ownerCases, RecordCaseEntry, cursor, 1000)
		if err != nil {
			return nil, fmt.Errorf("gateway: desk: list cases: %w", err)
		}
		for name, sealed := range page {
			plain, err := d.cfg.Keyring.operator.Open("cases/"+name, sealed)
			if err != nil {
				return nil, fmt.Errorf("gateway: desk: list of cases: %w", err)
			}
			e := caseEntry{ID: CaseID(name)}
			if err := json.Unmarshal(plain, &e); err != nil {
				return nil, fmt.Errorf("gateway: desk: list of cases: %w", err)
			}
			if time.Since(e.Opened) > CaseTTL {
				gone = append(gone, Change{Kind: RecordCaseEntry, Name: name})
				continue
			}
			all[e.ID] = e
		}
		if cursor = next; next == "" {
			break
		}
	}
	if err := d.unlist(ctx, gone); err != nil {
		return nil, err
	}
	out := make([]caseEntry, 0, len(all))
	for _, e := range all {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b caseEntry) int { return cmp.Compare(b.ID, a.ID) })
	return out, nil
}

func (d *Desk) unlist(ctx context.Context, gone []Change) error {
	if len(gone) == 0 {
		return nil
	}
	if err := d.cfg.Store.Save(ctx, ownerCases, gone...); err != nil {
		return fmt.Errorf("gateway: desk: list of cases: %w", err)
	}
	return nil
}

// listCase writes where a case is and how far it got.
func (d *Desk) listCase(ctx context.Context, owner Owner, c *Case, state CaseState) error {
	plain, err := json.Marshal(caseEntry{Owner: owner, State: state, Opened: c.Opened})
	if err != nil {
		return err
	}
	name := string(c.ID)
	sealed := d.cfg.Keyring.operator.Seal("cases/"+name, plain)
	if err := d.cfg.Store.Save(ctx, ownerCases, Change{Kind: RecordCaseEntry, Name: name, Value: sealed}); err != nil {
		return fmt.Errorf("gateway: desk: list of cases: %w", err)
	}
	return nil
}

// loadCases returns the cases of entries, with what the store has of each; nil for one that is gone.
func (d *Desk) loadCases(ctx context.Context, entries []caseEntry) ([]*Case, [][]byte, error) {
	if len(entries) == 0 {
		return nil, nil, nil
	}
	keys := make([]RecordKey, len(entries))
	for i, e := range entries {
		keys[i] = RecordKey{e.Owner, RecordCase, string(e.ID)}
	}
	got, err := d.cfg.Store.Load(ctx, keys...)
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: desk: load cases: %w", err)
	}
	out := make([]*Case, len(entries))
	var stale []Change
	for i, e := range entries {
		if got[i] == nil {
			if time.Since(e.Opened) > caseGrace {
				stale = append(stale, Change{Kind: RecordCaseEntry, Name: string(e.ID)})
			}
			continue
		}
		key, err := d.cfg.Identity.wrapper(ctx, e.Owner)
		if errors.Is(err, ErrNoAccount) { // erased this moment
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		plain, err := key.Open(casePlace(e.Owner, e.ID), got[i])
		if err != nil {
			return nil, nil, fmt.Errorf("gateway: desk: case: %w", err)
		}
		out[i] = &Case{}
		if err := json.Unmarshal(plain, out[i]); err != nil {
			return nil, nil, fmt.Errorf("gateway: desk: case: %w", err)
		}
	}
	return out, got, d.unlist(ctx, stale)
}

// saveCase writes a case for as long as it is still kept, from what the store had of it, and returns what it has now: ErrChanged when that
// is not so any more.
func (d *Desk) saveCase(ctx context.Context, owner Owner, c *Case, was []byte) ([]byte, error) {
	key, err := d.cfg.Identity.userKey(ctx, owner)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	sealed := key.Seal(casePlace(owner, c.ID), plain)
	err = d.cfg.Store.Save(ctx, owner, Change{
		Kind: RecordCase, Name: string(c.ID), Value: sealed, IfAbsent: was == nil, Was: was,
		TTL: max(time.Until(c.Opened.Add(CaseTTL)), time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: save case: %w", err)
	}
	return sealed, nil
}

func casePlace(owner Owner, id CaseID) string { return string(owner) + "/case/" + string(id) }

// findCase returns a case by its id, with its owner and what the store has of it. ErrNotFound when there is none.
func (d *Desk) findCase(ctx context.Context, id CaseID) (c *Case, e caseEntry, was []byte, err error) {
	name := strings.ToLower(string(id))
	got, err := d.cfg.Store.Load(ctx, RecordKey{ownerCases, RecordCaseEntry, name})
	if err != nil {
		return nil, e, nil, fmt.Errorf("gateway: desk: load case: %w", err)
	}
	if got[0] == nil {
		return nil, e, nil, ErrNotFound
	}
	plain, err := d.cfg.Keyring.operator.Open("cases/"+name, got[0])
	if err != nil {
		return nil, e, nil, fmt.Errorf("gateway: desk: list of cases: %w", err)
	}
	e.ID = CaseID(name)
	if err := json.Unmarshal(plain, &e); err != nil {
		return nil, e, nil, fmt.Errorf("gateway: desk: list of cases: %w", err)
	}
	found, sealed, err := d.loadCases(ctx, []caseEntry{e})
	if err != nil {
		return nil, e, nil, err
	}
	if found[0] == nil {
		return nil, e, nil, ErrNotFound
	}
	return found[0], e, sealed[0], nil
}

// casesOf returns a user's cases, newest first.
func (d *Desk) casesOf(ctx context.Context, user UserID) ([]*Case, error) {
	entries, err := d.caseList(ctx)
	if err != nil {
		return nil, err
	}
	owner := d.cfg.Keyring.userOwner(user)
	entries = slices.DeleteFunc(entries, func(e caseEntry) bool { return e.Owner != owner })
	var out []*Case
	for part := range slices.Chunk(entries, 200) {
		got, _, err := d.loadCases(ctx, part)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(got, func(c *Case) bool { return c == nil })...)
	}
	return out, nil
}

// forgetCases takes a user's cases out of the list; they themselves go with the user.
func (d *Desk) forgetCases(ctx context.Context, owner Owner) error {
	entries, err := d.caseList(ctx)
	if err != nil {
		return err
	}
	var gone []Change
	for _, e := range entries {
		if e.Owner == owner {
			gone = append(gone, Change{Kind: RecordCaseEntry, Name: string(e.ID)})
		}
	}
	return d.unlist(ctx, gone)
}
