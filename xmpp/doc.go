// Package xmpp is the component: it speaks XEP-0114 with the XMPP server and
// turns stanzas into the gateway's vocabulary and back.
//
// The wire layer, from the socket upwards:
//
//	framer.go      bytes -> the bytes of one stanza (size and depth caps)
//	parse.go       the bytes of one stanza -> Element
//	element.go     the element tree: look-up and building
//	chars.go       characters and names that XML 1.0 allows
//	encode.go      Element -> bytes (escaped, sanitised, names checked)
//	jid.go         addresses: RFC 7622 and XEP-0106
//	stanza.go      message, presence and iq envelopes
//	stanzaerror.go error stanzas of RFC 6120 §8.3
//	ext_*.go       payload types that gosrc.io/xmpp/stanza lacks, registered in registry.go
//	caps.go        XEP-0115 verification strings
//	writer.go      one coalescing writer per stream
//	iq.go          requests that wait for their answer
//	stream.go      one connection, from the handshake to its end
//	reader.go      what comes in: validated, refused, or handed to the handler
//	liveness.go    keepalive, ping, dead-peer detection, the ping barrier
//	supervisor.go  lease, dial, session, close, back off, again
//	dispatch.go    ordered in-process queues between reader and handlers
//
// What a component does with stanzas, by feature:
//
//	component.go     one component: its parts, its run, its IQ routes (component_*.go)
//	message.go       a user's message -> gateway.Outbound (message_*.go, encryption.go)
//	presence.go      subscriptions and probes
//	disco.go         what the gateway and each contact can do
//	register.go      the front desk as a form, command.go as commands, chat.go as
//	                 text, prompt.go as an address prompt; errands.go runs them
//	render.go        what a user is shown -> stanzas (render_*.go)
//	outbox_wire.go   the outbox's view of a live stream
package xmpp
