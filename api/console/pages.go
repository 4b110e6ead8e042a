package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"postern/gateway"
)

// queuesView is what waits.
type queuesView struct {
	Queues []gateway.QueueState
	Parked []gateway.ParkedLanes
	Say    string
}

func (c *Console) queues(w http.ResponseWriter, r *http.Request) {
	k, err := c.counted(r.Context())
	if err != nil {
		c.away(w, r, err)
		return
	}
	v := queuesView{Queues: k.queues, Parked: k.parked}
	for _, p := range k.parked {
		v.Say += strconv.Itoa(p.Lanes) + " chats: " + inWords(p.Reason) + ". "
	}
	c.show(w, r, http.StatusOK, "queues", "Queues", v)
}

// fidelityView is what works where, and who can read it.
type fidelityView struct {
	Adapters []gateway.Instance
	Features []fidelityRow
	Limits   []fidelityRow
	Said     []saidRow
}

// fidelityRow is a line of the matrix.
type fidelityRow struct {
	Name, Without string
	Cells         []string
}

// saidRow is what each adapter says of itself.
type saidRow struct {
	Name  string
	Cells []string
}

func (c *Console) fidelity(w http.ResponseWriter, r *http.Request) {
	v := fidelityView{Adapters: c.Control.Instances}
	var all []gateway.Descriptor
	for _, i := range v.Adapters {
		all = append(all, i.Adapter.Descriptor())
	}
	for _, row := range gateway.Fidelity() {
		out, lacks := fidelityRow{Name: row.Name, Without: row.Without}, false
		for _, d := range all {
			cell := row.Cell(d.Caps)
			out.Cells, lacks = append(out.Cells, cell), lacks || cell == "-"
		}
		if row.Feature == "" {
			v.Limits = append(v.Limits, out)
			continue
		}
		if !lacks { // nothing to be said of
			out.Without = ""
		}
		v.Features = append(v.Features, out)
	}
	for _, row := range []struct {
		name string
		of   func(gateway.Descriptor) string
	}{
		{"texts to the platform are read by", func(d gateway.Descriptor) string { return c.Texts.Mode("en", d.Out, d.Platform) }},
		{"texts from it are read by", func(d gateway.Descriptor) string { return c.Texts.Mode("en", d.In, d.Platform) }},
		{"files are seen by", func(d gateway.Descriptor) string { return c.Texts.Mode("en", d.Media, d.Platform) }},
		{"people there see of the user", func(d gateway.Descriptor) string { return string(d.Reveals) }},
		{"kept here until delivery, at most", func(d gateway.Descriptor) string { return spanOf(d.Retention) }},
		{"kept there until delivery", func(d gateway.Descriptor) string { return spanOf(d.PlatformRetention) }},
		{"only for users who live in", func(d gateway.Descriptor) string { return d.Region }},
		{"written against", func(d gateway.Descriptor) string { return d.API }},
	} {
		out := saidRow{Name: row.name}
		for _, d := range all {
			out.Cells = append(out.Cells, row.of(d))
		}
		v.Said = append(v.Said, out)
	}
	c.show(w, r, http.StatusOK, "fidelity", "Fidelity", v)
}

func spanOf(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return age(d)
}

// auditView is a page of the audit log, newest first.
type auditView struct {
	Lines        []gateway.AuditEntry
	Last         int64
	Older, Newer string
	Broken       string
}

const auditPage = 50

func (c *Console) audit(w http.ResponseWriter, r *http.Request) {
	last, err := c.Control.Audit.Last(r.Context())
	if err != nil && !errors.Is(err, gateway.ErrAudit) {
		c.away(w, r, err)
		return
	}
	v := auditView{Last: last.Seq}
	if err != nil {
		v.Broken = err.Error()
	}
	end, err := lineNumber(r, "until", last.Seq)
	if err != nil {
		c.fail(w, r, http.StatusUnprocessableEntity, "There is no such line.", "A line of the audit log has a number. The page of the log has links to all of them.")
		return
	}
	end = min(end, last.Seq)
	from := max(0, end-auditPage)
	if v.Lines, err = c.Control.Audit.Lines(r.Context(), from, int(end-from)); errors.Is(err, gateway.ErrAudit) {
		v.Broken = err.Error()
	} else if err != nil {
		c.away(w, r, err)
		return
	}
	slices.Reverse(v.Lines)
	if from > 0 {
		v.Older = "/console/audit?until=" + strconv.FormatInt(from, 10)
	}
	if end < last.Seq {
		v.Newer = "/console/audit?until=" + strconv.FormatInt(min(end+auditPage, last.Seq), 10)
	}
	c.show(w, r, http.StatusOK, "audit", "Audit log", v)
}

// lineNumber reads the number of a line out of a parameter.
func lineNumber(r *http.Request, name string, otherwise int64) (int64, error) {
	raw := r.URL.Query().Get(name)
	if raw == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return n, err
}

// verifyView is what became of checking the log.
type verifyView struct {
	From, To int64
	Hash     string
	Broken   string
	Next     string // where to go on, when time was up
}

// verifyFor is how long one request checks.
const verifyFor = 8 * time.Second

// verify checks that each line follows the one before it, from the first one on, or where the last page stopped.
func (c *Console) verify(w http.ResponseWriter, r *http.Request) {
	from, err := lineNumber(r, "after", 0)
	if err != nil {
		c.fail(w, r, http.StatusUnprocessableEntity, "There is no such line.", "A line of the audit log has a number.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), verifyFor+2*time.Second)
	defer cancel()
	v, began := verifyView{From: from, To: from}, time.Now()
	for {
		const page = 500
		lines, err := c.Control.Audit.Lines(ctx, v.To, page)
		if errors.Is(err, gateway.ErrAudit) {
			v.Broken = err.Error()
			break
		}
		if err != nil {
			c.away(w, r, err)
			return
		}
		if len(lines) > 0 {
			v.To, v.Hash = lines[len(lines)-1].Seq, lines[len(lines)-1].Hash
		}
		if len(lines) < page {
			break
		}
		if time.Since(began) > verifyFor {
			v.Next = "/console/audit/verify?after=" + strconv.FormatInt(v.To, 10)
			break
		}
	}
	c.show(w, r, http.StatusOK, "verify", "Audit log verified", v)
}
