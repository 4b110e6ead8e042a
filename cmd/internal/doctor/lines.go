package doctor

import (
	"fmt"
	"net"
	"strings"

	"postern/deploy"
	"postern/gateway"
)

// topic is what lines for an XMPP server are about.
type topic int

const (
	topicPort      topic = iota // the port that components join at
	topicComponent              // the component's name and secret
	topicListed                 // service discovery
	topicRights                 // XEP-0356
	topicUpload                 // XEP-0363 for the component itself
)

// parts are the first lines of what belongs to a topic, in the snippet of a server. %[1]s is the component, %[2]s the host of the users,
// %[3]s the upload service. What begins with = is written as it stands: it frames lines from the middle of a section.
var parts = map[deploy.Server]map[topic][]string{
	deploy.Prosody: {
		topicPort:      {`component_interfaces =`, `component_ports =`, `component_stanza_size_limit =`, `component_conflict_resolve =`},
		topicComponent: {`Component "%[1]s"`},
		topicListed:    {`=VirtualHost "%[2]s"`, `disco_items = {`},
		topicRights:    {`=VirtualHost "%[2]s"`, `modules_enabled = { "privilege" }`, `privileged_entities = {`, `Component "%[1]s"`},
		topicUpload:    {`Component "%[3]s"`},
	},
	deploy.Ejabberd: {
		topicPort: {`listen:`}, topicComponent: {`listen:`},
		topicListed: {`=modules:`, `=  mod_disco:`, `=    extra_domains: ["%[1]s"]`},
		topicRights: {`acl:`, `access_rules:`, `modules:`},
		topicUpload: {`acl:`, `access_rules:`, `=modules:`, `=  mod_http_upload:`, `=    access: postern_upload`},
	},
}

// lines are those for a server about one component, out of the file that postern init writes. A secret is not shown: reports are passed on.
func (v *visit) lines(server deploy.Server, about topic, i gateway.Instance, host, upload string) []string {
	if server == "" { // not known: both
		var out []string
		for _, one := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
			out = append(out, map[deploy.Server]string{deploy.Prosody: "Prosody:", deploy.Ejabberd: "ejabberd:"}[one])
			for _, line := range v.lines(one, about, i, host, upload) {
				out = append(out, "  "+line)
			}
		}
		return out
	}
	p := deploy.Params{Domain: host, Addr: v.bound(), Upload: upload, Components: []deploy.Component{{
		JID: i.Component, Name: i.Name, Secret: "what adapters." + string(i.ID) + " has as secret",
		NoPrivileges: about != topicRights,
	}}}
	text, err := deploy.Render(server, p)
	if err != nil {
		return nil // a configuration that passed check has nothing that cannot be written
	}
	var out []string
	for _, first := range parts[server][about] {
		first = strings.NewReplacer("%[1]s", i.Component, "%[2]s", host, "%[3]s", upload).Replace(first)
		if literal, ok := strings.CutPrefix(first, "="); ok {
			out = append(out, literal)
			continue
		}
		out = append(out, cut(text, first)...)
	}
	return out
}

// bound is server.component as a server is told it: with an IP address.
func (v *visit) bound() string {
	host, port, _ := net.SplitHostPort(v.cfg.Server.Component)
	if net.ParseIP(host) == nil {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// cut takes the line that begins in a way and the section that it opens, without comments.
func cut(text, first string) []string {
	var out []string
	depth := -1
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimLeft(line, " \t")
		in := len(line) - len(bare)
		switch {
		case depth < 0 && strings.HasPrefix(bare, first):
			depth = in
		case depth < 0 || bare == "" || strings.HasPrefix(bare, "--") || strings.HasPrefix(bare, "#"):
			continue
		case in > depth:
		case in == depth && strings.HasPrefix(bare, "}"):
			return append(out, tidy(line))
		default:
			return out
		}
		out = append(out, tidy(line))
	}
	return out
}

// tidy makes a tab of Lua's as wide as YAML's indentation.
func tidy(line string) string { return strings.ReplaceAll(line, "\t", "  ") }

// size is a number of bytes as people say it.
func size(n int64) string {
	switch {
	case n <= 0:
		return "any size"
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
