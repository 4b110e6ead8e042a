package whatsapp

import (
	"encoding/json"

	"postern/adapters/internal/graph"
)

// The wire objects, named as in the document, with the fields in use.

// loose is a string that also comes as a number.
type loose = graph.Loose

type envelope struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

type entry struct {
	ID      loose    `json:"id"` // of the WhatsApp Business account
	Time    loose    `json:"time"`
	Changes []change `json:"changes"`
}

type change struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
}

// value is the one shape of messages, smb_message_echoes, standby, calls and smb_app_state_sync; account fields have flat ones.
type value struct {
	Metadata struct {
		PhoneNumberID loose `json:"phone_number_id"`
	} `json:"metadata"`
	Contacts  []sender          `json:"contacts"`
	Messages  []json.RawMessage `json:"messages"`
	Echoes    []json.RawMessage `json:"message_echoes"`
	Statuses  []status          `json:"statuses"`
	Errors    []wireError       `json:"errors"`
	Calls     []call            `json:"calls"`
	StateSync []stateSync       `json:"state_sync"`
}

type sender struct {
	Profile struct {
		Name string `json:"name"`
	} `json:"profile"`
	WaID   loose `json:"wa_id"`
	UserID loose `json:"user_id"`
}

type inbound struct {
	From       loose `json:"from"`
	FromUserID loose `json:"from_user_id"`
	// To and ToUserID are set in echoes.
	To        loose  `json:"to"`
	ToUserID  loose  `json:"to_user_id"`
	ID        loose  `json:"id"`
	Timestamp loose  `json:"timestamp"`
	Type      string `json:"type"`
	GroupID   loose  `json:"group_id"`

	Context     *wireContext `json:"context"`
	Referral    *referral    `json:"referral"`
	Errors      []wireError  `json:"errors"`
	Text        *textBody    `json:"text"`
	Image       *wireMedia   `json:"image"`
	Video       *wireMedia   `json:"video"`
	Audio       *wireMedia   `json:"audio"`
	Document    *wireMedia   `json:"document"`
	Sticker     *wireMedia   `json:"sticker"`
	Location    *location    `json:"location"`
	Contacts    []card       `json:"contacts"`
	Reaction    *reaction    `json:"reaction"`
	Button      *button      `json:"button"`
	Interactive *picked      `json:"interactive"`
	Order       *order       `json:"order"`
	System      *system      `json:"system"`
	Edit        *edit        `json:"edit"`
	Revoke      *revoke      `json:"revoke"`
	Unsupported *struct {
		Type string `json:"type"`
	} `json:"unsupported"`
}

type wireContext struct {
	ID              loose `json:"id"`
	ReferredProduct *struct {
		CatalogID loose `json:"catalog_id"`
		ProductID loose `json:"product_retailer_id"`
	} `json:"referred_product"`
}

type referral struct {
	SourceURL string `json:"source_url"`
	Headline  string `json:"headline"`
	Body      string `json:"body"`
	ImageURL  string `json:"image_url"`
	ThumbURL  string `json:"thumbnail_url"`
}

type wireError struct {
	Code loose `json:"code"`
}

type textBody struct {
	Body       string `json:"body"`
	PreviewURL bool   `json:"preview_url,omitempty"`
}

