package app

import (
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"postern/adapters"
	"postern/gateway"
)

// Config is postern.yaml. DefaultConfig holds the defaults; deploy/postern.yaml shows every key with its default.
type Config struct {
	Server   Server   `yaml:"server"`
	Store    Store    `yaml:"store"`
	HTTP     HTTP     `yaml:"http"`
	Media    Media    `yaml:"media"`
	Log      Log      `yaml:"log"`
	Delivery Delivery `yaml:"delivery"`
	Access   Access   `yaml:"access"`
	Operator Operator `yaml:"operator"`
	Policy   Policy   `yaml:"policy"`
	Tracing  Tracing  `yaml:"tracing"`
	// StateDir holds what this replica keeps for itself: its id. Only one process may use it at a time.
	StateDir string `yaml:"state_dir"`
	// Adapters by name. The name stands in the webhook's address, in metrics and in the store: renaming one is making a new one.
	Adapters map[string]Adapter `yaml:"adapters"`

	at positions
}

// Server is the XMPP server that the components join (XEP-0114).
type Server struct {
	// Component is the host:port on which the server accepts components.
	Component string `yaml:"component"`
	// Domain is the server's own host: whose users are served, and what the ping barrier pings.
	Domain string    `yaml:"domain"`
	TLS    ServerTLS `yaml:"tls"`
}

// ServerTLS says whether the link to the server is encrypted from its first byte.
type ServerTLS struct {
	Enabled bool `yaml:"enabled"`
	// CAFile holds the certificates to trust, in PEM; empty means those of the system.
	CAFile string `yaml:"ca_file"`
	// ServerName is expected in the certificate; empty means the host of server.component.
	ServerName string `yaml:"server_name"`
}

// Store is where the identity mapping and the mail in transit are kept.
type Store struct {
	// Redis is a URL: redis://, redis+sentinel:// or redis+cluster://, each with rediss for TLS.
	Redis Secret `yaml:"redis"`
	// Memory keeps everything in this process, for trying out: a restart loses all of it.
	Memory bool `yaml:"memory"`
	// KeyFile holds the key that everything private is sealed with: 32 bytes in base64, readable by its owner only. While it
	// changes (postern keys), the new one and the old one, one per line.
	KeyFile string `yaml:"key_file"`
	// Prefix begins every key in Redis.
	Prefix string `yaml:"prefix"`
	// WaitReplicas is how many Redis replicas must have a message before it counts as taken.
	WaitReplicas int `yaml:"wait_replicas"`
}

// HTTP says where the two listeners are.
type HTTP struct {
	// Public takes webhooks, host:port. Admin serves health and metrics, without authentication, and the operator's tools and
	// console with a token: keep it on loopback.
	Public string `yaml:"public"`
	Admin  string `yaml:"admin"`
	// PublicURL is the origin under which platforms reach the public listener. Empty: webhooks are not announced to them.
	PublicURL string `yaml:"public_url"`
	// TLS is for the public listener; without it a proxy in front ends TLS.
	TLS HTTPTLS `yaml:"tls"`
	// TrustedProxies are addresses or networks whose X-Forwarded-For is believed, in front of either listener: wrong tokens are counted by
	// the caller's address.
	TrustedProxies []string `yaml:"trusted_proxies"`
}

// HTTPTLS names a certificate and its key, in PEM. They are read again when they change.
type HTTPTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Media says how files travel. They go by way of the disk: none is ever whole in memory.
type Media struct {
	// Dir holds files on their way, and those that no upload service takes; empty means state_dir/media.
	Dir string `yaml:"dir"`
	// Max is the most bytes of one file.
	Max Size `yaml:"max"`
	// Keep is how long a file stays that no upload service took, MaxStore how many bytes all of them may have: the oldest go
	// first. They are served under http.public_url; without one there are none.
	Keep     time.Duration `yaml:"keep"`
	MaxStore Size          `yaml:"max_store"`
	// InternalHosts may have private addresses: the provider's own upload host. Each is host or host:port.
	InternalHosts []string `yaml:"internal_hosts"`
	// Parallel is how many files move at once in each direction, Timeout how long one may take.
	Parallel int           `yaml:"parallel"`
	Timeout  time.Duration `yaml:"timeout"`
	// Stall is how long one may all but stand still. Tries and Patience are how often and how long one is tried that cannot be
	// had for the moment.
	Stall    time.Duration `yaml:"stall"`
	Tries    int           `yaml:"tries"`
	Patience time.Duration `yaml:"patience"`
}

