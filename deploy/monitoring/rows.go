package monitoring

import "fmt"

// quantiles asks for three percentiles of a histogram, narrowed by a selector.
func quantiles(name, selector, by string) []query {
	var out []query
	for _, q := range []struct{ q, legend string }{{"0.5", "half"}, {"0.95", "95 %"}, {"0.99", "99 %"}} {
		out = append(out, query{
			fmt.Sprintf(`histogram_quantile(%s, sum by (%s, le) (rate(%s_bucket{%s}[$__rate_interval])))`, q.q, by, name, selector),
			"{{" + by + "}} " + q.legend,
		})
	}
	return out
}

// slowest asks for one high percentile, by a label.
func slowest(name, selector, by string) []query {
	return []query{{fmt.Sprintf(`histogram_quantile(0.95, sum by (%s, le) (rate(%s_bucket{%s}[$__rate_interval])))`, by, name, selector), "{{" + by + "}}"}}
}

// rate asks how often something happens, by some labels; legend is made of them.
func rate(counter, selector, by, legend string) []query {
	return []query{{fmt.Sprintf(`sum by (%s) (rate(%s{%s}[$__rate_interval]))`, by, counter, selector), legend}}
}

const (
	chosen = `adapter=~"$adapter"`
	here   = `instance=~"$instance"`
)

