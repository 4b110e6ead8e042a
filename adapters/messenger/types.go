package messenger

import (
	"encoding/json"

	"postern/adapters/internal/graph"
)

// The wire objects, named as in the documents, with the fields in use.

// loose is a string that also comes as a number.
type loose = graph.Loose

type envelope struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

// entry is what one page or account is told.
type entry struct {
	ID        loose             `json:"id"`
	Time      loose             `json:"time"` // milliseconds
	Messaging []json.RawMessage `json:"messaging"`
	// Standby has the same while another app holds the conversation.
	Standby []json.RawMessage `json:"standby"`
	// Changes is the form of the dashboard's test button, and of comments; Field and Value are the flat one of Instagram Login.
	Changes []change        `json:"changes"`
	Field   string          `json:"field"`
	Value   json.RawMessage `json:"value"`
}

type change struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
}

type party struct {
	ID loose `json:"id"`
}

// item is an element of messaging: who, when, and one of the others.
type item struct {
	Sender    party        `json:"sender"`
	Recipient party        `json:"recipient"`
	Timestamp loose        `json:"timestamp"`
	Message   *wireMessage `json:"message"`
	Postback  *postback    `json:"postback"`
	Reaction  *reaction    `json:"reaction"`
	Read      *receipt     `json:"read"`
	Delivery  *receipt     `json:"delivery"`
	Edit      *messageEdit `json:"message_edit"`
	Referral  *referral    `json:"referral"`
	Policy    *policy      `json:"policy_enforcement"`
	Optin     *struct {
		Title string `json:"title"`
	} `json:"optin"`
}

type wireMessage struct {
	MID         loose        `json:"mid"`
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
	QuickReply  *struct {
		Payload string `json:"payload"`
	} `json:"quick_reply"`
	ReplyTo  *replyTo  `json:"reply_to"`
	Referral *referral `json:"referral"`
	Echo     bool      `json:"is_echo"`
	Deleted  bool      `json:"is_deleted"`
	// Unsupported: polls, gifts, some stickers.
	Unsupported bool `json:"is_unsupported"`
	// AppID and Metadata are those of the app that sent an echo's message; no app for the page's own inbox in some places.
	AppID    loose  `json:"app_id"`
	Metadata string `json:"metadata"`
}

type replyTo struct {
	MID   loose `json:"mid"`
	Story *struct {
		URL string `json:"url"`
	} `json:"story"`
}

type attachment struct {
	Type    string  `json:"type"`
	Title   string  `json:"title"`
	URL     string  `json:"url"`
	Payload payload `json:"payload"`
}

type payload struct {
	URL       string `json:"url"`
	Title     string `json:"title"`
	StickerID loose  `json:"sticker_id"`
	Place     *struct {
		Lat  *float64 `json:"lat"`
		Long *float64 `json:"long"`
	} `json:"coordinates"`
	Product *struct {
		Elements []element `json:"elements"`
	} `json:"product"`
	// Text and Elements are of templates that another app sent, in echoes.
	Text     string    `json:"text"`
	Elements []element `json:"elements"`
}

type element struct {
	Title    string `json:"title"`
	Subtitle string `json:"subtitle"`
	ImageURL string `json:"image_url"`
}

type postback struct {
	MID      loose     `json:"mid"`
	Title    string    `json:"title"`
	Payload  string    `json:"payload"`
	Referral *referral `json:"referral"`
}

type reaction struct {
	MID      loose  `json:"mid"`
	Action   string `json:"action"`
	Reaction string `json:"reaction"`
	Emoji    string `json:"emoji"`
}

// receipt is a delivery or a read: by ids, by one id, or by a time in milliseconds.
type receipt struct {
	MIDs      []loose `json:"mids"`
	MID       loose   `json:"mid"`
	Watermark loose   `json:"watermark"`
}

type messageEdit struct {
	MID  loose  `json:"mid"`
	Text string `json:"text"`
	Num  loose  `json:"num_edit"`
}

// referral is what brought a person: a link with a ref, or an advertisement.
type referral struct {
	Ref    string `json:"ref"`
	Source string `json:"source"`
	Ad     *struct {
		Title    string `json:"ad_title"`
		PhotoURL string `json:"photo_url"`
	} `json:"ads_context_data"`
}

type policy struct {
	Action string `json:"action"`
	Reason string `json:"reason"`
}

// outbound is a request of the Send API. Message and Action exclude each other.
type outbound struct {
	Type      string      `json:"messaging_type,omitempty"`
	Tag       string      `json:"tag,omitempty"`
	Recipient party       `json:"recipient"`
	Message   *outMessage `json:"message,omitempty"`
	ReplyTo   *outReply   `json:"reply_to,omitempty"`
	Action    string      `json:"sender_action,omitempty"`
	Payload   *outPayload `json:"payload,omitempty"`

	// file is what goes along, or what link names.
	file *outFile
	link bool
}

type outMessage struct {
	Text       string         `json:"text,omitempty"`
	Attachment *outAttachment `json:"attachment,omitempty"`
	// Metadata comes back in the echo ("Metadata", up to 1000 characters).
	Metadata string `json:"metadata,omitempty"`
}

type outAttachment struct {
	Type    string      `json:"type"`
	Payload outLocation `json:"payload"`
}

// outLocation is where a file is: at an address, or at Meta already. Both are empty for one that goes along.
type outLocation struct {
	URL string `json:"url,omitempty"`
	ID  string `json:"attachment_id,omitempty"`
}

type outReply struct {
	MID string `json:"mid"`
}

type outPayload struct {
	MessageID string `json:"message_id"`
	Reaction  string `json:"reaction,omitempty"`
}

// outFile describes a file that goes with its message.
type outFile struct {
	name, mime string
	size       int64
}

// accepted is the answer to what was sent.
type accepted struct {
	MessageID loose `json:"message_id"`
}

// page is one of those that a login is good for, or what an id or a token stands for.
type page struct {
	ID        loose  `json:"id"`
	Name      string `json:"name"`
	Token     string `json:"access_token"`
	Instagram *struct {
		ID       loose  `json:"id"`
		Username string `json:"username"`
	} `json:"instagram_business_account"`
	// UserID and Username are those of Instagram Login: id is scoped to the app there, user_id is what webhooks name.
	UserID   loose  `json:"user_id"`
	Username string `json:"username"`
}

// person is a profile.
type person struct {
	Name     string `json:"name"`
	First    string `json:"first_name"`
	Last     string `json:"last_name"`
	Username string `json:"username"`
	Picture  string `json:"profile_pic"`
}

// kept is a message as it is in a conversation.
type kept struct {
	ID      loose  `json:"id"`
	Created string `json:"created_time"`
	From    party  `json:"from"`
	Message string `json:"message"`
	// Attachments say anew where files are.
	Attachments *struct {
		Data []struct {
			FileURL string `json:"file_url"`
			Image   *struct {
				URL string `json:"url"`
			} `json:"image_data"`
			Video *struct {
				URL string `json:"url"`
			} `json:"video_data"`
		} `json:"data"`
	} `json:"attachments"`
}
