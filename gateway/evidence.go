package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// EvidenceSchema is the version of what an evidence pack says and how.
const EvidenceSchema = "postern-evidence/1"

// Evidence is what a provider shows an authority about platforms (Digital Markets Act, article 7): day by day, what was asked of each and what
// became of it. It is of nobody: no user, contact or message is in it.
type Evidence struct {
	Schema string `json:"schema"`
	// From and To are the first and the last day, in UTC.
	From    string        `json:"from"`
	To      string        `json:"to"`
	Made    time.Time     `json:"made"`
	Version string        `json:"version"` // of Postern
	Days    []EvidenceDay `json:"days"`
}

// EvidenceDay is a day of one adapter.
type EvidenceDay struct {
	Day     string    `json:"day"`
	Adapter AdapterID `json:"adapter"`
	// Type is the adapter's type in the configuration, empty for one that is not there any more.
	Type     string           `json:"type,omitempty"`
	Requests int64            `json:"requests"`
	Methods  []EvidenceMethod `json:"methods"`
	// Limits counts, by scope, how often something had to wait for a limit.
	Limits map[LimitScope]int64 `json:"limits"`
	// Minutes counts those in which the platform answered, and those in which it was asked and none of the calls was answered. Of others
	// nothing is known. Outages are runs of the latter.
	Minutes EvidenceMinutes  `json:"minutes"`
	Outages []EvidenceOutage `json:"outages"`
}

// EvidenceMethod is what became of one kind of call.
type EvidenceMethod struct {
	Method   string `json:"method"`
	Requests int64  `json:"requests"`
	// Refused counts what did not work, by class.
	Refused map[string]int64 `json:"refused"`
	// P50, P95 and P99 are times in milliseconds that so many of a hundred calls took at most, at worst a quarter or a millisecond too high.
	P50 int64 `json:"p50_ms"`
	P95 int64 `json:"p95_ms"`
	P99 int64 `json:"p99_ms"`
}

// EvidenceMinutes counts minutes.
type EvidenceMinutes struct {
	Answered   int `json:"answered"`
	Unanswered int `json:"unanswered"`
}

// EvidenceOutage is from the first minute without an answer to the end of the last, with no answer in between.
type EvidenceOutage struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// EvidenceMost is the most days that a pack has.
const EvidenceMost = 400

// Evidence sums the days of the ledger up. Types are those of the adapters.
func (l *Ledger) Evidence(ctx context.Context, from, to time.Time, version string, types map[AdapterID]string) (Evidence, error) {
	from, to = from.UTC().Truncate(24*time.Hour), to.UTC().Truncate(24*time.Hour)
	e := Evidence{
		Schema: EvidenceSchema, From: from.Format(time.DateOnly), To: to.Format(time.DateOnly), Made: time.Now().UTC().Truncate(time.Second), Version: version, Days: []EvidenceDay{},
	}
	if to.Before(from) || to.Sub(from) > EvidenceMost*24*time.Hour {
		return e, fmt.Errorf("gateway: evidence: from %s to %s: want at most %d days, in order", e.From, e.To, EvidenceMost)
	}
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		of, err := l.Day(ctx, day)
		if err != nil {
			return e, err
		}
		for _, id := range slices.Sorted(maps.Keys(of)) {
			e.Days = append(e.Days, evidenceOf(day, id, types[id], of[id]))
		}
	}
	return e, nil
}

func evidenceOf(day time.Time, id AdapterID, typ string, of *LedgerAdapter) EvidenceDay {
	out := EvidenceDay{Day: day.Format(time.DateOnly), Adapter: id, Type: typ, Methods: []EvidenceMethod{}, Limits: map[LimitScope]int64{}, Outages: []EvidenceOutage{}}
	maps.Copy(out.Limits, of.Limits)
	for _, name := range slices.Sorted(maps.Keys(of.Methods)) {
		m := of.Methods[name]
		row := EvidenceMethod{Method: name, Refused: map[string]int64{}, P50: percentile(m.Took, 50), P95: percentile(m.Took, 95), P99: percentile(m.Took, 99)}
		for end, n := range m.Ends {
			row.Requests += n
			if end != "ok" {
				row.Refused[end] = n
			}
		}
		out.Requests += row.Requests
		out.Methods = append(out.Methods, row)
	}
	open := false
	for minute := range minutesADay {
		at := day.Add(time.Duration(minute) * time.Minute)
		switch {
		case mark(of.Up, minute):
			out.Minutes.Answered++
			open = false
		case mark(of.Down, minute):
			out.Minutes.Unanswered++
			if !open {
				out.Outages = append(out.Outages, EvidenceOutage{From: at})
			}
			out.Outages[len(out.Outages)-1].To, open = at.Add(time.Minute), true
		}
	}
	return out
}

// percentile is the bound below which so many of a hundred lie, 0 of nothing; for what is behind the last bound that one.
func percentile(took []int64, of int64) int64 {
	var all, sum int64
	for _, n := range took {
		all += n
	}
	for i, n := range took {
		if sum += n; sum > 0 && sum*100 >= all*of {
			return ledgerBounds[min(i, len(ledgerBounds)-1)]
		}
	}
	return 0
}

// seal is the second line of a pack.
type seal struct {
	Key       string `json:"key"`
	Signature string `json:"signature"`
}

// ErrEvidence: the pack is not what was signed.
var ErrEvidence = errors.New("gateway: the evidence was not signed by this key, or was changed")

// Sign returns a pack as its file: the evidence on the first line, on the second an Ed25519 signature over all of the first.
func (e Evidence) Sign(key ed25519.PrivateKey) ([]byte, error) {
	first, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	first = append(first, '\n')
	public, _ := key.Public().(ed25519.PublicKey)
	second, err := json.Marshal(seal{base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(ed25519.Sign(key, first))})
	if err != nil {
		return nil, err
	}
	return slices.Concat(first, second, []byte{'\n'}), nil
}

// VerifyEvidence reads a pack that a key has signed; ErrEvidence for one that differs in any byte.
func VerifyEvidence(file []byte, key ed25519.PublicKey) (Evidence, error) {
	var e Evidence
	at := bytes.IndexByte(file, '\n')
	if at < 0 || len(key) != ed25519.PublicKeySize {
		return e, ErrEvidence
	}
	first := file[:at+1]
	var s seal
	if json.Unmarshal(file[at+1:], &s) != nil {
		return e, ErrEvidence
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(s.Signature)
	if err != nil || !ed25519.Verify(key, first, sig) {
		return e, ErrEvidence
	}
	// The signature is not over the second line itself: there is one way to write it.
	want, err := json.Marshal(seal{base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(sig)})
	if err != nil || !bytes.Equal(file[at+1:], append(want, '\n')) {
		return e, ErrEvidence
	}
	if err := json.Unmarshal(first, &e); err != nil || e.Schema != EvidenceSchema {
		return e, fmt.Errorf("gateway: evidence: schema %q, want %s", e.Schema, EvidenceSchema)
	}
	return e, nil
}
