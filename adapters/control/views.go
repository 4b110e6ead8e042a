package control

// State is GET /state.
type State struct {
	Revision int64  `json:"revision"`
	Platform string `json:"platform"`
	Name     string `json:"name"`
	// AccountWord and Hint are for the page.
	AccountWord string       `json:"account_word"`
	Hint        string       `json:"hint,omitempty"`
	People      []PersonView `json:"people"`
	Accounts    []Account    `json:"accounts"`
	Groups      []Chat       `json:"groups"`
	Faults      Faults       `json:"faults"`
	Batching    Batching     `json:"batching"`
	Limits      Limits       `json:"limits"`
	Counts      Counts       `json:"counts"`
}

// Counts are totals.
type Counts struct {
	Messages        int   `json:"messages"`
	Posts           int64 `json:"posts"`
	Deliveries      int64 `json:"deliveries"`
	WebhooksWaiting int   `json:"webhooks_waiting"`
	Violations      int64 `json:"violations"` // of all limits
	Media           int   `json:"media"`
	MediaBytes      int64 `json:"media_bytes"`
	Forgotten       int64 `json:"forgotten"` // updates that were lost because too many waited
	// Faults counts what API requests met: error, limit, limit_untimed (without Retry-After), timeout (done, and the answer kept back).
	// What webhooks met stands in their ledger.
	Faults map[string]int64 `json:"faults"`
}

// Limits are the rules of the platform with what was seen of them. PUT /limits sets Enforce.
type Limits struct {
	// Enforce answers 429 to what is above a rule; else it is only counted.
	Enforce bool    `json:"enforce"`
	Rules   []Limit `json:"rules"`
}

// Limit is one rule: a token bucket for each key of its scope.
type Limit struct {
	Name  string  `json:"name"`
	Scope string  `json:"scope"` // chat, account, app, pair, group: in the platform's word
	Rate  float64 `json:"rate"`  // per second
	Burst float64 `json:"burst"`
	// Taken counts what asked, Violations what found the bucket empty, Worst the deepest debt.
	Taken      int64   `json:"taken"`
	Violations int64   `json:"violations"`
	Worst      float64 `json:"worst"`
	WorstKey   string  `json:"worst_key,omitempty"`
}

// PersonView is a person with its chats, the newest first.
type PersonView struct {
	Person
	Chats []Chat `json:"chats"`
}

// Chat is a conversation of a person, or of a group, with an account.
type Chat struct {
	ID      string   `json:"id"`
	Native  string   `json:"native,omitempty"` // the platform's id of the chat, as the account sees it
	User    string   `json:"user"`             // id of the account
	Value   string   `json:"user_value"`       // its username or phone
	Display string   `json:"user_display"`     // its name
	Person  string   `json:"person,omitempty"` // absent in groups
	Title   string   `json:"title,omitempty"`  // of a group
	Members []string `json:"members,omitempty"`
	// Granted says that the account may write: the person began the chat.
	Granted   bool      `json:"granted"`
	Blocked   bool      `json:"blocked"`
	Typing    bool      `json:"typing"` // the account, now
	Unread    int       `json:"unread"` // by the person
	Count     int       `json:"count"`
	Messages  []Message `json:"messages,omitempty"`
	LastOrder int64     `json:"last_order"`
	Last      *Message  `json:"last,omitempty"`
}

// Message is a message of a chat. FromUser: by the account, else by a person.
type Message struct {
	ID        string              `json:"id"`
	Native    string              `json:"native,omitempty"` // the platform's id
	FromUser  bool                `json:"from_user"`
	ByHand    bool                `json:"by_hand"`          // by the account's owner in the platform's own app
	Author    string              `json:"author,omitempty"` // the person who wrote it
	ClientID  string              `json:"client_id,omitempty"`
	Content   Content             `json:"content"`
	ReplyTo   string              `json:"reply_to,omitempty"`
	SentAt    string              `json:"sent_at"`
	Order     int64               `json:"order"`
	Status    string              `json:"status"` // queued, sent, delivered, read or failed
	Failure   string              `json:"failure,omitempty"`
	Revision  int                 `json:"revision"`
	Retracted bool                `json:"retracted"`
	Reactions map[string][]string `json:"reactions,omitempty"` // by handle, or by account id
	Answers   map[string][]string `json:"answers,omitempty"`
}

// Condition is what Wait waits for. Empty fields match everything.
type Condition struct {
	Kind      string `json:"kind"` // message, typing, opened, blocked, account, posts, webhooks, violations, idle
	TimeoutMS int    `json:"timeout_ms,omitempty"`
	Min       int64  `json:"min,omitempty"` // how many; zero: 1
	Person    string `json:"person,omitempty"`
	User      string `json:"user,omitempty"`      // an account
	Direction string `json:"direction,omitempty"` // of a message: to_person or to_user
	Text      string `json:"text,omitempty"`      // the whole text of a message
	Contains  string `json:"contains,omitempty"`  // a part of it
	Has       string `json:"has,omitempty"`       // Content.Kind of a message
	Status    string `json:"status,omitempty"`    // of a message: at least delivered or read; or failed
	Edited    bool   `json:"edited,omitempty"`
	Retracted bool   `json:"retracted,omitempty"`
	Reaction  string `json:"reaction,omitempty"` // an emoji of the account
	State     string `json:"state,omitempty"`    // of an account: subscribed, unsubscribed, disabled or revoked
	Type      string `json:"type,omitempty"`     // of a webhook that was taken
}
