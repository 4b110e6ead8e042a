package simulator

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern/adapters/internal/sandbox"
)

// downloads is the path of a file's address.
const downloads = "/whatsapp_business/attachments/"

// sizes are the limits of each major type, in bytes; documents have the greatest.
var sizes = map[string]int64{"image": 5 << 20, "video": 16 << 20, "audio": 16 << 20}

// postMedia answers POST /{number}/media.
func postMedia(c *call) (any, *fault) {
	parts, err := c.r.MultipartReader()
	if err != nil || c.whole {
		return nil, missing("file")
	}
	fields := map[string]string{}
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil, missing("file")
		}
		if part.FormName() != "file" {
			value := make([]byte, 256)
			n, _ := part.Read(value)
			fields[part.FormName()] = string(value[:n])
			continue
		}
		typ := part.Header.Get("Content-Type")
		major, _, _ := strings.Cut(typ, "/")
		switch {
		case fields["messaging_product"] != "whatsapp":
			return nil, noProduct
		case typ == "" || !strings.Contains(typ, "/") || slices.Contains(refused, typ):
			return nil, &fault{Status: 400, Code: 100, Text: "Param file must be a file with one of the following types: audio/aac, application/pdf, image/jpeg, image/png, video/mp4"}
		}
		most, limited := sizes[major]
		if !limited {
			most = maxUpload
		}
		m, err := c.s.Upload(c.number, part, typ, part.FileName(), most)
		if errors.Is(err, sandbox.ErrTooLarge) {
			return nil, &fault{Status: 400, Code: 131053, Text: "Media upload error", Details: "The file is too large"}
		}
		if err != nil {
			return nil, &fault{Status: 400, Code: 131053, Text: "Media upload error"}
		}
		var id string
		c.s.Do(func(st *sandbox.State) { id = booksOf(st).name(m.ID, c.number.ID, uploadLife, st.Now()) })
		return object{"id": id}, nil
	}
}

// refused are types that the upload does not take.
var refused = []string{"image/svg+xml", "text/html", "application/x-msdownload"}

// mediaView answers GET /{media}: an address that lives five minutes.
func mediaView(st *sandbox.State, c *call) (any, *fault) {
	h := booksOf(st).handle(c.id, st.Now())
	number := c.r.URL.Query().Get("phone_number_id")
	if h == nil || number != "" && number != h.number || !sameBusiness(st, h.number, c.number) {
		return nil, noObject
	}
	m := st.Media(h.file)
	if m == nil {
		return nil, noObject
	}
	q := url.Values{"mid": {c.id}, "ext": {strconv.FormatInt(st.Now().Add(st.Scale(linkLife)).Unix(), 10)}, "hash": {st.Link(m, linkLife)}}
	return object{
		"messaging_product": "whatsapp", "url": st.Base() + downloads + "?" + q.Encode(), "mime_type": m.Type, "sha256": hash64(m.SHA256),
		"file_size": strconv.FormatInt(m.Size, 10), "id": c.id,
	}, nil
}

func sameBusiness(st *sandbox.State, number string, by *sandbox.Account) bool {
	a := st.Account(number)
	return a != nil && a.IDs[idAccount] == by.IDs[idAccount]
}

// hash64 is a hash in base64, as most of the platform's pages have it.
func hash64(inHex string) string {
	raw, err := hex.DecodeString(inHex)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// deleteMedia answers DELETE /{media}.
func deleteMedia(c *call) (any, *fault) {
	var f *fault
	c.s.Do(func(st *sandbox.State) {
		b := booksOf(st)
		if b.handle(c.id, st.Now()) == nil {
			f = noObject
			return
		}
		b.handles.Drop(c.id)
	})
	return done, f
}

// download serves a file to whoever has its address and a token for it: "404 when expired or under a wrong token".
func download(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	var m *sandbox.Media
	s.Do(func(st *sandbox.State) {
		by, h := st.AccountByToken(bearer(r)), booksOf(st).handle(r.URL.Query().Get("mid"), st.Now())
		if by == nil || h == nil || !sameBusiness(st, h.number, by) {
			return
		}
		if linked := st.Linked(r.URL.Query().Get("hash")); linked != nil && linked.ID == h.file {
			m = linked
		}
	})
	if m == nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	m.Serve(w, r, "")
}
