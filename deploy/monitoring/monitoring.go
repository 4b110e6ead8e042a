// Package monitoring makes the Grafana dashboard that lies beside it, as dashboard.json, next to the rules for Prometheus.
//
// What is shown stands in rows.go, one line each; this file knows how Grafana writes it down.
package monitoring

import "encoding/json"

// panel is one picture.
type panel struct {
	title string
	// help says what the picture tells, and when to worry.
	help string
	kind kind
	// unit is one of Grafana's.
	unit string
	// red is where a number turns red, 0 for never; redBelow turns it around.
	red      float64
	redBelow bool
	// stack puts the lines on top of each other.
	stack bool
	// wide takes half of the width instead of a third.
	wide    bool
	queries []query
}

// query is what Prometheus is asked, and how an answer is named.
type query struct{ expr, legend string }

type kind string

const (
	lines  kind = "timeseries"
	number kind = "stat"
	grid   kind = "table"
)

type row struct {
	title  string
	panels []panel
}

// width of everything, in Grafana's units, and the height of numbers and pictures.
const (
	width       = 24
	smallHeight = 4
	height      = 8
)

type object = map[string]any

var source = object{"type": "prometheus", "uid": "${datasource}"}

// Dashboard returns the dashboard as Grafana imports it, from version 10 (schemaVersion 39).
func Dashboard() ([]byte, error) {
	var panels []object
	y := 0
	for _, r := range rows() {
		panels = append(panels, object{"type": "row", "title": r.title, "collapsed": false, "panels": []any{}, "gridPos": pos(0, y, width, 1), "id": len(panels) + 1})
		y++
		x, tall := 0, 0
		for _, p := range r.panels {
			w, h := p.size()
			if x+w > width {
				x, y = 0, y+tall
			}
			panels = append(panels, p.object(len(panels)+1, pos(x, y, w, h)))
			x, tall = x+w, h
		}
		y += tall
	}
	text, err := json.MarshalIndent(object{
		"title": "Postern", "uid": "postern", "tags": []string{"postern", "xmpp"}, "description": "Is the gateway well? From the top: at a glance, then why.",
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "timezone": "browser", "refresh": "30s",
		"time": object{"from": "now-6h", "to": "now"}, "panels": panels,
		"templating": object{"list": []object{
			{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": object{"text": "", "value": ""}, "hide": 0, "refresh": 1},
			variable("adapter", "Adapter", `label_values(postern_send_total, adapter)`),
			variable("instance", "Replica", `label_values(postern_build_info, instance)`),
		}},
		"annotations": object{"list": []object{{
			"name": "Alerts", "datasource": source, "enable": true, "iconColor": "red", "titleFormat": "{{alertname}}", "textFormat": "{{adapter}} {{instance}}",
			"expr": `ALERTS{alertname=~"Postern.*", alertstate="firing"}`, "step": "60s",
		}}},
		"links": []object{},
	}, "", " ")
	return append(text, '\n'), err
}

// variable lets the reader choose among the values of a label.
func variable(name, label, values string) object {
	return object{
		"name": name, "label": label, "type": "query", "datasource": source, "query": object{"query": values, "refId": name}, "definition": values,
		"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"}, "hide": 0,
	}
}

func pos(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

func (p panel) size() (w, h int) {
	switch {
	case p.kind == number:
		return width / 8, smallHeight
	case p.wide:
		return width / 2, height
	}
	return width / 3, height
}

func (p panel) object(id int, at object) object {
	var targets []object
	for i, q := range p.queries {
		t := object{"refId": string(rune('A' + i)), "datasource": source, "expr": q.expr, "legendFormat": q.legend, "editorMode": "code"}
		if p.kind == lines {
			t["range"] = true
		} else {
			t["instant"] = true
		}
		if p.kind == grid {
			t["format"] = "table"
		}
		targets = append(targets, t)
	}
	defaults := object{"unit": p.unit, "color": object{"mode": "palette-classic"}, "custom": p.drawing()}
	options := object{"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	switch p.kind {
	case number:
		defaults = object{"unit": p.unit, "color": object{"mode": "thresholds"}, "thresholds": p.thresholds()}
		options = object{
			"colorMode": "background", "graphMode": "none", "reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
			// Grafana's own choices, which its schema wants said.
			"justifyMode": "auto", "orientation": "auto", "percentChangeColorMode": "standard", "showPercentChange": false, "textMode": "auto", "wideLayout": true,
		}
	case grid:
		defaults, options = object{}, object{"showHeader": true, "frameIndex": 0}
	case lines:
	}
	return object{
		"id": id, "type": string(p.kind), "title": p.title, "description": p.help, "gridPos": at, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": []any{}}, "options": options,
	}
}

func (p panel) drawing() object {
	stacking, fill := "none", 0
	if p.stack {
		stacking, fill = "normal", 30
	}
	return object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "spanNulls": false, "stacking": object{"mode": stacking, "group": "A"}}
}

func (p panel) thresholds() object {
	below, above := "green", "red"
	if p.redBelow {
		below, above = above, below
	}
	steps := []object{{"color": below, "value": nil}}
	if p.red != 0 {
		steps = append(steps, object{"color": above, "value": p.red})
	}
	return object{"mode": "absolute", "steps": steps}
}
