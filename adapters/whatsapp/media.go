package whatsapp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

// What each kind of file may be (Media, Supported media types), in bytes.
const (
	maxSticker = 500 << 10
	maxPicture = 5 << 20
	maxStream  = 16 << 20
)

// mediaHandle is a media id.
var mediaHandle = regexp.MustCompile(`^[0-9]{1,32}$`)

// kinds are the types that the platform shows as what they are; all others go as documents.
var kinds = map[string]struct {
	kind string
	most int64
}{
	"image/jpeg": {"image", maxPicture}, "image/png": {"image", maxPicture},
	"video/mp4": {"video", maxStream}, "video/3gpp": {"video", maxStream},
	"audio/aac": {"audio", maxStream}, "audio/amr": {"audio", maxStream}, "audio/mpeg": {"audio", maxStream}, "audio/mp4": {"audio", maxStream},
	"audio/ogg": {"audio", maxStream},
}

// mediaType says as what a file is sent. A picture of another format, or one that is too large, is a document: it arrives all the same.
func mediaType(m gateway.Media) string {
	k, ok := kinds[baseType(m.MIME)]
	if !ok || m.Kind == gateway.MediaFile || m.Size > k.most {
		return "document"
	}
	return k.kind
}

// baseType is a MIME type without parameters, in lower case.
func baseType(s string) string {
	typ, _, _ := strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(typ))
}

// Upload puts a file there as a stream. The id that it gets is another one each time, and lives for thirty days.
func (a *Adapter) Upload(ctx context.Context, account gateway.Credentials, m gateway.Media, body io.Reader) (gateway.Media, error) {
	who, err := parseSecret(account)
	if err != nil {
		return m, sendError(err)
	}
	switch {
	case m.Size < 1:
		return m, refuse(gateway.Permanent, "no_size", "the size of the file must be known")
	case m.Size > maxDocument:
		return m, refuse(gateway.Unsupported, "too_large", "the file is larger than WhatsApp allows")
	}
	typ, _, err := mime.ParseMediaType(m.MIME)
	if err != nil {
		typ = "application/octet-stream"
	}
	var up struct {
		ID loose `json:"id"`
	}
	call := rest.Call{
		Name: "uploadMedia", Method: http.MethodPost, Path: rest.Path(string(account.Endpoint), "media"),
		Form: url.Values{"messaging_product": {product}, "type": {typ}},
	}
	err = a.client.graph.PostFile(ctx, who.Token, rest.FilePart{Call: call, Field: "file", FileName: fileName(m, typ), MIME: typ, From: body, Size: m.Size}, &up)
	if err != nil {
		se := readError(err)
		if se.Code == codeForeignToken {
			se.Class = gateway.Unsupported // "Param file must be a file with one of the following types"
		}
		return m, se
	}
	if !mediaHandle.MatchString(string(up.ID)) {
		return m, readError(&rest.Error{Call: call.Name, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no media id")})
	}
	m.Handle = string(up.ID)
	return m, nil
}

// fileName is never empty: a part without one is no file (RFC 7578 §4.2).
func fileName(m gateway.Media, typ string) string {
	if name := strings.TrimSpace(cut(m.Name, maxFilename)); name != "" {
		return name
	}
	if ext, err := mime.ExtensionsByType(typ); err == nil && len(ext) > 0 {
		return "file" + ext[0]
	}
	return "file"
}

// Fetch opens a file in two steps: its address, then its bytes, by the token. The address lives for five minutes; one that is over when we
// come is asked for once more.
func (a *Adapter) Fetch(ctx context.Context, account gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	who, err := parseSecret(account)
	if err != nil {
		return nil, m, sendError(err)
	}
	if !mediaHandle.MatchString(m.Handle) {
		return nil, m, refuse(gateway.Permanent, "not_found", "this is no file of WhatsApp")
	}
	for again := false; ; again = true {
		info, err := a.client.mediaInfo(ctx, who.Token, account.Endpoint, m.Handle)
		if err != nil {
			return nil, m, readError(err)
		}
		body, err := a.client.download(ctx, who.Token, info.URL)
		if err != nil {
			re, ok := errors.AsType[*rest.Error](err)
			if ok && re.Status == http.StatusNotFound && !again {
				continue
			}
			return nil, m, readError(err)
		}
		if typ := baseType(first(info.MIME, body.MIME)); m.MIME == "" {
			m.MIME = typ
		}
		if size, err := strconv.ParseInt(string(info.Size), 10, 64); err == nil && size > 0 && m.Size == 0 {
			m.Size = size
		}
		if body.Size > 0 && m.Size == 0 {
			m.Size = body.Size
		}
		if sum := parseHash(info.SHA256); len(m.SHA256) == 0 {
			m.SHA256 = sum
		}
		return body, m, nil
	}
}

// mediaInfo asks where a file is. With the number the platform checks that the file belongs to it.
func (c *client) mediaInfo(ctx context.Context, token string, number gateway.Endpoint, id string) (mediaInfo, error) {
	var info mediaInfo
	_, err := c.graph.Do(ctx, token, rest.Call{
		Name: "readMedia", Method: http.MethodGet, Path: rest.Path(id), Query: url.Values{"phone_number_id": {string(number)}},
	}, &info)
	return info, err
}

// download opens an address that the API gave out. The token goes to the hosts of the list alone, and redirects away from them are not followed.
func (c *client) download(ctx context.Context, token, raw string) (*rest.Download, error) {
	const name = "downloadMedia"
	u, err := url.Parse(raw)
	if err != nil || !(graph.Hosts{Base: c.cfg.BaseURL, List: c.cfg.MediaHosts}).Allows(u) {
		return nil, &rest.Error{Call: name, Status: http.StatusNotFound, Written: true, Err: errors.New("the address is not on the list of media_hosts")}
	}
	rc, err := rest.New(c.files, u.Scheme+"://"+u.Host, c.cfg.Timeout, agent)
	if err != nil {
		return nil, &rest.Error{Call: name, Err: err}
	}
	return rc.Open(ctx, rest.Call{
		Name: name, Method: http.MethodGet, Path: u.EscapedPath(), Query: u.Query(), Header: http.Header{"Authorization": {"Bearer " + token}},
	})
}

// parseHash reads a SHA-256 in base64, as most pages have it, or in hexadecimal, as some do.
func parseHash(s string) []byte {
	if raw, err := base64.StdEncoding.DecodeString(s); err == nil && len(raw) == sha256.Size {
		return raw
	}
	if raw, err := hex.DecodeString(s); err == nil && len(raw) == sha256.Size {
		return raw
	}
	return nil
}
