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

var errURL = errors.New("url: want redis://host:port/db, redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/name?db=0, or rediss the same way")

// noMaintenance keeps the library from asking for notices that only Redis Enterprise sends.
func noMaintenance() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// dial returns a client for a URL; it connects on first use. Errors never show the URL, which may hold a password.
func dial(raw string) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	base, kind, _ := strings.Cut(scheme, "+")
	if !ok || base != "redis" && base != "rediss" {
		return nil, errURL
	}
	switch kind {
	case "":
		return dialOne(base + "://" + rest)
	case "cluster":
		return dialCluster(base, rest)
	case "sentinel":
		return dialSentinel(base, rest)
	}
	return nil, errURL
}

func dialOne(raw string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(raw)
	if err != nil {
		return nil, withoutURL(err)
	}
	o.MaxRetries = -1 // await repeats what is safe to send twice
	o.DialerRetries = 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.PoolSize = poolSize
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = noMaintenance()
	return redis.NewClient(o), nil
}

func dialCluster(base, rest string) (redis.UniversalClient, error) {
	addrs, o, err := several(base, rest)
	if err != nil {
		return nil, err
	}
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		PoolSize: poolSize, Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: noMaintenance(),
	}), nil
}

// dialSentinel asks the Sentinels for the master of a name. User and password before the hosts are Redis' own; those of the
// Sentinels, where they want any, stand in the query. With rediss both speak TLS.
func dialSentinel(base, rest string) (redis.UniversalClient, error) {
	o, err := sentinelOptions(base, rest)
	if err != nil {
		return nil, err
	}
	return redis.NewFailoverClient(o), nil
}

func sentinelOptions(base, rest string) (*redis.FailoverOptions, error) {
	rest, raw, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errURL
	}
	for key, values := range query {
		if len(values) != 1 || key != "db" && key != "sentinel_username" && key != "sentinel_password" {
			return nil, errURL
		}
	}
	at := strings.LastIndexByte(rest, '@') + 1 // a password may have a slash
	hosts, name, _ := strings.Cut(rest[at:], "/")
	name, db, _ := strings.Cut(name, "/")
	if name == "" || db != "" && query.Has("db") {
		return nil, errURL
	}
	addrs, o, err := several(base, rest[:at]+hosts+"/"+db+query.Get("db"))
	if err != nil {
		return nil, err
	}
	return &redis.FailoverOptions{
		SentinelAddrs: addrs, SentinelUsername: query.Get("sentinel_username"), SentinelPassword: query.Get("sentinel_password"),
		MasterName: name, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		PoolSize: poolSize, Protocol: 2, DisableIdentity: true,
	}, nil
}

// several reads what stands behind "://" where hosts are separated by commas: [user:password@]host:port,host:port[/db].
func several(base, rest string) ([]string, *redis.Options, error) {
	rest, db, _ := strings.Cut(rest, "/")
	userinfo, hosts := "", rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		userinfo, hosts = rest[:i+1], rest[i+1:]
	}
	addrs := strings.Split(hosts, ",")
	for _, a := range addrs {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return nil, nil, errURL
		}
	}
	o, err := redis.ParseURL(base + "://" + userinfo + addrs[0] + "/" + db)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	if o.TLSConfig != nil { // each node has a name of its own
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return addrs, o, nil
}

func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return errors.Join(errURL, ue.Err)
	}
	return err
}