// Log says what is written to standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is text, json or auto: text on a terminal, json otherwise.
	Format string `yaml:"format"`
}

// Delivery bounds the work.
type Delivery struct {
	// Parallel is how many chats are worked on at once.
	Parallel int `yaml:"parallel"`
	// LaneMax and ShardMax are how many undelivered messages one chat and one 64th of all chats may hold.
	LaneMax  int `yaml:"lane_max"`
	ShardMax int `yaml:"shard_max"`
	// ParkedMax is how many more may wait there in chats that stand still: a platform fails, the XMPP server is away, a user has to log in again.
	// Beyond that such chats take no more. All counts are for each direction; a message takes about a kilobyte in Redis.
	ParkedMax int `yaml:"parked_max"`
	// GiveUp is the age at which a message that never got through becomes an error.
	GiveUp time.Duration `yaml:"give_up"`
	// AskAfter is the age at which a user is asked whether what they wrote still goes out; 0 never asks.
	AskAfter time.Duration `yaml:"ask_after"`
	// CatchUp is the pace of what is late.
	CatchUp CatchUp `yaml:"catch_up"`
	// SendTimeout bounds one call to a platform.
	SendTimeout time.Duration `yaml:"send_timeout"`
	// Drain bounds each step of an orderly stop.
	Drain time.Duration `yaml:"drain"`
}

// Tracing tells the way of messages to a collector, without what is in them or whose they are.
type Tracing struct {
	// Endpoint is where an OpenTelemetry collector takes traces (OTLP over HTTP), such as http://127.0.0.1:4318/v1/traces; empty tells nobody.
	Endpoint string `yaml:"endpoint"`
	// Sample is which part of all messages is told of, from 0 to 1.
	Sample float64 `yaml:"sample"`
}

// CatchUp is the pace at which what waited during an outage goes on.
type CatchUp struct {
	// After is the age from which a message is late; 0 lets everything go at once.
	After time.Duration `yaml:"after"`
	// PerSecond is how many late messages of an adapter go on in a second in each direction, UserPerSecond how many of them are one
	// user's.
	PerSecond     int `yaml:"per_second"`
	UserPerSecond int `yaml:"user_per_second"`
}

// pace is CatchUp as the gateway has it: below 0 for never.
func (c CatchUp) pace() gateway.CatchUp {
	out := gateway.CatchUp(c)
	if out.After == 0 {
		out.After = -1
	}
	return out
}

// askAfter is AskAfter as the gateway has it: below 0 for never.
func (d Delivery) askAfter() time.Duration {
	if d.AskAfter == 0 {
		return -1
	}
	return d.AskAfter
}

// Access says whose users are served.
type Access struct {
	// Domains of users; empty means server.domain alone.
	Domains []string `yaml:"domains"`
	// Admins are operators, by their bare addresses, who may steer the gateway by writing to it: as a token of role admin may, and under
	// a name of their own in the audit log. Whoever holds such an account holds the gateway.
	Admins []string `yaml:"admins"`
}

// Operator is who runs this gateway, as users are told before they consent.
type Operator struct {
	Name string `yaml:"name"`
	// Abuse is an address for complaints. Like the others it is a URI or an e-mail address, and shown in service discovery
	// (XEP-0157).
	Abuse    string `yaml:"abuse"`
	Admin    string `yaml:"admin"`
	Feedback string `yaml:"feedback"`
	Sales    string `yaml:"sales"`
	Security string `yaml:"security"`
	Status   string `yaml:"status"`
	Support  string `yaml:"support"`
}

