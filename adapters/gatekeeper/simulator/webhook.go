package simulator

import (
	"net/http"
	"time"
)

type webhookView struct {
	URL           string   `json:"url"`
	State         string   `json:"state"`
	Events        []string `json:"events,omitempty"`
	MaxParallel   int      `json:"max_parallel"`
	Secret        string   `json:"secret,omitempty"`
	PreviousUntil string   `json:"previous_secret_until,omitempty"`
	UpdatedAt     string   `json:"updated_at"`
}

func (e *endpoint) view(secret string, now time.Time) webhookView {
	v := webhookView{URL: e.url, State: "active", Events: e.events, MaxParallel: e.parallel(), Secret: secret, UpdatedAt: stamp(e.updated)}
	if e.disabled {
		v.State = "disabled"
	}
	if e.previous != nil && now.Before(e.previousUntil) {
		v.PreviousUntil = stamp(e.previousUntil)
	}
	return v
}

func setWebhook(c *call) (answer, *problem) {
	var in struct {
		URL         string
		Secret      string
		Events      []string
		MaxParallel int `json:"max_parallel"`
	}
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	if !webURL(in.URL) {
		return answer{}, invalid("/url", "want an http or https url")
	}
	shown := ""
	if in.Secret == "" {
		in.Secret = newSecret()
		shown = in.Secret
	} else if _, err := decodeSecret(in.Secret); err != nil {
		return answer{}, invalid("/secret", err.Error())
	}
	hook := &c.partner.hook
	hook.set(in.URL, in.Secret, c.now)
	hook.events, hook.maxParallel, hook.previous = in.Events, in.MaxParallel, nil
	c.reschedule(c.partner)
	c.touch()
	return answer{status: http.StatusOK, body: hook.view(shown, c.now)}, nil
}

func readWebhook(c *call) (answer, *problem) {
	if c.partner.hook.url == "" {
		return answer{}, fail("not_found", "no endpoint was set")
	}
	return answer{status: http.StatusOK, body: c.partner.hook.view("", c.now)}, nil
}

func testWebhook(c *call) (answer, *problem) {
	if c.partner.hook.url == "" {
		return answer{}, fail("not_found", "no endpoint was set")
	}
	e := c.emit(c.partner, "webhook.test", nil, nil, map[string]string{"note": "asked for by the partner"})
	return answer{status: http.StatusAccepted, body: map[string]string{"event_id": e.id}}, nil
}

func rotateWebhookSecret(c *call) (answer, *problem) {
	in := struct {
		Secret   string
		OverlapS *int `json:"overlap_s"`
	}{}
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	hook := &c.partner.hook
	if hook.url == "" {
		return answer{}, fail("not_found", "no endpoint was set")
	}
	shown := ""
	if in.Secret == "" {
		in.Secret = newSecret()
		shown = in.Secret
	}
	key, err := decodeSecret(in.Secret)
	if err != nil {
		return answer{}, invalid("/secret", err.Error())
	}
	overlap := 86400
	if in.OverlapS != nil {
		overlap = *in.OverlapS
	}
	hook.previous, hook.previousUntil = hook.secret, c.now.Add(time.Duration(overlap)*time.Second)
	hook.secret, hook.updated = key, c.now
	c.touch()
	return answer{status: http.StatusOK, body: hook.view(shown, c.now)}, nil
}
