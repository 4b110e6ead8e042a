package xmpp

// Namespaces of payloads that are read and built straight from the element tree.
const (
	nsReply       = "urn:xmpp:reply:0"                       // XEP-0461
	nsFallback    = "urn:xmpp:fallback:0"                    // XEP-0428
	nsRetract     = "urn:xmpp:message-retract:1"             // XEP-0424
	nsRetractOld  = "urn:xmpp:message-retract:0"             // XEP-0424 before 0.4
	nsFasten      = "urn:xmpp:fasten:0"                      // XEP-0424 before 0.4, around retractions
	nsReactions   = "urn:xmpp:reactions:0"                   // XEP-0444
	nsIdle        = "urn:xmpp:idle:1"                        // XEP-0319
	nsDiscoItems  = "http://jabber.org/protocol/disco#items" // XEP-0030
	nsCommands    = "http://jabber.org/protocol/commands"    // XEP-0050
	nsVersion     = "jabber:iq:version"                      // XEP-0092
	nsPubSub      = "http://jabber.org/protocol/pubsub"      // XEP-0060
	nsMUC         = "http://jabber.org/protocol/muc"         // XEP-0045
	nsOMEMOOld    = "eu.siacs.conversations.axolotl"         // XEP-0384 before 0.4
	nsOMEMO       = "urn:xmpp:omemo:2"                       // XEP-0384
	nsOpenPGP     = "urn:xmpp:openpgp:0"                     // XEP-0373
	nsPGPOld      = "jabber:x:encrypted"                     // XEP-0027
	nsCallMessage = "urn:xmpp:jingle-message:0"              // XEP-0353
	nsJingle      = "urn:xmpp:jingle:1"                      // XEP-0166
	nsDataPolicy  = "urn:xmpp:data-policy:0"                 // XEP-0504
	featEscaping  = `jid\20escaping`                         // XEP-0106
	nsRestrict    = "urn:xmpp:reactions:0:restrictions"      // XEP-0444 §4.2
)
