package console

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// overviewView is the first page.
type overviewView struct {
	Say      string // is said by the script once it has changed
	Checks   []checkView
	Store    storeView
	Replicas string
	Shards   string
	Panics   int
	Waiting  int
	Oldest   time.Time
	Parked   []gateway.ParkedLanes
	Chats    int
	Letters  string
	Cases    int
	Newest   []gateway.Letter
	Adapters []adapterView
	Fault    string
}

type checkView struct{ Name, Fault string }

type storeView struct {
	State, Memory, Slow, Errors string
	Plot                        plotView
}

// adapterView is one adapter with its plots.
type adapterView struct {
	gateway.Instance
	State                   string
	Leads                   bool
	Waiting                 float64
	In, Out, Failed         string
	Refused                 string
	SlowIn, SlowOut         string
	MostTraffic, MostSlow   string
	Traffic, Slow, Failures plotView
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request) {
	now, err := c.history.present()
	if err != nil {
		c.away(w, r, err)
		return
	}
	view, samples := overviewView{}, c.history.samples()
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	for _, check := range c.Checks {
		v := checkView{Name: check.Name}
		if err := check.Probe(ctx); err != nil {
			v.Fault = err.Error()
		}
		view.Checks = append(view.Checks, v)
	}
	view.Store = storeOf(now, samples)
	view.Replicas, view.Shards, view.Panics = number(now.replicas), number(now.shards), int(now.panics)
	for i, inst := range c.Control.Instances {
		view.Adapters = append(view.Adapters, adapterOf(inst, i, now, samples))
	}
	k, err := c.counted(ctx)
	if err != nil { // what this process knows by itself is shown all the same
		c.Log.Warn("console cannot count", "err", err)
		view.Fault = "The store does not answer: what waits, what is parked, dead letters and cases cannot be told. /readyz and postern doctor say more."
	}
	view.Parked, view.Newest = k.parked, k.newest
	for _, q := range k.queues {
		view.Waiting += q.Entries
		if !q.Oldest.IsZero() && (view.Oldest.IsZero() || q.Oldest.Before(view.Oldest)) {
			view.Oldest = q.Oldest
		}
	}
	for _, p := range k.parked {
		view.Chats += p.Lanes
	}
	view.Letters, view.Cases = lettersIn(k), k.cases
	view.Say = sayOf(view)
	c.show(w, r, http.StatusOK, "overview", "Overview", view)
}

// sayOf is what is worth a word when it changes: not numbers that change all the time.
func sayOf(v overviewView) string {
	if v.Fault != "" {
		return v.Fault
	}
	said := []string{v.Letters + " dead letters", strconv.Itoa(v.Cases) + " open cases", strconv.Itoa(v.Chats) + " parked chats"}
	for _, a := range v.Adapters {
		if tone(a.State) == "bad" {
			said = append(said, string(a.ID)+" "+inWords(a.State))
		}
	}
	return strings.Join(said, ", ")
}

func lettersIn(k counts) string {
	if k.more {
		return number(float64(k.letters)) + "+"
	}
	return number(float64(k.letters))
}

func storeOf(now *reading, samples []sample) storeView {
	v := storeView{State: "down", Memory: size(now.store.used), Slow: took(newest(samples, func(s sample) float32 { return s.store.slowOut }))}
	if now.store.up == 1 {
		v.State = "ok"
	}
	switch {
	case now.store.limit > 0:
		v.Memory += " of " + size(now.store.limit)
	case now.store.used == 0:
		v.Memory = ""
	}
	var bad float64
	for _, s := range samples {
		bad += float64(s.store.failed)
	}
	v.Errors = number(bad)
	return v
}

