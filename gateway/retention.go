package gateway

import "time"

// Kinds of record. Every kind stands in Retention; a test scans a used store and fails on a key that no row explains.
const (
	RecordSchema    RecordKind = "schema"   // owner "g": schema version, shard count, wrapped master key
	RecordDataKey   RecordKind = "key"      // owner a:<account> or u:<user>: a wrapped data key
	RecordUser      RecordKind = "user"     // owner u:<user>: JID, language
	RecordLinks     RecordKind = "links"    // owner u:<user>: the user's accounts per adapter
	RecordConsent   RecordKind = "consent"  // owner u:<user>: consent receipts; owner x:<adapter>: the texts they are about, by hash
	RecordAccount   RecordKind = "account"  // owner a:<account>: endpoint, sealed credentials, standing
	RecordHealth    RecordKind = "health"   // owner a:<account>: when it last heard from its platform, and last reached it
	RecordContact   RecordKind = "contact"  // owner a:<account>: one packed sealed string per contact
	RecordEndpoint  RecordKind = "endpoint" // owner e:<bucket>: endpoint to account
	RecordMember    RecordKind = "member"   // owner x:<adapter>: who is registered, for presence at start
	RecordSession   RecordKind = "session"  // owner u:<user>: an unfinished dialogue
	RecordMove      RecordKind = "move"     // owner x:<adapter>: an account on its way to another user, by code
	RecordGuest     RecordKind = "guest"    // owner e:<bucket>: which accounts a person on a line is connected with
	RecordInvite    RecordKind = "invite"   // owner x:<adapter>: an invite that was given out
	RecordInvites   RecordKind = "invites"  // owner a:<account>: which invites it has given out
	RecordBrowser   RecordKind = "browser"  // owner x:<adapter>: a registration that goes on in a browser, by its state parameter
	RecordRedirect  RecordKind = "redirect" // owner a:<account>: another id of a contact, by the alias that it would have
	RecordLinking   RecordKind = "linking"  // owner x:<adapter>: somebody is being linked just now
	RecordUnlink    RecordKind = "unlink"   // owner x:<adapter>: withdrawals that the platform has not heard of yet
	RecordQuestion  RecordKind = "question" // owner a:<account>: what a contact asked lately that a number can answer, by alias
	RecordNotice    RecordKind = "notice"   // owner u:<user>: a notice already given today
	RecordFile      RecordKind = "file"     // owner a:<account>: where a file that was moved already has been put
	RecordSent      RecordKind = "sent"     // owner a:<account>: an op that the platform has taken but may still refuse by its window
	RecordLate      RecordKind = "late"     // owner a:<account>: whether its user was asked about messages that are late, and the answer
	RecordToken     RecordKind = "token"    // owner g: a bearer token of the operator's side, by an HMAC of its name
	RecordAudit     RecordKind = "audit"    // owner audit: the operator's audit log, by number
	RecordStop      RecordKind = "stop"     // owner orders: an adapter that the operator has stopped, and a stamp that changes with every order
	RecordBlock     RecordKind = "block"    // owner orders: a user or domain that the operator has blocked
	RecordDeed      RecordKind = "deed"     // owner u:<user>: the salt of a line of the audit log that is about the user, by the line's number
	RecordCase      RecordKind = "case"     // owner u:<user>: a report of theirs, and what was decided
	RecordCaseEntry RecordKind = "caselist" // owner cases: where a case is, and how far it got, by its id
	RecordLedger    RecordKind = "ledger"   // owner ledger: what platforms did with what they were asked, by day
	RecordCanary    RecordKind = "canary"   // owner canary: how an adapter's last canary ended, by the adapter
	RecordPicture   RecordKind = "picture"  // owner a:<account>: a contact's picture, named by an HMAC of its hash
)

// Retention says for every kind of key who owns it and how long it lives.
type Retention struct {
	Kind RecordKind
	// TTL is how long an unused record lives; 0 means until its owner is erased.
	TTL time.Duration
	// Why names the owner or the purpose, for the privacy notice.
	Why string
}

