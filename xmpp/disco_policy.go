package xmpp

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"postern/gateway"
)

const nsServerInfo = "http://jabber.org/network/serverinfo" // XEP-0157

// gatewayForms are the extended information forms of a gateway (XEP-0128): who runs it, and what happens to what people
// write. The Descriptor decides all of it, as it decides the disclosure.
func gatewayForms(d gateway.Descriptor, contacts map[string][]string) []discoForm {
	forms := []discoForm{gatewayPolicy(d), platformPolicy(d)}
	if f := contactAddresses(contacts); len(f.fields) > 0 {
		forms = append(forms, f)
	}
	return forms
}

// contactAddresses is the form of XEP-0157 §3.
func contactAddresses(contacts map[string][]string) discoForm {
	f := discoForm{formType: nsServerInfo}
	for _, kind := range slices.Sorted(maps.Keys(contacts)) {
		if len(contacts[kind]) > 0 {
			f.fields = append(f.fields, discoField{kind + "-addresses", contacts[kind]})
		}
	}
	return f
}

// gatewayPolicy says what the gateway itself does with data (XEP-0504 §3).
func gatewayPolicy(d gateway.Descriptor) discoForm {
	f := discoForm{formType: nsDataPolicy}
	add := func(name string, values ...string) { f.fields = append(f.fields, discoField{name, values}) }
	add("data_transmission", transmission(d))
	add("data_retention", hours(d.Retention))
	add("data_deletion", "false")
	add("encryption_at_rest", "true")
	add("full_erasure", "true")
	add("access_policy", "admins") // what is kept is sealed with keys that the operator holds
	return f
}

// platformPolicy says what is known of the platform, in a form of its own (XEP-0504 §3).
func platformPolicy(d gateway.Descriptor) discoForm {
	f := discoForm{formType: "urn:xmpp:data-policy:identity:gateway:" + d.DiscoType + ":0"}
	add := func(name string, values ...string) { f.fields = append(f.fields, discoField{name, values}) }
	add("data_transmission", transmission(d))
	add("data_retention", hours(d.PlatformRetention))
	if d.TermsURL != "" {
		add("tos", d.TermsURL)
	}
	return f
}

// transmission maps the weakest of an adapter's modes to XEP-0504 §3.2: a user shall not expect more than the least.
func transmission(d gateway.Descriptor) string {
	weakest := "gre"
	for _, m := range []gateway.Mode{d.Out, d.In, d.Media} {
		switch m {
		case gateway.ModeRelay:
		case gateway.ModeSelfHosted, gateway.ModeTerminate:
			if weakest == "gre" {
				weakest = "e2e" // "may be seen by the XMPP service and the destination"
			}
		case gateway.ModeCleartext:
			return "encrypted" // "may be viewed by the XMPP service, the legacy service administrators, and the destination"
		default:
			return "encrypted"
		}
	}
	return weakest
}

// hours is a retention as XEP-0504 §3.3 counts it, rounded up.
func hours(d time.Duration) string {
	if d <= 0 {
		return "unknown"
	}
	return strconv.Itoa(int((d + time.Hour - 1) / time.Hour))
}