// adapterOf draws one adapter, the i-th.
func adapterOf(inst gateway.Instance, i int, now *reading, samples []sample) adapterView {
	of := now.adapters[inst.ID]
	if of == nil {
		of = &adapterReading{}
	}
	v := adapterView{Instance: inst, State: of.state, Leads: of.leads, Waiting: of.waiting}
	if v.State == "" {
		v.State = "stopped"
	}
	in, out := func(s sample) float32 { return s.adapters[i].in }, func(s sample) float32 { return s.adapters[i].out }
	failed := func(s sample) float32 { return s.adapters[i].failed }
	slowIn, slowOut := func(s sample) float32 { return s.adapters[i].slowIn }, func(s sample) float32 { return s.adapters[i].slowOut }
	v.In, v.Out = number(rate(samples, in)), number(rate(samples, out))
	v.SlowIn, v.SlowOut = took(newest(samples, slowIn)), took(newest(samples, slowOut))
	var fails, refused, most float64
	for _, s := range samples {
		fails, refused = fails+float64(failed(s)), refused+float64(s.adapters[i].refused)
	}
	v.Failed, v.Refused = number(fails), number(refused)

	perMinute := func(of func(sample) float32) func(sample) float64 {
		return func(s sample) float64 { return s.perMinute(of(s)) }
	}
	plain := func(of func(sample) float32) func(sample) float64 {
		return func(s sample) float64 { return float64(of(s)) }
	}
	v.Traffic, most = plot(samples, now.at, line{"b", perMinute(out)}, line{"a", perMinute(in)})
	v.MostTraffic = number(most)
	v.Traffic.Label = fmt.Sprintf("Traffic of %s in the last hour, at most %s a minute; now %s from the platform and %s to it.", inst.ID, v.MostTraffic, v.In, v.Out)
	v.Slow, most = plot(samples, now.at, line{"b", plain(slowOut)}, line{"a", plain(slowIn)})
	v.MostSlow = "–"
	if most > 0 {
		v.MostSlow = took(most)
	}
	v.Slow.Label = fmt.Sprintf("Time from end to end of %s in the last hour, for 95 of 100 at most %s; lately %s from the platform and %s to it.", inst.ID, v.MostSlow, v.SlowIn, v.SlowOut)
	v.Failures, _ = plot(samples, now.at, line{"c", perMinute(failed)})
	v.Failures.Label = fmt.Sprintf("Sends of %s that failed in the last hour: %s.", inst.ID, v.Failed)
	return v
}

// adapterPage is one adapter, with its plots as a table.
type adapterPage struct {
	adapterView
	Platform string
	API      string
	Rows     []adapterRow
	Canary   *canaryView
	Accounts []standingView
}

// adapterRow is five minutes of an adapter. Times are the slowest of the samples.
type adapterRow struct {
	From            time.Time
	In, Out         string
	Failed, Refused string
	SlowIn, SlowOut string
}

type standingView struct {
	Standing gateway.AccountStanding
	Count    int
}

func (c *Console) adapter(w http.ResponseWriter, r *http.Request) {
	i := slices.Index(c.history.order, gateway.AdapterID(chi.URLParam(r, "adapter")))
	if i < 0 {
		c.lost(w, r)
		return
	}
	now, err := c.history.present()
	if err != nil {
		c.away(w, r, err)
		return
	}
	samples, inst := c.history.samples(), c.Control.Instances[i]
	d := inst.Adapter.Descriptor()
	p := adapterPage{adapterView: adapterOf(inst, i, now, samples), Platform: d.Platform, API: d.API, Rows: tabled(samples, i)}
	if p.Canary, err = c.canary(r.Context(), inst); err != nil {
		c.away(w, r, err)
		return
	}
	p.Traffic.Large, p.Slow.Large, p.Failures.Large = true, true, true
	if of := now.adapters[inst.ID]; of != nil {
		p.Accounts = standings(of.accounts)
	}
	c.show(w, r, http.StatusOK, "adapter", string(inst.ID), p)
}

// tabled sums samples up by five minutes, the newest first.
func tabled(samples []sample, i int) []adapterRow {
	const every = 5 * time.Minute
	var rows []adapterRow
	for at := len(samples); at > 0; {
		from := samples[at-1].at.Truncate(every)
		var p point
		slowIn, slowOut := math.NaN(), math.NaN()
		for ; at > 0 && samples[at-1].at.Truncate(every).Equal(from); at-- {
			s := samples[at-1].adapters[i]
			p.in, p.out, p.failed, p.refused = p.in+s.in, p.out+s.out, p.failed+s.failed, p.refused+s.refused
			slowIn, slowOut = most(slowIn, s.slowIn), most(slowOut, s.slowOut)
		}
		rows = append(rows, adapterRow{from, number(float64(p.in)), number(float64(p.out)), number(float64(p.failed)), number(float64(p.refused)), took(slowIn), took(slowOut)})
	}
	return rows
}

// most is the larger of two values, of which either may be NaN.
func most(a float64, b float32) float64 {
	if v := float64(b); math.IsNaN(a) || v > a {
		return v
	}
	return a
}

// standings lists how accounts stand, those of which there are any, the most first.
func standings(of map[gateway.AccountStanding]int) []standingView {
	var out []standingView
	for s, n := range of {
		if n > 0 {
			out = append(out, standingView{s, n})
		}
	}
	slices.SortFunc(out, func(a, b standingView) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return len(a.Standing) - len(b.Standing)
	})
	return out
}