// Lifetimes of what is not a record.
const (
	MapBucket      = 10 * 24 * time.Hour  // one id-map hash per chat and bucket
	MapTTL         = 30 * 24 * time.Hour  // how long an edit, reply or receipt finds its message
	DeadTTL        = 30 * 24 * time.Hour  // how long an operator can replay
	EventDedupe    = 7 * 24 * time.Hour   // longer than any platform redelivers webhooks
	StanzaDedupe   = 24 * time.Hour       // clients resend after stream resumption (XEP-0198)
	OutboxDedupe   = 24 * time.Hour       // absorbs a replayed hop
	InviteTTL      = 7 * 24 * time.Hour   // how long an invite opens a chat
	SessionTTL     = 15 * time.Minute     // an unfinished dialogue (XEP-0050 §3.2)
	LinkingTTL     = 30 * time.Second     // one step of a registration, the platform's part and ours
	AttemptTTL     = 48 * time.Hour       // attempt counters of unfinished entries
	NoticeTTL      = 24 * time.Hour       // "told once per chat, feature and day"
	LateTTL        = 24 * time.Hour       // a question about late messages, and its answer
	PictureTTL     = 30 * 24 * time.Hour  // a contact's picture; the platform is asked for it again when it has gone
	FileTTL        = 20 * time.Hour       // how long the same file is not moved again; platforms keep what was uploaded for a day at least
	LedgerTTL      = 400 * 24 * time.Hour // a day of the ledger
	CanaryTTL      = 7 * 24 * time.Hour   // how an adapter's last canary ended; the next one is far sooner
	CaseTTL        = 365 * 24 * time.Hour // a report, from when it was made
	ContactCaching = 30 * time.Second     // how long a replica believes what it read of an account
)

// RetentionTable lists every kind of record.
func RetentionTable() []Retention {
	return []Retention{
		{RecordSchema, 0, "the store itself"},
		{RecordDataKey, 0, "the account or user whose data it seals; destroying it is the erasure"},
		{RecordUser, 0, "the user, until they unregister from the last adapter"},
		{RecordLinks, 0, "the user, until they unregister"},
		{RecordConsent, 0, "the user; proof of consent, exported and erased with them"},
		{RecordAccount, 0, "the account, until it is unlinked"},
		{RecordHealth, 0, "the account, until it is unlinked; two times, written once a minute at most"},
		{RecordContact, 0, "the account, until it is unlinked"},
		{RecordEndpoint, 0, "the account, until it is unlinked"},
		{RecordMember, 0, "the user, until they unregister"},
		{RecordSession, SessionTTL, "a dialogue under way"},
		{RecordMove, SessionTTL, "a move under way"},
		{RecordGuest, 0, "the line; ids of accounts alone, and those of erased accounts mean nothing any more"},
		{RecordInvite, InviteTTL, "an invite that was given out"},
		{RecordInvites, InviteTTL, "so that an operator can see and revoke the invites of an account"},
		{RecordBrowser, SessionTTL, "a registration that goes on in a browser"},
		{RecordRedirect, 0, "the account, until it is unlinked"},
		{RecordLinking, LinkingTTL, "so that a platform keeps what it sends for an account that is about to exist"},
		{RecordToken, 0, "the operator; hashes of secrets"},
		{RecordAudit, 0, "the operator; proof of what was done, which names no user"},
		{RecordDeed, 0, "the user; salts by which alone lines of the audit log can be shown to be about them"},
		{RecordCase, CaseTTL, "the user; what they reported, what the operator decided and why, what they said against it"},
		{RecordCaseEntry, 0, "the case, which it is in the list for; names of keys alone, gone with it"},
		{RecordLedger, LedgerTTL, "the operator; counts, times and outages of platforms, nothing of anybody"},
		{RecordCanary, CanaryTTL, "the operator; how the gateway's own test message ended, and when"},
		{RecordStop, 0, "the operator, until the adapter is started again"},
		{RecordBlock, 0, "the operator, until the block is taken back; names a user or a domain, and stays when the user is erased"},
		{RecordUnlink, 0, "a withdrawal under way"},
		{RecordQuestion, QuestionTTL, "so that a number can answer a poll or buttons"},
		{RecordNotice, NoticeTTL, "so that a notice is given once a day"},
		{RecordFile, FileTTL, "so that the same file is not uploaded again"},
		{RecordSent, SentTTL, "so that a message which a platform takes and refuses afterwards is not lost"},
		{RecordLate, LateTTL, "so that messages that are late go out only as their writer wants"},
		{RecordPicture, PictureTTL, "the account; a copy of what the platform shows of a contact"},
	}
}
