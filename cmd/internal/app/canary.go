package app

import (
	"slices"
	"strings"
	"time"

	"postern/gateway"
	"postern/xmpp"
)

// Canary is a message that the gateway sends now and then as a user of the operator's own, to see whether the platform delivers.
type Canary struct {
	// User is the JID of a registered user of the operator's own whose message it is; empty sends none.
	User string `yaml:"user"`
	// To is the JID of the contact whom it goes to, as that user's client shows it.
	To string `yaml:"to"`
	// Every is the time from one to the next, Within how long the platform may take.
	Every  time.Duration `yaml:"every"`
	Within time.Duration `yaml:"within"`
	// Echo wants an answer that contains the message; else its delivery is enough, as the platform tells it.
	Echo bool `yaml:"echo"`
}

// defaultCanary sends none.
func defaultCanary() Canary { return Canary{Every: 5 * time.Minute, Within: time.Minute} }

// canary is the canary as the gateway has it. What is no address was found by Validate.
func (c Canary) canary() gateway.Canary {
	user, err := parseUser(c.User)
	if err != nil {
		return gateway.Canary{}
	}
	to, err := xmpp.ParseJID(c.To)
	if err != nil {
		return gateway.Canary{}
	}
	return gateway.Canary{User: user, To: gateway.Alias(to.Local()), Every: c.Every, Within: c.Within, Echo: c.Echo}
}

// judgeCanary judges the canary of an adapter with a component domain, for users of the domains that are served.
func judgeCanary(j *judge, at, domain string, served []string, c Canary) {
	if c.User == "" {
		j.want(c.To == "" && !c.Echo, at+".user", "is missing: want the JID of a registered user of your own, such as canary@example.org")
		return
	}
	user, err := parseUser(c.User)
	j.want(err == nil, at+".user", "%q is no user's address, such as canary@example.org", c.User)
	j.want(err != nil || slices.ContainsFunc(served, func(d string) bool { return strings.EqualFold(d, domainOf(user)) }), at+".user",
		"%q is of a domain that is not served: nobody of it can be registered", c.User)
	to, err := xmpp.ParseJID(c.To)
	j.want(err == nil && to.Local() != "" && to.Resource() == "" && strings.EqualFold(to.Domain(), domain), at+".to",
		"%q is no contact of this adapter: want a JID at %s, as the user's client shows it", c.To, domain)
	j.want(c.Every >= time.Minute && c.Every <= 24*time.Hour, at+".every", "got %s, want 1m to 24h", c.Every)
	j.want(c.Within >= 5*time.Second && c.Within <= c.Every, at+".within", "got %s, want 5s or more, and no more than %s.every", c.Within, at)
}