// rows is what is shown.
func rows() []row {
	return []row{
		{"At a glance", []panel{
			{title: "Alerts", help: "Firing now; RUNBOOK.md has a section for each.", kind: number, red: 1, queries: []query{{`count(ALERTS{alertname=~"Postern.*", alertstate="firing"}) or vector(0)`, ""}}},
			{title: "Replicas", help: "Processes that answer.", kind: number, red: 1, redBelow: true, queries: []query{{`sum(up{job="postern"})`, ""}}},
			{title: "Adapters cut off", help: "Adapters that no replica has a stream to the XMPP server for.", kind: number, red: 1, queries: []query{{`count(sum by (adapter) (postern_component_state{state="up"}) == 0) or vector(0)`, ""}}},
			{title: "Redis", help: "1 while every replica finds that it takes writes.", kind: number, red: 1, redBelow: true, queries: []query{{`min(postern_store_up)`, ""}}},
			{title: "Within 10 s", help: "Messages of the last hour, both directions; 99 % are promised.", kind: number, unit: "percentunit", red: 0.99, redBelow: true, queries: []query{{`sum(rate(postern_end_to_end_seconds_bucket{le="10"}[1h])) / sum(rate(postern_end_to_end_seconds_count[1h]))`, ""}}},
			{title: "Oldest entry", help: "How long the entry that waits longest has waited; what is parked does not count.", kind: number, unit: "s", red: 120, queries: []query{{`max(postern_queue_oldest_age_seconds)`, ""}}},
			{title: "Platforms left alone", help: "Platforms that failed so often that nobody calls them for the moment.", kind: number, red: 1, queries: []query{{`sum(max by (adapter) (postern_breaker_open))`, ""}}},
			{title: "Given up, 24 h", help: "Dead letters: postern dead-letters list.", kind: number, unit: "short", red: 1, queries: []query{{`ceil(sum(increase(postern_dead_letters_total[24h])))`, ""}}},
		}},
		{"Traffic", []panel{
			{title: "From the platforms", kind: lines, help: "Events taken into the store, each second.", unit: "ops", stack: true, queries: rate("postern_ingest_total", chosen+`, direction="in", result="new"`, "adapter", "{{adapter}}")},
			{title: "From users", kind: lines, help: "What users wrote, read, changed, each second.", unit: "ops", stack: true, queries: rate("postern_ingest_total", chosen+`, direction="out", result="new"`, "adapter", "{{adapter}}")},
			{title: "Stanzas that the server confirmed", kind: lines, help: "By the ping that follows each batch.", unit: "ops", stack: true, queries: rate("postern_stanzas_total", chosen, "adapter", "{{adapter}}")},
			{title: "Webhooks by result", kind: lines, help: "Everything but ok, polled and linking has an alert or a dead letter behind it.", unit: "ops", queries: rate("postern_webhooks_total", chosen, "adapter, result", "{{adapter}} {{result}}")},
			{title: "Files by result", unit: "ops", kind: lines, help: "away: not reached, tried again; nowhere: no upload service and no https public_url.", queries: rate("postern_files_total", chosen, "direction, result", "{{direction}} {{result}}")},
			{title: "Typing and presence", kind: lines, help: "Dropped ones are lost on purpose: they are worth nothing a moment later.", unit: "ops", queries: rate("postern_ephemerals_total", "", "direction, result", "{{direction}} {{result}}")},
		}},
		{"What goes wrong", []panel{
			{title: "Calls to platforms by class", kind: lines, help: "ok left out. uncertain and retryable are tried again, rate_limited waits, permanent is told to the sender.", unit: "ops", queries: rate("postern_send_total", chosen+`, class!="ok"`, "adapter, class", "{{adapter}} {{class}}")},
			{title: "Stanzas refused, by condition", kind: lines, help: "Errors that users see.", unit: "ops", queries: rate("postern_refused_total", chosen, "adapter, condition", "{{adapter}} {{condition}}")},
			{title: "Taken twice, refused or not stored", kind: lines, help: "Duplicates are harmless: somebody sent again. full and error are not.", unit: "ops", queries: rate("postern_ingest_total", chosen+`, result!="new"`, "adapter, direction, result", "{{adapter}} {{direction}} {{result}}")},
			{title: "Dead letters", kind: lines, help: "In five minutes, by where they came from.", unit: "short", stack: true, queries: []query{{`sum by (where) (increase(postern_dead_letters_total[5m]))`, "{{where}}"}}},
			{title: "Panics, lost leases, bad stanzas, failed polls", kind: lines, help: "In five minutes.", unit: "short", queries: []query{
				{`sum(increase(postern_panics_total[5m]))`, "panics"},
				{`sum(increase(postern_fenced_total[5m]))`, "lost leases"},
				{`sum by (fault) (increase(postern_stanza_faults_total{adapter=~"$adapter"}[5m])) > 0`, "{{fault}}"},
				{`sum by (adapter) (increase(postern_poll_failures_total{adapter=~"$adapter"}[5m])) > 0`, "{{adapter}} polls"},
			}},
			{title: "Rendered in another way", kind: lines, help: "Ops changed because the platform lacks a feature.", unit: "ops", queries: rate("postern_degraded_total", chosen, "adapter, feature", "{{adapter}} {{feature}}")},
		}},
		{"How long it takes", []panel{
			{title: "Platform to user", kind: lines, help: "From the event to the server's confirmation of its stanzas.", unit: "s", queries: quantiles("postern_end_to_end_seconds", chosen+`, direction="in"`, "adapter")},
			{title: "User to platform", kind: lines, help: "From the stanza to the platform's answer. What waited on purpose counts too, such as for a closed reply window.", unit: "s", queries: quantiles("postern_end_to_end_seconds", chosen+`, direction="out"`, "adapter")},
			{title: "Slower than 10 s", kind: lines, help: "Share of the messages of the last hour; 1 % is what the promise allows.", unit: "percentunit", queries: []query{{`adapter_direction:postern_slow:ratio_rate1h{adapter=~"$adapter"}`, "{{adapter}} {{direction}}"}}},
			{title: "One call to a platform", unit: "s", kind: lines, help: "Whatever it answered.", queries: quantiles("postern_send_seconds", chosen, "adapter")},
			{title: "One call to Redis, 95 %", unit: "s", kind: lines, help: "By kind of call; each message makes several.", queries: slowest("postern_store_seconds", here, "op")},
			{title: "Webhook to its answer, 95 %", unit: "s", kind: lines, help: "Platforms give up after some seconds.", queries: slowest("postern_webhook_seconds", chosen, "adapter")},
		}},
		{"What waits", []panel{
			{title: "Entries in queues", kind: lines, help: "Read and not done, or not read yet (no adapter).", unit: "short", stack: true, queries: []query{{`sum by (where, adapter) (postern_queue_entries{adapter=~"$adapter|"})`, "{{where}} {{adapter}}"}}},
			{title: "Age of the oldest", kind: lines, help: "More than a minute is trouble: what waits on purpose is parked.", unit: "s", queries: []query{{`max by (where, adapter) (postern_queue_oldest_age_seconds{adapter=~"$adapter|"})`, "{{where}} {{adapter}}"}}},
			{title: "Parked chats by reason", kind: lines, help: "retry and breaker: the platform; limit: too much at once; reauth: an account; window, pause, late: a person.", unit: "short", stack: true, queries: []query{{`sum by (where, reason) (postern_parked_chats)`, "{{where}} {{reason}}"}}},
			{title: "Parking, by reason", unit: "ops", kind: lines, help: "Times that a chat was parked, each second.", queries: rate("postern_parks_total", "", "reason", "{{reason}}")},
			{title: "Limits", unit: "ops", kind: lines, help: "Times that something had to wait for a limit, or a user was told to.", queries: rate("postern_limited_total", chosen, "adapter, scope", "{{adapter}} {{scope}}")},
			{title: "Refused by the policy", unit: "ops", kind: lines, help: "user: a rule or policy.url refuses them; the others: what their plan allows is spent.", queries: rate("postern_policy_refused_total", chosen, "adapter, scope", "{{adapter}} {{scope}}")},
			{title: "Stopped by the operator", unit: "short", kind: lines, help: "1 while an adapter is stopped: postern adapters says by whom and why, postern adapters start NAME ends it.", queries: []query{{`max by (adapter) (postern_adapter_stopped{adapter=~"$adapter"})`, "{{adapter}}"}}},
			{title: "Questions to policy.url", unit: "ops", kind: lines, help: "unreachable and not_understood: policy.unreachable counts.", queries: rate("postern_policy_questions_total", "", "result", "{{result}}")},
			{title: "Platforms left alone", unit: "short", kind: lines, help: "1 while a platform that fails is left alone.", queries: []query{{`max by (adapter) (postern_breaker_open{adapter=~"$adapter"})`, "{{adapter}}"}, {`sum by (adapter) (increase(postern_breaker_opened_total{adapter=~"$adapter"}[5m]))`, "{{adapter}} anew"}}},
		}},
		{"Canaries", []panel{
			{title: "Since the last good canary", unit: "s", kind: lines, help: "Of adapters that have one; from three intervals on there is an alert.", queries: []query{{`time() - max by (adapter) (postern_canary_last_success_timestamp_seconds{adapter=~"$adapter"} > 0)`, "{{adapter}}"}}},
			{title: "Canaries by result", unit: "short", kind: lines, help: "In an hour. no_answer: the platform did not deliver in time; waiting: an earlier message still waits; what each means is in RUNBOOK.md.", queries: []query{{`sum by (adapter, result) (increase(postern_canary_total{adapter=~"$adapter"}[1h])) > 0`, "{{adapter}} {{result}}"}}},
			{title: "Canary to its delivery", unit: "s", kind: lines, help: "From the gateway to the platform and back, of those that came back in time.", queries: quantiles("postern_canary_seconds", chosen, "adapter")},
		}},
		{"Accounts", []panel{
			{title: "Accounts by standing", unit: "short", stack: true, kind: lines, help: "As counted every few minutes.", queries: []query{{`sum by (adapter, standing) (postern_accounts{adapter=~"$adapter"})`, "{{adapter}} {{standing}}"}}},
			{title: "Found in another standing", unit: "short", kind: lines, help: "In an hour. One account is its user's business, several at once are the operator's.", queries: []query{{`sum by (adapter, standing) (increase(postern_account_changes_total{adapter=~"$adapter"}[1h]))`, "{{adapter}} {{standing}}"}}},
			{title: "Strangers on lines, muted and blocked contacts", unit: "ops", kind: lines, help: "What came in and is shown to nobody, or to somebody else.", queries: append(rate("postern_guests_total", chosen, "adapter, result", "{{adapter}} {{result}}"), rate("postern_hushed_total", chosen, "adapter, reason", "{{adapter}} {{reason}}")...)},
		}},
		{"XMPP and replicas", []panel{
			{title: "Stream of each component", unit: "short", kind: lines, help: "How many replicas are in which state: one is up, the others stand by.", queries: []query{{`sum by (adapter, state) (postern_component_state{adapter=~"$adapter"}) > 0`, "{{adapter}} {{state}}"}}},
			{title: "Server confirms a batch, 95 %", unit: "s", kind: lines, help: "From writing a batch to the answer to the ping behind it.", queries: slowest("postern_barrier_seconds", chosen, "adapter")},
			{title: "Who carries which component", unit: "short", stack: true, kind: lines, help: "Exactly one replica for each adapter.", queries: []query{{`sum by (adapter, instance) (postern_leader{adapter=~"$adapter"}) > 0`, "{{adapter}} {{instance}}"}}},
			{title: "Shards by replica", unit: "short", stack: true, kind: lines, help: "64 together.", queries: []query{{`sum by (instance) (postern_shards_owned)`, "{{instance}}"}}},
			{title: "Replicas that work", unit: "short", kind: lines, help: "As each of them knows.", queries: []query{{`postern_replicas{instance=~"$instance"}`, "{{instance}}"}}},
			{title: "Builds", kind: grid, help: "What runs where.", queries: []query{{`max by (instance, version, go) (postern_build_info)`, ""}}},
		}},
		{"Process and Redis", []panel{
			{title: "Memory", unit: "bytes", kind: lines, help: "Resident, and what Go uses of it for data.", queries: []query{{`process_resident_memory_bytes{job="postern", instance=~"$instance"}`, "{{instance}}"}, {`go_memstats_heap_inuse_bytes{job="postern", instance=~"$instance"}`, "{{instance}} heap"}}},
			{title: "CPU", unit: "percentunit", kind: lines, help: "Of one core.", queries: []query{{`rate(process_cpu_seconds_total{job="postern", instance=~"$instance"}[$__rate_interval])`, "{{instance}}"}}},
			{title: "Goroutines, open files", unit: "short", kind: lines, help: "Neither grows without end.", queries: []query{{`go_goroutines{job="postern", instance=~"$instance"}`, "{{instance}} goroutines"}, {`process_open_fds{job="postern", instance=~"$instance"}`, "{{instance}} files"}}},
			{title: "Runs since", unit: "s", kind: lines, help: "A fall is a restart.", queries: []query{{`time() - process_start_time_seconds{job="postern", instance=~"$instance"}`, "{{instance}}"}}},
			{title: "Redis: memory", unit: "bytes", kind: lines, help: "Of the fullest master, and what it may use (0: no limit).", queries: []query{{`max(postern_store_memory_bytes)`, "used"}, {`max(postern_store_memory_limit_bytes)`, "limit"}}},
			{title: "Redis: errors", unit: "ops", kind: lines, help: "Calls that failed, each second.", queries: rate("postern_store_errors_total", here, "instance, op", "{{instance}} {{op}}")},
		}},
	}
}
