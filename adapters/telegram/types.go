package telegram

import "encoding/json"

// The wire objects, named as in the document, with the fields in use.

// envelope is around every answer.
type envelope struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int64 `json:"retry_after"` // seconds
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

type user struct {
	ID        int64  `json:"id"`
	IsBot     bool   `json:"is_bot"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Username  string `json:"username"`
}

type chat struct {
	ID        int64      `json:"id"`
	Type      string     `json:"type"`
	Title     string     `json:"title"`
	FirstName string     `json:"first_name"`
	LastName  string     `json:"last_name"`
	Photo     *chatPhoto `json:"photo"`
}

type chatPhoto struct {
	BigFileID string `json:"big_file_id"`
}

type message struct {
	ID           int64       `json:"message_id"`
	Date         int64       `json:"date"`      // Unix seconds
	EditDate     int64       `json:"edit_date"` // 0 for a change that nobody sees
	Chat         chat        `json:"chat"`
	From         *user       `json:"from"`
	SenderChat   *chat       `json:"sender_chat"`
	ThreadID     int64       `json:"message_thread_id"`
	IsTopic      bool        `json:"is_topic_message"`
	ReplyTo      *message    `json:"reply_to_message"`
	External     *external   `json:"external_reply"`
	Quote        *quote      `json:"quote"`
	Forward      *origin     `json:"forward_origin"`
	Markup       *markup     `json:"reply_markup"`
	Text         string      `json:"text"`
	Entities     []entity    `json:"entities"`
	Caption      string      `json:"caption"`
	CaptionSpans []entity    `json:"caption_entities"`
	Photo        []photoSize `json:"photo"`
	Animation    *file       `json:"animation"`
	Video        *file       `json:"video"`
	VideoNote    *file       `json:"video_note"`
	Audio        *file       `json:"audio"`
	Voice        *file       `json:"voice"`
	Document     *file       `json:"document"`
	Sticker      *sticker    `json:"sticker"`
	Location     *location   `json:"location"`
	Venue        *venue      `json:"venue"`
	Contact      *contact    `json:"contact"`
	Poll         *poll       `json:"poll"`
	Dice         *dice       `json:"dice"`
	NewMembers   []user      `json:"new_chat_members"`
	LeftMember   *user       `json:"left_chat_member"`
	NewTitle     string      `json:"new_chat_title"`
	TopicCreated *struct{}   `json:"forum_topic_created"`
	Business     string      `json:"business_connection_id"`
}

type entity struct {
	Type   string `json:"type"`
	Offset int    `json:"offset"` // UTF-16 code units
	Length int    `json:"length"`
	URL    string `json:"url,omitempty"`
}

type quote struct {
	Text string `json:"text"`
}

type external struct {
	Origin *origin `json:"origin"`
}

// origin is MessageOrigin: who wrote what is passed on.
type origin struct {
	SenderUser     *user  `json:"sender_user"`
	SenderUserName string `json:"sender_user_name"`
	SenderChat     *chat  `json:"sender_chat"`
	Chat           *chat  `json:"chat"`
}

type markup struct {
	Keyboard [][]button `json:"inline_keyboard"`
}

type button struct {
	Text string `json:"text"`
	Data string `json:"callback_data"`
}

type photoSize struct {
	FileID string `json:"file_id"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Size   int64  `json:"file_size"`
}

// file is what Animation, Audio, Document, Video, VideoNote and Voice have in common.
type file struct {
	FileID   string `json:"file_id"`
	Name     string `json:"file_name"`
	MIME     string `json:"mime_type"`
	Size     int64  `json:"file_size"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Length   int    `json:"length"`   // both of a VideoNote
	Duration int    `json:"duration"` // seconds
}

type sticker struct {
	FileID   string `json:"file_id"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Animated bool   `json:"is_animated"` // TGS
	Video    bool   `json:"is_video"`    // WebM
	Emoji    string `json:"emoji"`
	Size     int64  `json:"file_size"`
}

type location struct {
	Latitude   float64 `json:"latitude"`
	Longitude  float64 `json:"longitude"`
	Accuracy   float64 `json:"horizontal_accuracy"` // metres
	LivePeriod int64   `json:"live_period"`         // seconds
}

type venue struct {
	Location location `json:"location"`
	Title    string   `json:"title"`
	Address  string   `json:"address"`
}

type contact struct {
	Phone     string `json:"phone_number"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

type poll struct {
	Question string `json:"question"`
	Options  []struct {
		Text string `json:"text"`
	} `json:"options"`
	Multiple bool `json:"allows_multiple_answers"`
}

type dice struct {
	Emoji string `json:"emoji"`
	Value int    `json:"value"`
}

type reaction struct {
	Type  string `json:"type"`
	Emoji string `json:"emoji"`
}

type messageReaction struct {
	Chat      chat       `json:"chat"`
	MessageID int64      `json:"message_id"`
	User      *user      `json:"user"`
	ActorChat *chat      `json:"actor_chat"`
	Date      int64      `json:"date"`
	New       []reaction `json:"new_reaction"`
}

type callbackQuery struct {
	ID      string   `json:"id"`
	From    user     `json:"from"`
	Message *message `json:"message"`
	Data    string   `json:"data"`
}

type pollAnswer struct {
	PollID  string `json:"poll_id"`
	User    *user  `json:"user"`
	Options []int  `json:"option_ids"`
}

type memberUpdated struct {
	Chat chat         `json:"chat"`
	From user         `json:"from"`
	Date int64        `json:"date"`
	Old  memberStatus `json:"old_chat_member"`
	New  memberStatus `json:"new_chat_member"`
}

type memberStatus struct {
	User     user   `json:"user"`
	Status   string `json:"status"`
	IsMember bool   `json:"is_member"` // of restricted ones
}

// sentMessage is what is read of a Message that we sent.
type sentMessage struct {
	ID   int64 `json:"message_id"`
	Date int64 `json:"date"`
	Chat struct {
		ID int64 `json:"id"`
	} `json:"chat"`
}

type filePath struct {
	Path string `json:"file_path"`
	Size int64  `json:"file_size"`
}

type profilePhotos struct {
	Photos [][]photoSize `json:"photos"`
}

// params are the parameters of a method.
type params map[string]any
