// Package control is the client of the control API that every sandbox of a platform serves below /sandbox/v1, and the types it speaks.
//
// A sandbox plays a platform: people, chats, webhooks, faults. Tests, the demo and the load test steer all of them with one Client; the
// sandboxes of the gatekeeper, Telegram, WhatsApp, Messenger and Instagram share the vocabulary, and package adapters/internal/sandbox
// describes it in full. A person is named by its handle ("juliet") on every platform, an account (bot, number, page) by its platform id,
// username, phone or name; where there is one account only, it need not be named.
package control
