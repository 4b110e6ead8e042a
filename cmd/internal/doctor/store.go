package doctor

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"postern/gateway"
	"postern/gateway/redisstore"
)

const (
	groupRedis = "Redis"
	// storeTimeout bounds each question to Redis.
	storeTimeout = 5 * time.Second
	// clockSlack is how far apart clocks may be.
	clockSlack = 2 * time.Second
	// clocksLost is what a wrong clock costs.
	clocksLost = "this machine judges signatures of webhooks, tokens and certificates by its own: where that is wrong, platforms and it refuse each other"
	clocksDo   = "let both machines follow a time server (NTP)"
)

// oldest is the oldest Redis that has all commands.
var oldest = [2]int{6, 2}

// redis looks at the store, and leaves it open where that is possible.
func (v *visit) redis(ctx context.Context) {
	if v.cfg.Store.Memory {
		v.found(groupRedis, Loss, "store.memory is true").lost("a restart loses every registration and every message in transit").
			mend("for more than trying out, set store.redis instead")
		return
	}
	ask, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	nodes, err := redisstore.Survey(ask, string(v.cfg.Store.Redis))
	if err != nil {
		v.found(groupRedis, Fault, "Redis does not answer (%v)", cause(err)).lost("nothing works: webhooks are refused, the components do not join the XMPP server").
			mend("start it, or correct store.redis")
		return
	}
	for _, n := range nodes {
		v.node(n)
	}
	v.keys(ctx)
}

// node judges one server.
func (v *visit) node(n redisstore.Node) {
	if !atLeast(n.Version, oldest) {
		v.found(groupRedis, Fault, "%s is of version %s", n.Addr, n.Version).lost("the gateway needs commands that came with 6.2").mend("install Redis 6.2 or newer")
	} else {
		v.found(groupRedis, OK, "%s answers, version %s", n.Addr, n.Version)
	}
	if n.WritesFail != "" {
		v.found(groupRedis, Fault, "%s failed at its last try of %s", n.Addr, n.WritesFail).lost("Redis refuses writes, so that messages are refused").
			mend("look into the log of Redis: most often the disk is full, or the folder is not Redis' own")
	}
	if !n.Persists {
		v.found(groupRedis, Loss, "appendonly of %s is no", n.Addr).lost("a restart of Redis loses registrations and messages in transit").
			mend("set it at once with redis-cli CONFIG SET appendonly yes, and for the next start in redis.conf:", "appendonly yes")
	}
	if n.Policy != "" && n.Policy != "noeviction" {
		v.found(groupRedis, Loss, "maxmemory-policy of %s is %s", n.Addr, n.Policy).lost("when memory runs out, Redis drops registrations and messages in silence").
			mend("set it at once with redis-cli CONFIG SET maxmemory-policy noeviction, and for the next start in redis.conf:", "maxmemory-policy noeviction")
	}
	if want := v.cfg.Store.WaitReplicas; n.Replicas < want {
		v.found(groupRedis, Fault, "%s has %d replica(s), store.wait_replicas wants %d", n.Addr, n.Replicas, want).
			lost("no message counts as taken: webhooks are refused and senders get errors").mend("connect the replicas, or lower store.wait_replicas")
	}
	if ahead := n.Ahead.Abs(); ahead-n.Trip/2 > clockSlack {
		v.found(groupRedis, Loss, "the clocks of %s and of this machine are %s apart", n.Addr, ahead.Round(time.Second)).lost(clocksLost).mend(clocksDo)
	}
}

// keys opens the store and its keys.
func (v *visit) keys(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	s, err := v.parts.Open(ctx)
	if err != nil {
		v.found(groupRedis, Fault, "Redis takes no writes (%v)", cause(err)).lost("nothing works").mend("look into the log of Redis, and at the rights of the user in store.redis")
		return
	}
	v.store = s
	if !v.parts.HasKey() {
		return // said among the files
	}
	switch err := v.parts.OpenKeys(ctx, s); {
	case err == nil:
		v.found(groupRedis, OK, "the store's key opens this store")
	case errors.Is(err, gateway.ErrNoSchema):
		v.found(groupRedis, OK, "the store is empty: the first start makes its keys")
	case errors.Is(err, gateway.ErrSchemaAhead):
		v.found(groupRedis, Fault, "%v", err).lost("the gateway does not start").mend("install the version that migrated the store, or a newer one")
	default:
		v.found(groupRedis, Fault, "%v", err).lost("the gateway does not start").
			mend("correct store.key_file, store.redis or store.prefix; without its key a store is lost")
	}
}

// atLeast compares versions such as 7.0.15 by their first two numbers.
func atLeast(version string, want [2]int) bool {
	parts := strings.SplitN(version, ".", 3)
	for i, w := range want {
		if i >= len(parts) {
			return false
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < w {
			return false
		}
		if n > w {
			return true
		}
	}
	return true
}
