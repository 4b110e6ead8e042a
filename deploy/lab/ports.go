package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports come from below the range that the kernel gives to outgoing connections (32768 and up).
const (
	firstPort = 12000
	portCount = 10000
	// busOffset is the distance of a Redis Cluster's bus port from its client port (Redis Cluster specification).
	busOffset = 10000
)

// ports reserves n free loopback ports for the life of the lab. With bus, the port busOffset above each is free
// and reserved too.
func (l *Lab) ports(ctx context.Context, n int, bus bool) ([]int, error) {
	var found []int
	for tries := 0; len(found) < n; tries++ {
		if tries > 1000 {
			return nil, errors.New("lab: no free loopback ports")
		}
		p := firstPort + rand.IntN(portCount)
		if !l.reserve(ctx, p) {
			continue
		}
		if bus && !l.reserve(ctx, p+busOffset) {
			continue
		}
		found = append(found, p)
	}
	return found, nil
}

// reserve takes a port if no program listens on it and no other lab of this machine holds it. Between the look
// and the server's own bind another lab could pick the same, so that each holds an abstract socket
// (unix(7)) with the port's number, which ends with the process.
func (l *Lab) reserve(ctx context.Context, p int) bool {
	var lc net.ListenConfig
	lock, err := lc.Listen(ctx, "unix", fmt.Sprintf("@postern-lab-port-%d", p))
	if err != nil {
		return false
	}
	probe, err := lc.Listen(ctx, "tcp", loopback(p))
	if err != nil {
		_ = lock.Close()
		return false
	}
	_ = probe.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.locks = append(l.locks, lock)
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
