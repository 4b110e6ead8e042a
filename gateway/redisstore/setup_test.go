package redisstore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"postern/gateway"
)

// refusing answers every command of a connection with the same error.
func refusing(c net.Conn, answer string) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for {
		var words int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &words); err != nil {
			return
		}
		for range words {
			size, err := r.ReadString('\n')
			if err != nil {
				return
			}
			n, _ := strconv.Atoi(strings.TrimSpace(size[1:]))
			if _, err := io.CopyN(io.Discard, r, int64(n)+2); err != nil {
				return
			}
		}
		if _, err := io.WriteString(c, "-"+answer+"\r\n"); err != nil {
			return
		}
	}
}

// TestRefusedAtSetup: a connection that Redis refuses while it is set up, as after a change of the password, is a failure: never the
// answer that nothing is there.
func TestRefusedAtSetup(t *testing.T) {
	for _, c := range []struct{ name, url, answer string }{
		{"password", "redis://u:p@127.0.0.1:1/0", "WRONGPASS invalid username-password pair or user is disabled."},
		{"database, loading", "redis://127.0.0.1:1/1", "LOADING Redis is loading the dataset in memory"},
		{"database, no password", "redis://127.0.0.1:1/1", "NOAUTH Authentication required."},
		{"no password", "redis://127.0.0.1:1/0", "NOAUTH Authentication required."},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := dialOne(c.url)
			if err != nil {
				t.Fatal(err)
			}
			o := client.(*redis.Client).Options()
			o.Dialer = func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go refusing(theirs, c.answer)
				return ours, nil
			}
			s := &Store{prefix: "p:", now: time.Now, clocks: newClocks(), client: redis.NewClient(o), batches: map[string]*batcher{}}
			defer func() { _ = s.client.Close() }()
			if s.scripts, err = loadScripts(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // one that is loading is asked again
			defer cancel()
			lease := gateway.Lease{Partition: "s0"}
			got, err := s.Load(ctx, gateway.RecordKey{Owner: "o", Kind: "account", Name: "n"})
			if err == nil {
				t.Errorf("Load: got %q and no error", got)
			}
			if err := s.Finish(ctx, lease, gateway.QueueIn, nil, nil); err == nil {
				t.Error("Finish: no error")
			}
			if _, err := s.Renew(ctx, lease, time.Second); err == nil {
				t.Error("Renew: no error")
			}
			if _, err := s.Lookup(ctx, "s0", "lane", []string{"seq"}); err == nil {
				t.Error("Lookup: no error")
			}
		})
	}
}
