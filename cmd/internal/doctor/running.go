package doctor

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// adminTimeout bounds what is asked of a running gateway.
const adminTimeout = 3 * time.Second

// running is what a gateway says of itself at http.admin.
type running struct {
	// ready is empty when /readyz says that all is well, else what it says.
	ready string
	// states are those of components, by adapter.
	states map[string]string
}

// askRunning asks the gateway that listens at http.admin, seen from this machine; nil when none does.
func askRunning(ctx context.Context, admin string) *running {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	base := "http://" + reachable(admin)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	text := func(path string) (status int, body string) {
		resp, err := get(ctx, client, base+path)
		if err != nil {
			return 0, ""
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
		if err != nil {
			return 0, ""
		}
		return resp.StatusCode, string(raw)
	}
	_, metrics := text("/metrics")
	r := &running{states: states(metrics)}
	if len(r.states) == 0 {
		return nil // somebody else's
	}
	if status, said := text("/readyz"); status != http.StatusOK {
		r.ready = strings.Join(strings.Split(strings.TrimSpace(said), "\n"), "; ")
		if r.ready == "" {
			r.ready = "no answer"
		}
	}
	return r
}

// reachable is where an address that is listened on can be called from this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// states reads postern_component_state: the one state of each adapter that is 1.
func states(metrics string) map[string]string {
	out := map[string]string{}
	for sc := bufio.NewScanner(strings.NewReader(metrics)); sc.Scan(); {
		labels, ok := strings.CutPrefix(sc.Text(), "postern_component_state{")
		if !ok || !strings.HasSuffix(labels, "} 1") {
			continue
		}
		var adapter, state string
		for label := range strings.SplitSeq(strings.TrimSuffix(labels, "} 1"), ",") {
			name, value, _ := strings.Cut(label, "=")
			switch name {
			case "adapter":
				adapter = strings.Trim(value, `"`)
			case "state":
				state = strings.Trim(value, `"`)
			}
		}
		out[adapter] = state
	}
	return out
}