type wireMedia struct {
	ID       loose  `json:"id"`
	MIME     string `json:"mime_type"`
	SHA256   string `json:"sha256"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
	Voice    bool   `json:"voice"`
}

type location struct {
	Latitude  loose  `json:"latitude"`
	Longitude loose  `json:"longitude"`
	Name      string `json:"name"`
	Address   string `json:"address"`
}

type card struct {
	Name   cardName    `json:"name"`
	Phones []cardPhone `json:"phones,omitempty"`
	Emails []cardEmail `json:"emails,omitempty"`
}

type cardName struct {
	Formatted string `json:"formatted_name"`
	First     string `json:"first_name,omitempty"`
	Last      string `json:"last_name,omitempty"`
}

type cardPhone struct {
	Phone string `json:"phone"`
	WaID  string `json:"wa_id,omitempty"`
	Type  string `json:"type,omitempty"`
}

type cardEmail struct {
	Email string `json:"email"`
}

type reaction struct {
	MessageID loose `json:"message_id"`
	// Emoji is absent or empty when the reaction is taken back.
	Emoji string `json:"emoji"`
}

type button struct {
	Text    string `json:"text"`
	Payload string `json:"payload"`
}

type picked struct {
	Type   string `json:"type"`
	Button *reply `json:"button_reply"`
	List   *reply `json:"list_reply"`
	Flow   *struct {
		Body     string `json:"body"`
		Response string `json:"response_json"`
	} `json:"nfm_reply"`
	CallPermission *struct {
		Response string `json:"response"`
	} `json:"call_permission_reply"`
}

type reply struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type order struct {
	Text  string `json:"text"`
	Items []struct {
		ID       loose  `json:"product_retailer_id"`
		Quantity loose  `json:"quantity"`
		Price    loose  `json:"item_price"`
		Currency string `json:"currency"`
	} `json:"product_items"`
}

type system struct {
	Type   string `json:"type"`
	WaID   loose  `json:"wa_id"`
	NewID  loose  `json:"new_wa_id"` // an older spelling
	UserID loose  `json:"user_id"`
	OldID  loose  `json:"previous_user_id"`
}

type edit struct {
	Original loose           `json:"original_message_id"`
	Message  json.RawMessage `json:"message"`
}

type revoke struct {
	Original loose `json:"original_message_id"`
}

type status struct {
	ID              loose       `json:"id"`
	Type            string      `json:"type"` // "call" for what is no message
	Status          string      `json:"status"`
	Timestamp       loose       `json:"timestamp"`
	RecipientID     loose       `json:"recipient_id"`
	RecipientType   string      `json:"recipient_type"`
	RecipientUserID loose       `json:"recipient_user_id"`
	Participant     loose       `json:"recipient_participant_id"`
	ParticipantToo  loose       `json:"participant_recipient_id"` // another page's spelling
	Ref             string      `json:"biz_opaque_callback_data"`
	Errors          []wireError `json:"errors"`
}

type call struct {
	ID         loose  `json:"id"`
	From       loose  `json:"from"`
	FromUserID loose  `json:"from_user_id"`
	To         loose  `json:"to"`
	ToUserID   loose  `json:"to_user_id"`
	Event      string `json:"event"`
	Direction  string `json:"direction"`
	Timestamp  loose  `json:"timestamp"`
	Status     loose  `json:"status"` // some pages have a list here
	Duration   loose  `json:"duration"`
}

type stateSync struct {
	Type    string `json:"type"`
	Action  string `json:"action"`
	Contact struct {
		FullName  string `json:"full_name"`
		FirstName string `json:"first_name"`
		Phone     loose  `json:"phone_number"`
	} `json:"contact"`
	Metadata struct {
		Timestamp loose `json:"timestamp"`
	} `json:"metadata"`
}

// accountValue is the flat value of account_update, account_alerts, phone_number_quality_update and their like.
type accountValue struct {
	Event   string `json:"event"`
	BanInfo struct {
		State string `json:"waba_ban_state"`
	} `json:"ban_info"`
	Restrictions []struct {
		Type string `json:"restriction_type"`
	} `json:"restriction_info"`
}

// outbound is the body of POST /{number}/messages.
type outbound struct {
	Product   string `json:"messaging_product"`
	Recipient string `json:"recipient_type,omitempty"`
	To        string `json:"to,omitempty"`
	// User is a business-scoped user id, which stands in a field of its own.
	User        string       `json:"recipient,omitempty"`
	Type        string       `json:"type,omitempty"`
	Context     *outContext  `json:"context,omitempty"`
	Text        *textBody    `json:"text,omitempty"`
	Image       *outMedia    `json:"image,omitempty"`
	Video       *outMedia    `json:"video,omitempty"`
	Audio       *outMedia    `json:"audio,omitempty"`
	Document    *outMedia    `json:"document,omitempty"`
	Sticker     *outMedia    `json:"sticker,omitempty"`
	Location    *outLocation `json:"location,omitempty"`
	Contacts    []card       `json:"contacts,omitempty"`
	Reaction    *outReaction `json:"reaction,omitempty"`
	Template    *outTemplate `json:"template,omitempty"`
	Status      string       `json:"status,omitempty"`
	MessageID   string       `json:"message_id,omitempty"`
	Typing      *outTyping   `json:"typing_indicator,omitempty"`
	CallbackRef string       `json:"biz_opaque_callback_data,omitempty"`
}

type outContext struct {
	MessageID string `json:"message_id"`
}

type outMedia struct {
	ID       string `json:"id"`
	Caption  string `json:"caption,omitempty"`
	Filename string `json:"filename,omitempty"`
	Voice    bool   `json:"voice,omitempty"`
}

type outLocation struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

// outReaction writes an empty emoji too: that takes a reaction back.
type outReaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"`
}

type outTyping struct {
	Type string `json:"type"`
}

type outTemplate struct {
	Name       string         `json:"name"`
	Language   outLanguage    `json:"language"`
	Components []outComponent `json:"components,omitempty"`
}

type outLanguage struct {
	Code string `json:"code"`
}

type outComponent struct {
	Type       string         `json:"type"`
	Parameters []outParameter `json:"parameters"`
}

type outParameter struct {
	Type string `json:"type"`
	Name string `json:"parameter_name,omitempty"`
	Text string `json:"text"`
}

type accepted struct {
	Messages []struct {
		ID loose `json:"id"`
	} `json:"messages"`
}

type success struct {
	Success bool `json:"success"`
}

type phoneNumber struct {
	ID       loose  `json:"id"`
	Display  string `json:"display_phone_number"`
	Name     string `json:"verified_name"`
	Platform string `json:"platform_type"`
	Status   string `json:"status"`
	OnPhone  bool   `json:"is_on_biz_app"`
}

type mediaInfo struct {
	URL    string `json:"url"`
	MIME   string `json:"mime_type"`
	SHA256 string `json:"sha256"`
	Size   loose  `json:"file_size"`
}

type blockUsers struct {
	Product string        `json:"messaging_product"`
	Users   []blockedUser `json:"block_users"`
}

type blockedUser struct {
	User string `json:"user"`
}
