package app

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"postern/adapters"
)

// Validate says everything that is wrong with the values; the error is Problems. It does no I/O.
func (c *Config) Validate() error {
	if p := c.judge(); len(p) > 0 {
		return p.sorted()
	}
	return nil
}

func (c *Config) judge() Problems {
	j := &judge{at: c.at}
	c.judgeServer(j)
	c.judgeStore(j)
	c.judgeHTTP(j)
	c.judgeMedia(j)
	c.judgeRest(j)
	c.judgeAdapters(j)
	c.judgePolicy(j)
	return j.problems
}

type judge struct {
	at       positions
	problems Problems
}

func (j *judge) wrong(key, text string, args ...any) {
	j.problems = append(j.problems, j.at.problem(key, text, args...))
}

func (j *judge) want(ok bool, key, text string, args ...any) {
	if !ok {
		j.wrong(key, text, args...)
	}
}

// domain wants a domain without local part and resource.
func (j *judge) domain(key, value, example string) {
	if value == "" {
		j.wrong(key, "is missing: want a domain such as %s", example)
		return
	}
	if a, err := jid.Parse(value); err != nil || a.Domainpart() != a.String() {
		j.wrong(key, "%q is no domain: want one such as %s", value, example)
	}
}

// address wants host:port; the host may be empty where one listens.
func (j *judge) address(key, value string, listen bool) {
	host, port, err := net.SplitHostPort(value)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 0 || n > 65535 || host == "" && !listen || n == 0 && !listen {
		j.wrong(key, "%q is no address: want host:port", value)
	}
}

func (c *Config) judgeServer(j *judge) {
	j.domain("server.domain", c.Server.Domain, "example.org")
	j.address("server.component", c.Server.Component, false)
	for _, f := range []struct{ key, value string }{{"ca_file", c.Server.TLS.CAFile}, {"server_name", c.Server.TLS.ServerName}} {
		j.want(f.value == "" || c.Server.TLS.Enabled, "server.tls."+f.key, "has no effect without server.tls.enabled: true")
	}
}

func (c *Config) judgeStore(j *judge) {
	s := c.Store
	if s.Memory {
		_, given := c.at.keys["store.redis"]
		j.want(!given, "store.memory", "true and store.redis are alternatives: remove one")
		return
	}
	scheme, rest, ok := strings.Cut(string(s.Redis), "://")
	known := slices.Contains([]string{"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}, scheme)
	j.want(ok && known && rest != "", "store.redis",
		"want a URL that begins with redis://, redis+sentinel:// or redis+cluster://, or rediss the same way (or store.memory: true for trying out)")
	j.want(s.KeyFile != "", "store.key_file", "is missing: postern init writes one")
	j.want(s.WaitReplicas >= 0, "store.wait_replicas", "got %d, want 0 or more", s.WaitReplicas)
	j.want(!strings.ContainsAny(s.Prefix, "{} "), "store.prefix", "braces would change the slots of a Redis Cluster, and spaces are no help: %q", s.Prefix)
}

func (c *Config) judgeHTTP(j *judge) {
	h := c.HTTP
	j.address("http.public", h.Public, true)
	j.address("http.admin", h.Admin, true)
	j.want(h.Public != h.Admin || strings.HasSuffix(h.Public, ":0"), "http.admin", "must not be the address of http.public: whoever reaches it needs no password")
	if h.PublicURL != "" {
		u, err := url.Parse(h.PublicURL)
		ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil && u.Fragment == ""
		j.want(ok, "http.public_url", "want an origin such as https://gateway.example.org")
	}
	j.want((h.TLS.CertFile == "") == (h.TLS.KeyFile == ""), "http.tls", "cert_file and key_file go together")
	_, wrong := h.proxies()
	for _, i := range wrong {
		j.wrong(fmt.Sprintf("http.trusted_proxies.%d", i), "%q is no address or network, such as 10.0.0.0/8", h.TrustedProxies[i])
	}
}

func (c *Config) judgeMedia(j *judge) {
	m := c.Media
	for _, s := range []struct {
		key   string
		value Size
	}{{"max", m.Max}, {"max_store", m.MaxStore}} {
		j.want(s.value >= 1<<10, "media."+s.key, "got %s, want 1KiB or more", s.value)
	}
	j.want(m.Keep >= time.Minute, "media.keep", "got %s, want 1m or more", m.Keep)
	j.want(m.Parallel > 0, "media.parallel", "got %d, want 1 or more", m.Parallel)
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"timeout", m.Timeout}, {"stall", m.Stall}, {"patience", m.Patience}} {
		j.want(d.value >= time.Second, "media."+d.key, "got %s, want 1s or more", d.value)
	}
	j.want(m.Tries > 0, "media.tries", "got %d, want 1 or more", m.Tries)
	for i, h := range m.InternalHosts {
		j.want(h != "" && !strings.ContainsAny(h, "/@? "), fmt.Sprintf("media.internal_hosts.%d", i), "%q is no host, such as upload.example.org or upload.example.org:5281", h)
	}
}

