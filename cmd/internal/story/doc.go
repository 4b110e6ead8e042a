// Package story plays whole conversations: a real XMPP server, a real Redis, the sandbox gatekeeper, Postern, and a user's
// client of their own. It holds nothing but tests, which carry the build tag servers.
//
// Every story plays on Prosody and on ejabberd, each with one Redis; TestConversationOnCluster on a Redis Cluster of three
// nodes. Servers start once for all stories; a story has a component name, users and a store prefix of its own. Postern runs in
// the test's process through package app, and as the program itself where a process is ended.
//
//	what has to hold                                        test
//	onboarding by form, command and chat text; consent      TestRegister/{form,command,chat}
//	  first, receipt, enlistment with the receipt's hash
//	adding contacts, consent of the person, roster flow     TestContacts
//	text, receipts, markers, typing, corrections,           TestConversation, TestConversationOnCluster
//	  retractions, reactions, replies, order, both ways
//	a user who is away                                      TestUserIsAway
//	a server that is away; delay stamps                     TestServerIsAway
//	orderly stop under traffic, restart at once             TestOrderlyStop
//	kill, restart at once                                   TestKill
//	two replicas of one gateway                             TestSecondReplica
//	presence over logins, stops and starts                  TestPresence
//	name, picture and last seen of a contact                TestProfile
//	a platform that fails, repeats and reorders             TestRoughPlatform
//	a client that sends again                               TestSentTwice
//	a contact blocked on the server                         TestBlockedOnTheServer
//	the log names neither users nor secrets                 every story in this process
//	each feature that the platform lacks: refused, done     TestLacks
//	  otherwise or not told; what is announced
//	service discovery, capabilities, ping, version,         TestDiscovery
//	  unknown requests, errors without answers
//	search, import, mute, block, report, pause              TestDesk
//	a command of several steps; all of it by chat alone     TestDialogue, TestByChatAlone
//	who runs the gateway, who can read a chat               TestOperatorIsKnown
//	what an operator lacks, beside a gateway that runs too  TestDoctor
//	contacts under the platform's own ids                   TestReadableAddresses
//	a number proved by a code; several accounts of one      TestSeveralAccounts
//	  user; an account that moves to another JID
//	every text in the language of the client                TestLanguages
//	a client that answers no subscription request           TestNobodySubscribesUnasked
//	leaving                                                 TestUnregister
//	two users of one gateway                                TestUsersAreApart
//	a client that nobody here wrote (slixmpp)               TestOtherClient
//	what a person sees in a browser (Converse.js)           TestInBrowser
//	on every platform with a simulator: a line with two     TestWallLine
//	  users, invites, /switch, strangers, what is forged
//	  or unknown, a closed window, a token taken back
//	an account of one's own: a wrong token, a right one,    TestWallOwn
//	  one that is taken back and renewed, leaving
//	rosters that the server lets us write                   TestRosterByRight
//	what users do in the platform's own app                 TestOwnMessages, TestWithoutRights
//	two hosts, one of which grants rights                   TestTwoHosts
//	Telegram: a bot of a user's own, by webhook and by      TestTelegramBot
//	  polling, texts and files both ways
//	Telegram: one bot for all, invites, strangers           TestTelegramLine
//
// Bad input, where each costs at most itself: a message passes after each, over the same stream.
//
//	unknown configuration key                               package app, TestMistakes; cmd/postern, TestScripts/check
//	wrong component secret                                  TestServerIsAway
//	oversized webhook                                       TestBadInput/webhook too large
//	unsigned webhook                                        TestBadInput/webhook without a signature
//	stale webhook                                           TestBadInput/webhook from long ago
//	replayed webhook                                        TestBadInput/webhook twice
//	malformed webhook                                       TestBadInput/webhook nobody understands
//	message to an unknown contact                           TestBadInput/unknown contact
//	message from an unregistered user                       TestBadInput/unregistered user
//	message from a foreign domain                           TestBadInput/foreign domain
//	encrypted message                                       TestBadInput/encrypted
//	illegal XML characters in names and texts               TestBadInput/illegal characters in names and texts
//	nested body in an unknown payload                       TestBadInput/nested body in an unknown payload
//	prefixed from attribute                                 TestBadInput/prefixed from
//	message inside a message                                TestBadInput/message inside a message
//	priority of 999                                         TestBadInput/priority of 999
//	time with an offset                                     TestBadInput/history time with an offset, delay with an offset
//	stanza too deep                                         TestBadInput/200 levels deep
//	stanza too long                                         TestBadInput/stanza too long
//	answer from the wrong peer                              TestBadInput/answers to questions nobody asked; with the id of an
//	                                                        open question, which no user of a server can know: package xmpp, TestIQAnswers
//
// Bad files, both ways at once, where each costs at most itself: the user reads what is wrong, nothing stays on the disk, the
// program's memory does not grow, and the chat goes on.
//
//	too large, wrong type, lying Content-Length, endless    TestBadMedia
//	  stream, slow loris, redirect to loopback,
//	  decompression bomb, truncated image
package story