// addresses are the operator's as the file has them, by kind.
func (o Operator) addresses() map[string]string {
	return map[string]string{
		gateway.ContactAbuse: o.Abuse, gateway.ContactAdmin: o.Admin, gateway.ContactFeedback: o.Feedback, gateway.ContactSales: o.Sales,
		gateway.ContactSecurity: o.Security, gateway.ContactStatus: o.Status, gateway.ContactSupport: o.Support,
	}
}

// contacts are the addresses as URIs: what is no URI is an e-mail address.
func (o Operator) contacts() map[string][]string {
	out := map[string][]string{}
	for kind, address := range o.addresses() {
		switch u, err := url.Parse(address); {
		case address == "":
		case err == nil && u.Scheme != "":
			out[kind] = []string{address}
		default:
			out[kind] = []string{"mailto:" + address}
		}
	}
	return out
}

// Adapter is one instance: what all adapters have in common, and the type's own keys beside it.
type Adapter struct {
	Type string `yaml:"type"`
	// JID is the domain of the component, such as telegram.example.org.
	JID string `yaml:"jid"`
	// Name is shown in service lists; empty means the platform's name.
	Name string `yaml:"name"`
	// Secret is shared with the XMPP server (XEP-0114); SecretFile holds it, on one line.
	Secret     Secret `yaml:"secret"`
	SecretFile string `yaml:"secret_file"`
	// ContactJIDs is opaque (also when empty) or readable: whether contacts of new registrations have the platform's own ids
	// in their addresses.
	ContactJIDs string `yaml:"contact_jids"`
	// ClosedWindow is hold (also when empty), reopen or refuse: what happens to a message for a contact whom the platform lets nobody
	// write to before they write again. reopen is hold, and asks the contact to write where the platform has a way.
	ClosedWindow string `yaml:"closed_window"`
	// Strangers is the JID of a user who takes messages of people on a shared line whom nobody has invited; empty answers them
	// with a text.
	Strangers string `yaml:"strangers"`
	// Canary is a message that the gateway sends now and then, to see whether the platform delivers.
	Canary Canary `yaml:"canary"`
	// Limits are the operator's: how much users may ask for, and the platform is asked.
	Limits Limits `yaml:"limits"`

	// Own is the type's own configuration; nil when the type is unknown.
	Own adapters.Config `yaml:"-"`
}

// Secret is a string that no print verb and no log shows.
type Secret string

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString hides the value.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{
		Server: Server{Component: "127.0.0.1:5347"},
		Store:  Store{Redis: "redis://127.0.0.1:6379/0", KeyFile: "/etc/postern/store.key", Prefix: "p:"},
		HTTP:   HTTP{Public: ":8443", Admin: "127.0.0.1:8480"},
		Media:  Media{Max: 100 << 20, Keep: 7 * 24 * time.Hour, MaxStore: 10 << 30, Parallel: 8, Timeout: 10 * time.Minute, Stall: 10 * time.Second, Tries: 5, Patience: 10 * time.Minute},
		Log:    Log{Level: "info", Format: "auto"},
		Delivery: Delivery{
			Parallel: 256, LaneMax: 200, ShardMax: 20_000, ParkedMax: 100_000,
			GiveUp: 24 * time.Hour, AskAfter: gateway.AskAfter, CatchUp: CatchUp(gateway.DefaultCatchUp()), SendTimeout: 8 * time.Second, Drain: 10 * time.Second,
		},
		Tracing:  Tracing{Sample: 0.01},
		Policy:   Policy{Timeout: 2 * time.Second, Unreachable: "last"},
		StateDir: "/var/lib/postern",
	}
}

// proxies parses http.trusted_proxies; a bare address stands for itself alone.
func (h HTTP) proxies() ([]netip.Prefix, []int) {
	var out []netip.Prefix
	var wrong []int
	for i, s := range h.TrustedProxies {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		} else if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		} else {
			wrong = append(wrong, i)
		}
	}
	return out, wrong
}
