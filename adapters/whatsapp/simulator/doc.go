// Package simulator plays Meta's Graph API for the WhatsApp Cloud API, for tests and for trying out: business numbers with tokens, people who
// write to them, signed webhooks, files, templates, sign-up. What people do comes by the control API and the page of
// adapters/internal/sandbox.
//
// Written against WhatsApp Business Platform, Cloud API, Graph API v24.0 and v25.0. Its oddities are kept:
//
//   - Webhooks are JSON with \uXXXX and \/ in it, and signed as such; several updates travel in several entries and changes of one request.
//   - Only 200 is success. A failure is repeated at once and then ever more rarely, for seven days. Messages of a chat come in order, their
//     statuses by a queue of their own, so that either may overtake the other; nothing promises more.
//   - A send is answered 200 and fails later: outside the 24 hours after a person's last message (131047), to nobody (131026), a reaction to
//     nothing (131009). Throttles are status 400 (131056 for a pair, 130429 for a number), without Retry-After.
//   - There is no idempotency: what is sent twice is two messages. biz_opaque_callback_data comes back in each status.
//   - Marking one message as read marks all before it. Typing needs a message of the person, and marks it as read.
//   - A file is fetched in two steps; its address lives five minutes and wants the token, else it is 404. Uploads belong to one number.
//   - A person has a phone number and a business-scoped user id; with {"ids": {"hidden": "true"}} the former is not told. A changed number comes
//     as a system message and makes another user id.
//   - A number with {"ids": {"coexistence": "true"}} lives in the app on a phone too: what is said there comes as echoes, and people's edits and
//     deletions are told; elsewhere an edit is "unsupported" and a deletion nothing.
//   - Setting a webhook override makes a GET to the address first, and fails with 2200 when the challenge does not come back.
//
// Tokens open the numbers of their business account ("waba_id"). A number with {"ids": {"registered": "false"}} has to be registered first. The sign-up page is
// /{version}/dialog/oauth: it grants the numbers of one business account.
//
// What is not played: template approval (every template is approved but those named missing_...), flows, catalogues, payments, calls that
// are answered, administration of groups.
package simulator
