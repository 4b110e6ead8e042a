package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"postern/deploy"
	"postern/gateway"
	"postern/xmpp"
)

const (
	groupServer = "XMPP server"
	// leaseTime is as long as a visit to one component may take. A gateway that starts meanwhile waits for its end.
	leaseTime = 30 * time.Second
)

// joined is what came of joining the server as one component.
type joined struct {
	seen xmpp.Surroundings
	err  error
	// how says why nobody joined; empty: somebody did, or tried.
	how   string
	level Level
}

// server looks at the port, then joins as each component that nobody is.
func (v *visit) server(ctx context.Context) []joined {
	out := make([]joined, len(v.parts.Instances))
	reached := v.port(ctx)
	for n, i := range v.parts.Instances {
		if !reached {
			out[n] = joined{how: "the server cannot be reached, so that nothing is known of " + i.Component, level: Fault}
			continue
		}
		out[n] = v.join(ctx, i, v.parts.Secrets[n])
	}
	if s := software(out); s.Software != "" {
		v.found(groupServer, OK, "it is %s %s", s.Software, s.Version)
	}
	return out
}

// port connects, and says who listens.
func (v *visit) port(ctx context.Context) bool {
	addr := v.cfg.Server.Component
	const lost = "no adapter works: nobody gets or sends anything"
	conn, err := v.parts.Dial(ctx)
	if err != nil {
		f := v.found(groupServer, Fault, "nobody answers at %s (%v)", addr, cause(err)).lost(lost)
		if len(v.parts.Instances) > 0 {
			f.mend("start the server, correct server.component, or open the port with these lines and a restart:",
				v.lines("", topicPort, v.parts.Instances[0], v.cfg.Server.Domain, "")...)
		}
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was written that matters
	if v.parts.TLS == nil {
		v.found(groupServer, OK, "%s answers, in plain text", addr)
		if host, _, err := net.SplitHostPort(addr); err == nil && !loopback(host) {
			v.found(groupServer, Loss, "%s is not this machine, and server.tls is off", addr).lost("who listens in between reads every message and the secrets' proofs").
				mend("keep that way on a private network, or put TLS before the port and set server.tls.enabled")
		}
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	if err := tls.Client(conn, v.parts.TLS).HandshakeContext(ctx); err != nil {
		v.found(groupServer, Fault, "%s answers, but not as server.tls wants it (%v)", addr, err).lost(lost).
			mend("correct server.tls: ca_file, server_name, or enabled: false for a port in plain text")
		return false
	}
	v.found(groupServer, OK, "%s answers, with TLS", addr)
	return true
}

// join becomes a component for a moment, unless somebody may be it: a server ends the other connection, or shares stanzas out between both.
func (v *visit) join(ctx context.Context, i gateway.Instance, secret string) joined {
	if state, ok := v.gateway.state(i.ID); ok {
		return described(i, state)
	}
	if v.store == nil && !v.cfg.Store.Memory {
		return joined{how: "without the store it cannot be known whether a gateway is " + i.Component + " at this moment, so that nothing was asked in its name", level: Loss}
	}
	if v.store != nil {
		lease, err := v.store.Acquire(ctx, gateway.OutboxPartition(i.ID), "doctor-"+rand.Text(), leaseTime)
		if errors.Is(err, gateway.ErrHeld) {
			v.held = true
			return joined{how: "a gateway that runs elsewhere is " + i.Component + "; what the server grants it can only be asked while none runs", level: OK}
		}
		if err != nil {
			return joined{how: fmt.Sprintf("the store does not lend the name of %s (%v)", i.Component, err), level: Fault}
		}
		defer func() {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
			defer cancel()
			_ = v.store.Release(end, lease) // it ends by itself soon
		}()
	}
	seen, err := xmpp.Probe(ctx, xmpp.ProbeConfig{
		Domain: i.Component, Server: v.cfg.Server.Domain, Secret: secret, Dial: v.parts.Dial, TLS: v.parts.TLS, Users: v.cfg.Access.Domains,
	})
	return joined{seen: seen, err: err}
}

// state is that of an adapter's component in a gateway that runs.
func (r *running) state(id gateway.AdapterID) (string, bool) {
	if r == nil {
		return "", false
	}
	s, ok := r.states[string(id)]
	return s, ok
}

// described puts a component's state into words.
func described(i gateway.Instance, state string) joined {
	const later = "; what the server grants it can only be asked while no gateway runs"
	switch state {
	case "up":
		return joined{how: "the gateway that runs is connected as " + i.Component + later, level: OK}
	case "standby":
		return joined{how: "the gateway that runs stands by: another replica is " + i.Component + later, level: OK}
	case "refused":
		return joined{how: "the server refuses the gateway that runs as " + i.Component + ": its log says why, and so does this command once it is stopped", level: Fault}
	}
	return joined{how: "the gateway that runs is not connected as " + i.Component + " (" + state + "): its log says why", level: Fault}
}

// granted says what came of joining as one component.
func (v *visit) granted(i gateway.Instance, j joined) {
	group, server := string(i.ID), v.kind(j)
	const lost = "nobody reaches anybody by this adapter"
	if j.how != "" {
		f := v.found(group, j.level, "%s", j.how)
		if j.level == Fault {
			f.lost(lost)
		}
		return
	}
	if refused, ok := errors.AsType[*xmpp.StreamError](j.err); ok {
		lines := v.lines(server, topicComponent, i, v.cfg.Server.Domain, "")
		switch refused.Condition {
		case "host-unknown":
			v.found(group, Fault, "the server does not know %s", i.Component).lost(lost).mend("add it and restart the server, or correct the adapter's jid:", lines...)
		case "not-authorized":
			text := "the server refuses the secret of %s"
			if server != deploy.Prosody {
				text = "the server refuses the secret of %s, or does not know the name: ejabberd says the same of both"
			}
			v.found(group, Fault, text, i.Component).lost(lost).mend("make the secret of adapters."+group+" the same on both sides:", lines...)
		case "conflict":
			v.found(group, Fault, "somebody else is connected as %s, and shares no store with this gateway", i.Component).lost("each loses what the other gets").
				mend("find and stop it, or give it a name of its own")
		default:
			v.found(group, Fault, "the server ended the stream of %s (%v)", i.Component, refused).lost(lost).mend("look into the server's log")
		}
		return
	}
	if j.err != nil {
		v.found(group, Fault, "%s could not look around (%v)", i.Component, j.err).lost(lost).mend("look whether " + v.cfg.Server.Component + " is the component port, and into the server's log")
		return
	}
	v.found(group, OK, "the server takes %s and its secret", i.Component)
	for _, h := range j.seen.Hosts {
		v.host(i, h, server)
	}
}

// host says what one virtual host has for a component.
func (v *visit) host(i gateway.Instance, h xmpp.Host, server deploy.Server) {
	group := string(i.ID)
	add := func(about topic) []string { return v.lines(server, about, i, h.Name, h.Upload) }
	if h.Listed {
		v.found(group, OK, "%s shows it to clients", h.Name)
	} else {
		v.found(group, Loss, "%s does not list %s among its services", h.Name, i.Component).lost("clients do not offer the gateway: users have to know its address").
			mend("add to the server:", add(topicListed)...)
	}
	switch {
	case h.Upload == "":
		v.found(group, Loss, "%s has no upload service (XEP-0363)", h.Name).lost(v.withoutUpload()).
			mend("enable http_file_share in Prosody, or mod_http_upload in ejabberd")
	case h.UploadRefused != "" && !h.Requests:
		v.found(group, Loss, "%s gives %s no place for files (%s)", h.Upload, i.Component, h.UploadRefused).lost(v.withoutUpload()).mend("let it in:", add(topicUpload)...)
	default:
		v.found(group, OK, "files go to %s, %s each", h.Upload, most(h.UploadMax))
	}
	var lacks, lost []string
	for _, r := range []struct {
		has        bool
		name, lost string
	}{
		{h.Rosters, "rosters", "each contact asks before it is in a roster"},
		{h.Words, "messages", "what users do in the platform's own app does not show in their XMPP clients"},
		{h.Requests, "uploads in a user's name", "files count on the gateway's quota instead of the user's"},
	} {
		if !r.has {
			lacks, lost = append(lacks, r.name), append(lost, r.lost)
		}
	}
	if len(lacks) == 0 {
		v.found(group, OK, "%s grants rosters, messages and uploads in a user's name (XEP-0356)", h.Name)
	} else {
		v.found(group, Loss, "%s does not grant %s (XEP-0356)", h.Name, strings.Join(lacks, ", ")).lost(strings.Join(lost, "; ")).
			mend("add to the server, as far as it knows that (Prosody with prosody-modules; uploads need ejabberd 24.10):", add(topicRights)...)
	}
	if !h.Carbons {
		v.found(group, Loss, "%s has no carbons (XEP-0280)", h.Name).lost("a message shows on one of a user's clients alone").
			mend("enable carbons in Prosody, or mod_carboncopy in ejabberd")
	}
}

// withoutUpload is what users lack where nobody takes files from us.
func (v *visit) withoutUpload() string {
	if strings.HasPrefix(v.cfg.HTTP.PublicURL, "https://") {
		return "files from the platform are served by the gateway itself, for " + v.cfg.Media.Keep.String() + " and with more of its traffic"
	}
	return "files from the platform do not arrive, since http.public_url is not https either: users read that there was one"
}

func most(n int64) string {
	if n <= 0 {
		return "of any size"
	}
	return "up to " + size(n)
}

// software is what the server called itself, to whom it let in.
func software(all []joined) xmpp.Surroundings {
	for _, j := range all {
		if j.seen.Software != "" {
			return j.seen
		}
	}
	return xmpp.Surroundings{}
}

// kind is the server that lines are for; empty where that is not known. Only Prosody says that it does not know a name.
func (v *visit) kind(j joined) deploy.Server {
	if refused, ok := errors.AsType[*xmpp.StreamError](j.err); ok && refused.Condition == "host-unknown" {
		return deploy.Prosody
	}
	switch {
	case strings.EqualFold(j.seen.Software, "prosody"):
		return deploy.Prosody
	case strings.EqualFold(j.seen.Software, "ejabberd"):
		return deploy.Ejabberd
	}
	return ""
}

// cause is the end of a chain of errors: what the system said.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
