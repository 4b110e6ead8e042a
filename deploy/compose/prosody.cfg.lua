-- Prosody beside Postern; Postern's own lines come from conf/, as postern init wrote them.
modules_enabled = {
	"disco", "roster", "saslauth", "tls", "blocklist", "bookmarks", "pep", "vcard4", "vcard_legacy",
	"carbons", "mam", "smacks", "csi_simple", "ping", "time", "uptime", "version", "dialback",
}
authentication = "internal_hashed"
c2s_require_encryption = true
s2s_require_encryption = true
certificates = "certs"
log = { info = "*console" }

VirtualHost "example.org"

Include "conf.d/*.cfg.lua"
