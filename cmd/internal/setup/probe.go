package setup

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"postern/gateway/redisstore"
)

// probeTimeout bounds each probe: a firewall that drops packets must not hold up the questions.
const probeTimeout = 2 * time.Second

// Found is what a probe says, in words for the operator.
type Found struct {
	OK   bool
	Text string
}

// Probe looks for the server's component port and for Redis. It changes nothing but one short-lived key in Redis.
func Probe(ctx context.Context, a Answers) []Found {
	return append([]Found{probeComponent(ctx, a)}, probeRedis(ctx, a)...)
}

// probeComponent opens a stream as a component does (XEP-0114 §3) and leaves before the handshake.
func probeComponent(ctx context.Context, a Answers) Found {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.Component)
	if err != nil {
		return Found{false, fmt.Sprintf("nobody listens on %s yet: the lines for %s below open it", a.Component, a.Server)}
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // a connection without deadlines ends with ctx's caller
	fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='%s'>", a.JID)
	buf := make([]byte, 4096)
	n, _ := conn.Read(buf) // no answer at all is an answer
	answer := string(buf[:n])
	switch {
	case strings.Contains(answer, "host-unknown"):
		return Found{false, fmt.Sprintf("%s accepts components, but does not know %s yet: the lines below add it", a.Component, a.JID)}
	case strings.Contains(answer, "jabber:component:accept"):
		return Found{true, a.Component + " accepts components"}
	default:
		return Found{false, a.Component + " is open, but does not speak the component protocol (XEP-0114): is it the component port?"}
	}
}

func probeRedis(ctx context.Context, a Answers) []Found {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	s, err := redisstore.Open(ctx, a.Redis, redisstore.Options{})
	if err != nil {
		return []Found{{false, fmt.Sprintf("Redis does not answer: %v", err)}}
	}
	defer func() { _ = s.Close() }() // the probe is over either way
	out := []Found{{true, "Redis takes writes"}}
	for _, w := range s.Warnings(ctx) {
		out = append(out, Found{false, "Redis: " + w})
	}
	return out
}
