-- Postern's part of a Prosody configuration (Prosody 0.12 with prosody-modules).
-- Save as /etc/prosody/conf.d/postern.cfg.lua, readable by the user prosody only: it holds a secret.
-- It opens the section of example.org a second time, which Prosody allows across files.

-- Components log in here (XEP-0114). The link is plain text: keep it on loopback or a private network.
component_interfaces = { "127.0.0.1" }
component_ports = { 5347 }
component_stanza_size_limit = 1024 * 1024

-- A new login of the same component replaces the old one. The default, "kick_new", locks a restarted
-- gateway out for as long as its dead connection seems alive.
component_conflict_resolve = "kick_old"

VirtualHost "example.org"
	-- Rights of the gateway (XEP-0356): contacts come into rosters without a question, what users write in a platform's
	-- own app shows in their clients, files count on the user's own quota. Who steals the component's secret has them too,
	-- over all users of this host. Needs prosody-modules.
	-- Where the host has a modules_enabled list of its own, add "privilege" to that one and delete this line.
	modules_enabled = { "privilege" }
	privileged_entities = {
		["telegram.example.org"] = {
			roster = "both",
			message = "outgoing",
			iq = {
				["http://jabber.org/protocol/pubsub"] = "both",
				["http://jabber.org/protocol/pubsub#owner"] = "set",
				["urn:xmpp:http:upload:0"] = "get",
			},
		},
	}
	-- Shows the gateway in the clients' service lists (XEP-0030).
	disco_items = {
		{ "telegram.example.org", "Telegram" },
		{ "plain.example.org", "plain.example.org" },
		{ "upload.example.org", "Upload" },
	}

-- The gateway asks for upload slots (XEP-0363) for the media that it hands on.
Component "upload.example.org" "http_file_share"
	http_file_share_access = { "example.org", "telegram.example.org", "plain.example.org" }

Component "telegram.example.org"
	component_secret = "a\"b\\c"
	modules_enabled = { "privilege" } -- needed here as well as on the host

Component "plain.example.org"
	component_secret = "s3cret"

-- Archives (XEP-0313): clients that were away fetch what they missed. The archive belongs in SQL;
-- Prosody's file store takes milliseconds of CPU per message once it holds ten thousand. In the main file:
--   modules_enabled = { ..., "mam", "carbons", "smacks" }
--   storage = { archive = "sql" }
--   sql = { driver = "SQLite3", database = "prosody.sqlite" }   -- package lua-dbi-sqlite3
