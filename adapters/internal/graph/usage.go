package graph

import (
	"encoding/json"
	"net/http"
	"time"
)

// Headers in which the API says how much of a limit is used up ("Rate Limits, Headers").
const (
	HeaderAppUsage      = "X-App-Usage"
	HeaderPageUsage     = "X-Page-Usage"
	HeaderBusinessUsage = "X-Business-Use-Case-Usage"
)

// Usage is the fullest of the limits that an answer told of.
type Usage struct {
	// Percent is how much is used; above 100 calls are refused.
	Percent int
	// Regain is when calls work again, where the API says so.
	Regain time.Duration
}

// maxRegain bounds what is believed of a wait.
const maxRegain = 24 * time.Hour

type usageEntry struct {
	Calls  float64 `json:"call_count"`
	CPU    float64 `json:"total_cputime"`
	Time   float64 `json:"total_time"`
	Regain float64 `json:"estimated_time_to_regain_access"` // minutes
}

// UsageOf reads the usage headers of an answer; what cannot be read says nothing.
func UsageOf(h http.Header) Usage {
	var u Usage
	for _, name := range []string{HeaderAppUsage, HeaderPageUsage} {
		var e usageEntry
		if json.Unmarshal([]byte(h.Get(name)), &e) == nil {
			u.add(e)
		}
	}
	var byID map[string][]usageEntry
	if json.Unmarshal([]byte(h.Get(HeaderBusinessUsage)), &byID) == nil {
		for _, entries := range byID {
			for _, e := range entries {
				u.add(e)
			}
		}
	}
	return u
}

func (u *Usage) add(e usageEntry) {
	percent := min(max(e.Calls, e.CPU, e.Time, 0), 1000)
	u.Percent = max(u.Percent, int(percent))
	minutes := min(max(e.Regain, 0), maxRegain.Minutes())
	u.Regain = max(u.Regain, time.Duration(minutes*float64(time.Minute)))
}
