package simulator

import "net/http"

// job is an export or an erasure. The sandbox ends both at once.
type job struct {
	partner *partner
	view    jobView
}

type jobView struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	State     string `json:"state"`
	CreatedAt string `json:"created_at"`
	DoneAt    string `json:"done_at,omitempty"`
	Result    any    `json:"result,omitempty"`
	Receipt   string `json:"receipt,omitempty"`
}

// finish keeps a finished job and announces it.
func (c *call) finish(u *user, v jobView) answer {
	v.ID, v.State, v.CreatedAt, v.DoneAt = newID("job"), "done", stamp(c.now), stamp(c.now)
	if len(c.jobs) < maxReports {
		c.jobs[v.ID] = &job{c.partner, v}
	}
	c.emit(c.partner, "privacy.job_done", u, nil, map[string]string{"job_id": v.ID, "kind": v.Kind, "state": v.State})
	return answer{status: http.StatusAccepted, body: v}
}

func exportData(c *call) (answer, *problem) {
	u := c.user
	requests, reports := []requestView{}, []reportView{}
	for _, chat := range u.chats {
		if chat.request != nil {
			requests = append(requests, chat.requestView(c.now))
		}
	}
	for _, r := range c.reports {
		if r.user == u {
			reports = append(reports, r.view())
		}
	}
	return c.finish(u, jobView{Kind: "export", Result: map[string]any{
		"schema_version": 1, "enlistment": u.view(), "contact_requests": requests, "consents": u.consentViews(),
		"blocks": u.blockViews(), "reports": reports,
	}}), nil
}

func eraseData(c *call) (answer, *problem) { return c.erase(c.user) }

// erase ends an enlistment and removes everything that belongs to it; the receipt states it.
func (c *call) erase(u *user) (answer, *problem) {
	receipt, err := receiptJWT(c.cfg.SigningKey, c.issuer(c.r), u.internalID, c.now)
	if err != nil {
		return answer{}, fail("internal", err.Error())
	}
	u.state = "withdrawn"
	for id, r := range c.reports {
		if r.user == u {
			delete(c.reports, id)
		}
	}
	c.forget(u)
	delete(c.partner.users, folded(u.identifier.Value))
	c.user = nil
	return c.finish(u, jobView{Kind: "erase", Receipt: receipt}), nil
}

func readJob(c *call) (answer, *problem) {
	j := c.jobs[c.param("job_id")]
	if j == nil || j.partner != c.partner {
		return answer{}, fail("not_found", "no such job")
	}
	return answer{status: http.StatusOK, body: j.view}, nil
}