func (c *Config) judgeRest(j *judge) {
	j.want(slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level", "got %q, want debug, info, warn or error", c.Log.Level)
	j.want(slices.Contains([]string{"auto", "text", "json"}, c.Log.Format), "log.format", "got %q, want auto, text or json", c.Log.Format)
	d := c.Delivery
	for _, n := range []struct {
		key   string
		value int
	}{{"parallel", d.Parallel}, {"lane_max", d.LaneMax}, {"shard_max", d.ShardMax}, {"parked_max", d.ParkedMax}} {
		j.want(n.value > 0, "delivery."+n.key, "got %d, want 1 or more", n.value)
	}
	j.want(d.GiveUp >= time.Minute, "delivery.give_up", "got %s, want 1m or more", d.GiveUp)
	j.want(d.AskAfter == 0 || d.AskAfter >= time.Minute, "delivery.ask_after", "got %s, want 0s for never, or 1m or more", d.AskAfter)
	u := d.CatchUp
	j.want(u.After == 0 || u.After >= time.Minute, "delivery.catch_up.after", "got %s, want 0s for no pace, or 1m or more", u.After)
	j.want(u.PerSecond > 0 && u.PerSecond <= 1e6, "delivery.catch_up.per_second", "got %d, want 1 to 1000000", u.PerSecond)
	j.want(u.UserPerSecond > 0 && u.UserPerSecond <= 1e6, "delivery.catch_up.user_per_second", "got %d, want 1 to 1000000", u.UserPerSecond)
	// The lease of a shard lasts 15 s and is renewed every 5 s: a call must not outlive it.
	j.want(d.SendTimeout > 0 && d.SendTimeout < 10*time.Second, "delivery.send_timeout", "got %s, want more than 0s and less than 10s", d.SendTimeout)
	j.want(d.Drain > 0, "delivery.drain", "got %s, want more than 0s", d.Drain)
	if t := c.Tracing; t.Endpoint != "" {
		at, err := url.Parse(t.Endpoint)
		j.want(err == nil && (at.Scheme == "http" || at.Scheme == "https") && at.Host != "" && at.User == nil, "tracing.endpoint", "want a URL such as http://127.0.0.1:4318/v1/traces")
	}
	j.want(c.Tracing.Sample >= 0 && c.Tracing.Sample <= 1, "tracing.sample", "got %v, want 0 to 1", c.Tracing.Sample)
	for i, domain := range c.Access.Domains {
		j.domain(fmt.Sprintf("access.domains.%d", i), domain, "example.org")
	}
	served := c.served()
	for i, address := range c.Access.Admins {
		key := fmt.Sprintf("access.admins.%d", i)
		user, err := parseUser(address)
		j.want(err == nil, key, "%q is no user's address, such as anna@example.org", address)
		j.want(err != nil || slices.ContainsFunc(served, func(d string) bool { return strings.EqualFold(d, domainOf(user)) }), key,
			"%q is of a domain that is not served: nobody could answer for who writes", address)
	}
	for kind, address := range c.Operator.addresses() {
		u, err := url.Parse(address)
		ok := address == "" || !strings.ContainsAny(address, " \t") && err == nil && (u.Scheme != "" || strings.Contains(address, "@"))
		j.want(ok, "operator."+kind, "%q is no URI and no e-mail address", address)
	}
	j.want(c.StateDir != "", "state_dir", "is missing")
}

// served are the domains whose users are.
func (c *Config) served() []string {
	if len(c.Access.Domains) == 0 {
		return []string{c.Server.Domain}
	}
	return c.Access.Domains
}

// instanceName is what may stand in an address, a metric's label and a key of the store.
var instanceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

func (c *Config) judgeAdapters(j *judge) {
	j.want(len(c.Adapters) > 0, "adapters", "is missing: want at least one adapter")
	byJID := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Adapters)) {
		a, at := c.Adapters[name], "adapters."+name
		j.want(instanceName.MatchString(name), at, "a name has 1 to 40 of a-z, 0-9, - and _")
		j.domain(at+".jid", a.JID, "telegram.example.org")
		if other, taken := byJID[strings.ToLower(a.JID)]; taken && a.JID != "" {
			j.wrong(at+".jid", "%s is the jid of adapters.%s: each adapter is a component of its own", a.JID, other)
		}
		byJID[strings.ToLower(a.JID)] = name
		j.want(a.JID == "" || !strings.EqualFold(a.JID, c.Server.Domain), at+".jid", "is the server's own domain: a component has a domain of its own, such as telegram.%s", a.JID)
		switch {
		case a.Secret == "" && a.SecretFile == "":
			j.wrong(at+".secret_file", "is missing: it holds the secret of this component, as in the XMPP server's configuration")
		case a.Secret != "" && a.SecretFile != "":
			j.wrong(at+".secret", "and secret_file are alternatives: remove one")
		}
		j.want(slices.Contains([]string{"", "opaque", "readable"}, a.ContactJIDs), at+".contact_jids", "got %q, want opaque or readable", a.ContactJIDs)
		j.want(slices.Contains([]string{"", "hold", "reopen", "refuse"}, a.ClosedWindow), at+".closed_window", "got %q, want hold, reopen or refuse", a.ClosedWindow)
		if a.Strangers != "" {
			_, err := jid.Parse(a.Strangers)
			j.want(err == nil && strings.Contains(a.Strangers, "@") && !strings.Contains(a.Strangers, "/"), at+".strangers", "%q is no user's address, such as desk@example.org", a.Strangers)
		}
		judgeCanary(j, at+".canary", a.JID, c.served(), a.Canary)
		judgeOwn(j, at, a)
	}
}

// judgeOwn asks the adapter about its own keys. Its errors read "type: key: reason".
func judgeOwn(j *judge, at string, a Adapter) {
	if a.Own == nil {
		var names []string
		for _, t := range adapters.All() {
			names = append(names, t.Name)
		}
		if a.Type == "" {
			j.wrong(at+".type", "is missing (known: %s)", strings.Join(names, ", "))
			return
		}
		j.wrong(at+".type", "unknown type %q%s", a.Type, nearest(a.Type, names))
		return
	}
	for _, err := range flatten(a.Own.Validate()) {
		key, reason, ok := strings.Cut(strings.TrimPrefix(err.Error(), a.Type+": "), ": ")
		if !ok {
			j.wrong(at, "%s", key)
			continue
		}
		j.wrong(at+"."+key, "%s", reason)
	}
}
