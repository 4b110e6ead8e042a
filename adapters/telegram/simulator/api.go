package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/sandbox"
)

// fault is an answer that refuses.
type fault struct {
	Code       int
	Text       string
	RetryAfter time.Duration
}

func bad(text string) *fault { return &fault{Code: 400, Text: "Bad Request: " + text} }

func forbidden(text string) *fault { return &fault{Code: 403, Text: "Forbidden: " + text} }

func conflict(text string) *fault { return &fault{Code: 409, Text: "Conflict: " + text} }

func tooMany(wait time.Duration) *fault {
	s := max(int64((wait+time.Second-1)/time.Second), 1)
	return &fault{Code: 429, Text: "Too Many Requests: retry after " + strconv.FormatInt(s, 10), RetryAfter: time.Duration(s) * time.Second}
}

// answer writes the envelope.
func answer(w http.ResponseWriter, result any, f *fault) {
	w.Header().Set("Content-Type", "application/json")
	out := object{"ok": f == nil}
	if f != nil {
		out["error_code"], out["description"] = f.Code, f.Text
		if s := int64(f.RetryAfter / time.Second); s > 0 {
			out["parameters"] = object{"retry_after": s}
			w.Header().Set("Retry-After", strconv.FormatInt(s, 10))
		}
		w.WriteHeader(f.Code)
	} else {
		out["result"] = result
	}
	_ = json.NewEncoder(w).Encode(out) // whoever left does not read it
}

// call is one method under way. It is made with the lock held.
type call struct {
	st    *sandbox.State
	bot   *sandbox.Account
	in    input
	agent string
	now   time.Time
}

// input are parameters: JSON, in which forms have strings only.
type input struct {
	values map[string]json.RawMessage
	files  map[string]*sandbox.Media
}

// text reads a string, or the digits of a number.
func (in input) text(name string) string {
	raw := in.values[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func (in input) int(name string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(in.text(name)), 10, 64)
	return n, err == nil
}

func (in input) float(name string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(in.text(name)), 64)
	return f, err == nil
}

func (in input) bool(name string) bool {
	s := strings.ToLower(in.text(name))
	return s == "true" || s == "1" || s == "yes"
}

// object reads what is nested: as it is in JSON, in a string in forms. It reports false for what is there and broken.
func (in input) object(name string, into any) bool {
	raw, ok := in.values[name]
	if !ok {
		return true
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		raw = json.RawMessage(s)
	}
	return json.Unmarshal(raw, into) == nil
}

// methods by their name in lower case.
var methods = map[string]func(*call) (any, *fault){
	"getme": getMe, "getwebhookinfo": getWebhookInfo, "setwebhook": setWebhook, "deletewebhook": deleteWebhook,
	"sendmessage": sendMessage, "sendlocation": sendLocation, "sendvenue": sendLocation, "sendcontact": sendContact, "sendpoll": sendPoll,
	"sendchataction": sendChatAction,
	"sendphoto":      sendFile("photo", "image"), "sendvideo": sendFile("video", "video"), "sendanimation": sendFile("animation", "animation"),
	"sendaudio": sendFile("audio", "audio"), "sendvoice": sendFile("voice", "voice"), "senddocument": sendFile("document", "file"),
	"sendsticker": sendFile("sticker", "sticker"), "sendvideonote": sendFile("video_note", "video_note"),
	"editmessagetext": editMessageText, "editmessagecaption": editMessageCaption, "deletemessage": deleteMessage,
	"setmessagereaction": setMessageReaction, "answercallbackquery": answerCallbackQuery,
	"getfile": getFile, "getchat": getChat, "getuserprofilephotos": getUserProfilePhotos,
}

// serve answers /bot<token>/<method>.
func serve(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	token, method := chi.URLParam(r, "token"), strings.ToLower(chi.URLParam(r, "method"))
	var bot *sandbox.Account
	s.Do(func(st *sandbox.State) { bot = st.AccountByToken(token) })
	handle := methods[method]
	switch {
	case !tokenForm.MatchString(token):
		answer(w, nil, &fault{Code: 404, Text: "Not Found"})
		return
	case bot == nil:
		answer(w, nil, &fault{Code: 401, Text: "Unauthorized"})
		return
	case handle == nil && method != "getupdates":
		answer(w, nil, &fault{Code: 404, Text: "Not Found: method not found"})
		return
	}
	in, f := read(s, bot, r)
	if f != nil {
		answer(w, nil, f)
		return
	}
	if method == "getupdates" {
		result, f := getUpdates(s, bot, in, r)
		answer(w, result, f)
		return
	}
	var result any
	s.Do(func(st *sandbox.State) {
		if refused, wait := st.Spend(ruleBot, bot.ID); refused {
			f = tooMany(wait)
			return
		}
		result, f = handle(&call{st: st, bot: bot, in: in, agent: r.UserAgent(), now: st.Now()})
	})
	answer(w, result, f)
}

const maxFields = 1 << 20 // bytes of parameters

// read takes parameters from the query and from a body of any of the four forms.
func read(s *sandbox.Server, bot *sandbox.Account, r *http.Request) (input, *fault) {
	in := input{values: map[string]json.RawMessage{}, files: map[string]*sandbox.Media{}}
	put := func(name, value string) {
		raw, err := json.Marshal(value)
		if err == nil { // a string always encodes
			in.values[name] = raw
		}
	}
	for name, v := range r.URL.Query() {
		put(name, v[0])
	}
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
	case typ == "multipart/form-data":
		return in, readParts(s, bot, r, in, put)
	case typ == "application/json":
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxFields))
		if err != nil || len(raw) > 0 && json.Unmarshal(raw, &in.values) != nil {
			return in, bad("can't parse JSON object")
		}
	default:
		r.Body = http.MaxBytesReader(nil, r.Body, maxFields)
		if r.ParseForm() != nil {
			return in, bad("can't parse the form")
		}
		for name, v := range r.PostForm {
			put(name, v[0])
		}
	}
	return in, nil
}

func readParts(s *sandbox.Server, bot *sandbox.Account, r *http.Request, in input, put func(name, value string)) *fault {
	parts, err := r.MultipartReader()
	if err != nil {
		return bad("can't parse the form")
	}
	for {
		p, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // a form that ends early gives an error that wraps it
			return nil
		}
		if err != nil {
			return bad("can't parse the form")
		}
		if p.FileName() == "" {
			raw, err := io.ReadAll(io.LimitReader(p, maxFields))
			if err != nil {
				return bad("can't parse the form")
			}
			put(p.FormName(), string(raw))
			continue
		}
		m, err := s.Upload(bot, p, p.Header.Get("Content-Type"), p.FileName(), maxUpload)
		switch {
		case errors.Is(err, sandbox.ErrTooLarge):
			return &fault{Code: 413, Text: "Request Entity Too Large"}
		case err != nil:
			return bad("can't parse the form")
		}
		in.files[p.FormName()] = m
	}
}
