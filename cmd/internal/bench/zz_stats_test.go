//go:build servers && bench

package bench

import (
	"os/exec"
	"strings"
)

func (r *rig) statsReset() { _ = exec.Command("redis-cli", "-u", "redis://"+r.Redis.Addr(), "config", "resetstat").Run() }

func (r *rig) statsShow(n int) {
	out, err := exec.Command("redis-cli", "-u", "redis://"+r.Redis.Addr(), "info", "commandstats").CombinedOutput()
	r.t.Logf("messages %d %v\n%s", n, err, strings.ReplaceAll(string(out), "\r", ""))
	out, _ = exec.Command("redis-cli", "-u", "redis://"+r.Redis.Addr(), "info", "stats").CombinedOutput()
	for _, l := range strings.Split(string(out), "\n") {
		for _, k := range []string{"total_reads", "total_writes", "total_commands", "total_net"} {
			if strings.HasPrefix(l, k) {
				r.t.Log(l)
			}
		}
	}
}
