package redisstore

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// dialTimeout and ioTimeout bound what a call waits for a server that does not answer.
	dialTimeout = 3 * time.Second
	ioTimeout   = 3 * time.Second
	// connections per node: batches use a few, the shared subscription one.
	poolSize = 8
)

var errURL = errors.New("url: want redis://, rediss://, redis+cluster:// or rediss+cluster:// with host:port")

// dial returns a client for a URL; it connects on first use. Errors never show the URL, which may hold a password.
func dial(raw string) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	base, isCluster := strings.CutSuffix(scheme, "+cluster")
	if !ok || base != "redis" && base != "rediss" {
		return nil, errURL
	}
	if isCluster {
		return dialCluster(base, rest)
	}
	o, err := redis.ParseURL(base + "://" + rest)
	if err != nil {
		return nil, withoutURL(err)
	}
	o.MaxRetries = -1 // do retries what is safe to send twice
	o.DialerRetries = 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.PoolSize = poolSize
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

// dialCluster takes what stands behind "://": [user:password@]host:port,host:port.
func dialCluster(base, rest string) (redis.UniversalClient, error) {
	rest, _, _ = strings.Cut(rest, "/")
	userinfo, hosts := "", rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		userinfo, hosts = rest[:i+1], rest[i+1:]
	}
	addrs := strings.Split(hosts, ",")
	for _, a := range addrs {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return nil, errURL
		}
	}
	first, err := redis.ParseURL(base + "://" + userinfo + addrs[0])
	if err != nil {
		return nil, withoutURL(err)
	}
	if first.TLSConfig != nil { // each node has a name of its own
		first.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, Username: first.Username, Password: first.Password, TLSConfig: first.TLSConfig,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		PoolSize: poolSize, Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return errors.Join(errURL, ue.Err)
	}
	return err
}
