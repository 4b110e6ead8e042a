package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxReports bounds the reports and jobs that are kept.
const maxReports = 10_000

type blockView struct {
	InternalID string `json:"internal_id"`
	Since      string `json:"since"`
}

func (u *user) blockViews() []blockView {
	ids := u.blockedIDs()
	out := make([]blockView, 0, len(ids))
	for _, id := range ids {
		out = append(out, blockView{id, stamp(u.blocks[id])})
	}
	return out
}

func (u *user) blockedIDs() []string {
	ids := make([]string, 0, len(u.blocks))
	for id := range u.blocks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func listBlocks(c *call) (answer, *problem) {
	body, p := page(c, c.user.blockViews())
	if p != nil {
		return answer{}, p
	}
	var all strings.Builder
	for _, id := range c.user.blockedIDs() { // GIA, listBlocks: sorted, each with a line feed
		all.WriteString(id + "\n")
	}
	sum := sha256.Sum256([]byte(all.String()))
	body["digest"] = hex.EncodeToString(sum[:])
	return answer{status: http.StatusOK, body: body}, nil
}

func readBlock(c *call) (answer, *problem) {
	id := c.param("internal_id")
	since, ok := c.user.blocks[id]
	if !ok {
		return answer{}, fail("not_found", "not blocked")
	}
	return answer{status: http.StatusOK, body: blockView{id, stamp(since)}}, nil
}

func block(c *call) (answer, *problem) {
	id := c.param("internal_id")
	if _, ok := c.user.blocks[id]; !ok {
		if len(c.user.blocks) >= c.cfg.Limits.People {
			return answer{}, fail("rate_limited", "the sandbox holds no more blocks").withRetry("backoff", 0)
		}
		c.user.blocks[id] = c.now
		c.touch()
	}
	return answer{status: http.StatusNoContent}, nil
}

func unblock(c *call) (answer, *problem) {
	delete(c.user.blocks, c.param("internal_id"))
	c.touch()
	return answer{status: http.StatusNoContent}, nil
}

type report struct {
	user    *user
	id      string
	accused string
	kind    string
	about   []string // message ids
	text    string
	state   string
	reasons string
	created time.Time
}

type reportView struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Reasons   string `json:"reasons,omitempty"`
	CreatedAt string `json:"created_at"`
}

func (r *report) view() reportView { return reportView{r.id, r.state, r.reasons, stamp(r.created)} }

func createReport(c *call) (answer, *problem) {
	var in struct {
		Accused   string
		Category  string
		Statement string
		Messages  []struct {
			ID string `json:"message_id"`
		}
		Block bool
	}
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	if len(c.reports) >= maxReports {
		return answer{}, fail("rate_limited", "the sandbox holds no more reports").withRetry("backoff", 0)
	}
	r := &report{user: c.user, id: newID("rep"), accused: in.Accused, kind: in.Category, text: in.Statement, state: "received", created: c.now}
	for _, m := range in.Messages {
		r.about = append(r.about, m.ID)
	}
	c.reports[r.id] = r
	if in.Block {
		c.user.blocks[in.Accused] = c.now
	}
	c.touch()
	return answer{status: http.StatusCreated, body: r.view()}, nil
}

// reportEntry is a report as the control API shows it.
type reportEntry struct {
	reportView
	User      string   `json:"user"`
	Accused   string   `json:"accused"`
	Category  string   `json:"category"`
	Statement string   `json:"statement,omitempty"`
	Messages  []string `json:"messages"`
}

func (s *Server) reportEntries() []reportEntry {
	out := []reportEntry{}
	for _, r := range s.reports {
		out = append(out, reportEntry{r.view(), r.user.identifier.Value, r.accused, r.kind, r.text, append([]string{}, r.about...)})
	}
	slices.SortFunc(out, func(a, b reportEntry) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func getReports(c *controlCall) (any, error) { return map[string]any{"items": c.reportEntries()}, nil }

func (c *call) ownReport() (*report, *problem) {
	r := c.reports[c.param("report_id")]
	if r == nil || r.user != c.user {
		return nil, fail("not_found", "no such report")
	}
	return r, nil
}

func readReport(c *call) (answer, *problem) {
	r, p := c.ownReport()
	if p != nil {
		return answer{}, p
	}
	return answer{status: http.StatusOK, body: r.view()}, nil
}

func appealReport(c *call) (answer, *problem) {
	r, p := c.ownReport()
	if p != nil {
		return answer{}, p
	}
	r.state = "under_review"
	c.emit(c.partner, "report.updated", c.user, nil, map[string]any{"report": r.view()})
	return answer{status: http.StatusAccepted, body: r.view()}, nil
}
