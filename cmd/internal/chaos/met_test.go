//go:build servers

package chaos_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
)

// met counts so far what a fault of this kind and target strikes: chunks and connections on a way, requests at the platform, commands that
// Redis had no room for. Nobody counts what stops a whole program, or its clock; it is chaos.Uncounted.
func (c *cell) met(ctx context.Context, a chaos.Act) (int, error) {
	what, how, _ := strings.Cut(a.Kind, "-")
	switch {
	case a.Kind == "redis-full":
		return c.refusedByRedis(ctx)
	case what == "platform":
		var state struct {
			Counts struct {
				Faults map[string]int `json:"faults"`
			} `json:"counts"`
		}
		err := c.control(ctx, http.MethodGet, "/state", nil, &state)
		return state.Counts.Faults[map[string]string{"5xx": "error", "429": "limit", "timeout": "timeout"}[how]], err
	}
	if p := c.proxies[c.way(a)]; p != nil {
		return p.Met(), nil
	}
	return chaos.Uncounted, nil
}

// way is the proxy whose connections a fault spoils; empty where it spoils none.
func (c *cell) way(a chaos.Act) string {
	what, how, _ := strings.Cut(a.Kind, "-")
	name := fmt.Sprintf("replica-%d/", a.Target%len(c.replicas)+1)
	switch {
	case a.Kind == "redis-split": // the other replica has Redis, and both have the XMPP server
		return name + stand.PathRedis
	case weathers[how] == weathers[""]:
		return ""
	case what == "redis":
		return fmt.Sprintf("%s-%d", stand.PathRedis, a.Target%len(c.Nodes)+1)
	}
	return name + map[string]string{"stream": stand.PathXMPP, "api": stand.PathPlatform, "hook": stand.PathHooks}[what]
}

// aim points a fault of the component's stream at the replica that has it now.
func (c *cell) aim(a chaos.Act) chaos.Act {
	for n := range c.replicas {
		if p := c.proxies[c.way(chaos.Act{Kind: a.Kind, Target: n})]; strings.HasPrefix(a.Kind, "stream-") && p != nil && p.Open() > 0 {
			a.Target = n
			break
		}
	}
	return a
}

// refusedByRedis counts the commands that the nodes refused for want of memory.
func (c *cell) refusedByRedis(ctx context.Context) (int, error) {
	sum := 0
	for _, node := range c.Nodes {
		answer, err := node.Do(ctx, "INFO", "errorstats")
		if err != nil {
			return 0, err
		}
		text, _ := answer.(string)
		if _, after, found := strings.Cut(text, "errorstat_OOM:count="); found {
			count, _, _ := strings.Cut(after, "\r\n")
			n, err := strconv.Atoi(count)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}
