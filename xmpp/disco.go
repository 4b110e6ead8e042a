package xmpp

import (
	"slices"
	"strconv"
	"sync/atomic"

	"postern/gateway"
)

// profile is what a component and its contacts announce about themselves.
// Contacts of one platform share one description, so that a client asks once
// for thousands of them (XEP-0115 §1).
type profile struct {
	name     string
	platform string
	node     string // the URI before the hash
	desc     gateway.Descriptor
	self     atomic.Pointer[announced]
	contact  discoInfo // of a direct chat at its best
	cVer     string
}

// announced is what the gateway's own address announces, which may change while it runs.
type announced struct {
	info discoInfo
	ver  string
}

// gwVer is the hash of what the gateway's own address announces.
func (p *profile) gwVer() string { return p.self.Load().ver }

// setContacts changes the operator's addresses.
func (p *profile) setContacts(contacts map[string][]string) {
	info := gatewayInfo(p.name, p.desc, contacts)
	p.self.Store(&announced{info, info.ver()})
}

func newProfile(domain, name string, d gateway.Descriptor, contacts map[string][]string) *profile {
	if name == "" {
		name = d.Platform
	}
	if j, err := ParseJID(domain); err == nil {
		domain = j.Domain() // one spelling, so that everybody's node is the same
	}
	p := &profile{name: name, platform: d.Platform, desc: d, node: "https://" + domain + "/caps"}
	p.setContacts(contacts)
	p.contact = contactInfo(d.Platform, d.Caps)
	p.cVer = p.contact.ver()
	return p
}

// caps returns <c/> for presence of the gateway or of a contact: of what their chat supports by now, where that is known.
func (p *profile) caps(contact bool, now *gateway.Caps) *Element {
	ver := p.gwVer()
	switch {
	case contact && now != nil:
		ver = contactInfo(p.platform, *now).ver()
	case contact:
		ver = p.cVer
	}
	return NewElement(nsCaps, "c", "hash", "sha-1", "node", p.node, "ver", ver)
}

// gatewayInfo describes the gateway (XEP-0100 §4.1, XEP-0030 §3.1). Its type is
// one that clients have an icon for.
func gatewayInfo(name string, d gateway.Descriptor, contacts map[string][]string) discoInfo {
	return discoInfo{
		identities: []discoIdentity{{category: "gateway", typ: d.DiscoType, name: name}},
		features: []string{
			nsDiscoInfo, nsDiscoItems, nsCaps, nsRegister, nsGateway, nsCommands, featEscaping, nsPing, nsVersion, nsReceipts, nsSID,
			nsSearch, nsRosterX, nsLast, nsTime, nsVCard,
		},
		forms: gatewayForms(d, contacts),
	}
}

// contactInfo describes a contact by what its chat supports, and by nothing that
// it does not. The name is the platform's, never the contact's: see profile.
func contactInfo(platform string, c gateway.Caps) discoInfo {
	d := discoInfo{
		identities: []discoIdentity{{category: "client", typ: "phone", name: platform + " contact"}},
		features:   []string{nsDiscoInfo, nsCaps, nsPing, nsVersion, nsSID},
	}
	for _, f := range []struct {
		namespace string
		any       []gateway.Feature
	}{
		{nsReceipts, []gateway.Feature{gateway.FeatureDelivered}},
		{nsChatMarkers, []gateway.Feature{gateway.FeatureReadIn, gateway.FeatureReadOut}},
		{nsChatStates, []gateway.Feature{gateway.FeatureTypingIn, gateway.FeatureTypingOut}},
		{nsCorrect, []gateway.Feature{gateway.FeatureEdit}},
		{nsRetract, []gateway.Feature{gateway.FeatureRetract}},
		{nsReactions, []gateway.Feature{gateway.FeatureReact}},
		{nsReply, []gateway.Feature{gateway.FeatureReply}},
		{nsFallback, []gateway.Feature{gateway.FeatureReply}},
		{nsOOB, []gateway.Feature{gateway.FeatureMedia}},
	} {
		if slices.ContainsFunc(f.any, c.Has) {
			d.features = append(d.features, f.namespace)
		}
	}
	if form, ok := reactionLimits(c); ok {
		d.forms = append(d.forms, form)
	}
	return d
}

// reactionLimits is the form of XEP-0444 §4.2.
func reactionLimits(c gateway.Caps) (discoForm, bool) {
	f := discoForm{formType: nsRestrict}
	if !c.Has(gateway.FeatureReact) {
		return f, false
	}
	if c.ReactionsMax > 0 {
		f.fields = append(f.fields, discoField{"max_reactions_per_user", []string{strconv.Itoa(c.ReactionsMax)}})
	}
	if len(c.Reactions) > 0 {
		f.fields = append(f.fields, discoField{"allowlist", c.Reactions})
	}
	return f, len(f.fields) > 0
}
