package simulator

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"postern/adapters/internal/sandbox"
)

// polling counts the requests of getUpdates of a bot: a newer one ends an older one.
type polling struct{ turn int64 }

func pollingOf(bot *sandbox.Account) *polling {
	p, ok := bot.Own.(*polling)
	if !ok {
		p = &polling{}
		bot.Own = p
	}
	return p
}

var secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func getMe(c *call) (any, *fault) {
	me := botUser(c.bot)
	me["can_join_groups"], me["can_read_all_group_messages"], me["supports_inline_queries"] = true, true, false
	return me, nil
}

func getWebhookInfo(c *call) (any, *fault) {
	info := object{"url": "", "has_custom_certificate": false, "pending_update_count": c.bot.Waiting(), "max_connections": 40}
	if c.bot.Subscribed {
		info["url"] = c.bot.Hook.URL
	}
	if len(c.bot.Hook.Events) > 0 {
		info["allowed_updates"] = c.bot.Hook.Events
	}
	if e := c.bot.Hook.LastError; e != "" {
		info["last_error_date"], info["last_error_message"] = c.now.Unix(), "Wrong response from the webhook: "+e
	}
	return info, nil
}

func setWebhook(c *call) (any, *fault) {
	address := c.in.text("url")
	if address == "" {
		return deleteWebhook(c)
	}
	// A local server takes http too, which is what a sandbox is.
	u, err := url.Parse(address)
	secret := c.in.text("secret_token")
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("bad webhook: An HTTPS URL must be provided for webhook")
	case secret != "" && !secretForm.MatchString(secret):
		return nil, bad("secret token contains unallowed characters")
	}
	if f := c.allow(); f != nil {
		return nil, f
	}
	if c.in.bool("drop_pending_updates") {
		c.st.Drop(c.bot)
	}
	c.bot.Hook.URL, c.bot.Hook.Secret, c.bot.Hook.Disabled, c.bot.Subscribed = address, secret, false, true
	if n, ok := c.in.int("max_connections"); ok {
		c.bot.Hook.MaxParallel = int(min(max(n, 1), 100))
	}
	c.st.Redeliver(c.bot)
	c.st.Touch()
	return true, nil
}

// allow reads allowed_updates: "an empty list" is the default again, none at all leaves what was.
func (c *call) allow() *fault {
	if _, there := c.in.values["allowed_updates"]; !there {
		return nil
	}
	var kinds []string
	if !c.in.object("allowed_updates", &kinds) {
		return bad("can't parse allowed updates JSON array")
	}
	c.bot.Hook.Events = kinds
	return nil
}

func deleteWebhook(c *call) (any, *fault) {
	if c.in.bool("drop_pending_updates") {
		c.st.Drop(c.bot)
	}
	c.bot.Hook.URL, c.bot.Subscribed = "", false
	c.st.Touch()
	return true, nil
}

// getUpdates waits without the lock.
func getUpdates(s *sandbox.Server, bot *sandbox.Account, in input, r *http.Request) (any, *fault) {
	offset, _ := in.int("offset")
	limit, ok := in.int("limit")
	if !ok || limit < 1 || limit > 100 {
		limit = 100
	}
	seconds, _ := in.int("timeout")
	var turn int64
	var f *fault
	s.Do(func(st *sandbox.State) {
		c := &call{st: st, bot: bot, in: in}
		if bot.Subscribed {
			f = conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
			return
		}
		if f = c.allow(); f != nil {
			return
		}
		p := pollingOf(bot)
		p.turn++
		turn = p.turn
		if offset > 0 {
			st.Confirm(bot, offset)
		}
		st.Touch()
	})
	if f != nil {
		return nil, f
	}
	out := []object{}
	look := func(st *sandbox.State) bool {
		switch {
		case bot.Subscribed:
			f = conflict("terminated by setWebhook request")
			return true
		case pollingOf(bot).turn != turn:
			f = conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
			return true
		}
		for _, u := range st.Pending(bot, offset, int(limit)) {
			out = append(out, updateOf(u))
		}
		return len(out) > 0
	}
	s.Wait(r.Context(), time.Duration(min(max(seconds, 0), 50))*time.Second, look)
	return out, f
}

func getFile(c *call) (any, *fault) {
	m := fileOf(c.st, c.bot, c.in.text("file_id"))
	switch {
	case m == nil:
		return nil, bad("wrong file_id or the file is temporarily unavailable")
	case m.Size > maxDownload:
		return nil, bad("file is too big")
	}
	return object{
		"file_id": c.in.text("file_id"), "file_unique_id": uniqueID(m.ID), "file_size": m.Size, "file_path": "documents/" + c.st.Link(m, linkLife),
	}, nil
}

// download answers /file/bot<token>/<file_path>.
func download(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	token, link, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/file/bot"), "/documents/")
	var m *sandbox.Media
	s.Do(func(st *sandbox.State) {
		if ok && st.AccountByToken(token) != nil {
			m = st.Linked(link)
		}
	})
	if m == nil {
		answer(w, nil, &fault{Code: 404, Text: "Not Found"})
		return
	}
	m.Serve(w, r, "application/octet-stream")
}

func getChat(c *call) (any, *fault) {
	to, f := c.chat()
	if f != nil {
		return nil, f
	}
	out := wireChat(to)
	if !to.Group() {
		if m := c.st.Media(to.Person.Avatar); m != nil {
			id := fileID(c.bot, m.ID)
			out["photo"] = object{"small_file_id": id, "small_file_unique_id": uniqueID(m.ID), "big_file_id": id, "big_file_unique_id": uniqueID(m.ID)}
		}
	}
	return out, nil
}

func getUserProfilePhotos(c *call) (any, *fault) {
	p := c.st.Known(c.bot, c.in.text("user_id"))
	if p == nil {
		return nil, bad("user not found")
	}
	photos := [][]object{}
	if m := c.st.Media(p.Avatar); m != nil {
		part := m.Part("image")
		part.Width, part.Height = 640, 640
		photos = append(photos, photoSizes(c.st, c.bot, part))
	}
	return object{"total_count": len(photos), "photos": photos}, nil
}
