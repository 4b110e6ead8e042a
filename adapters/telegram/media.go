package telegram

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// Fetch opens what a message or a profile named: getFile, then /file/bot<token>/<file_path>. Of name and type the answer says nothing
// that is true.
func (a *Adapter) Fetch(ctx context.Context, account gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	who, err := parseSecret(account)
	if err != nil {
		return nil, m, sendError(err)
	}
	if !fileID.MatchString(m.Handle) {
		return nil, m, refuse(gateway.Permanent, codeStale, "this is no file of Telegram")
	}
	if m.Size > maxDownload {
		return nil, m, tooBig()
	}
	var at filePath
	if err := a.client.do(ctx, who.Token, "getFile", params{"file_id": m.Handle}, &at); err != nil {
		se := readError(err)
		if se.Code == codeTooBig {
			return nil, m, tooBig()
		}
		return nil, m, se
	}
	// A local server names a place on its own disk, which is not ours to read.
	if at.Path == "" || strings.HasPrefix(at.Path, "/") {
		return nil, m, refuse(gateway.Permanent, codeStale, "the server gives no file")
	}
	segments := append([]string{"file", "bot" + who.Token}, strings.Split(at.Path, "/")...)
	body, err := a.client.rest.Open(ctx, rest.Call{Name: "download", Method: http.MethodGet, Path: rest.Path(segments...)})
	if err != nil {
		return nil, m, readError(err)
	}
	if typ, _, err := mime.ParseMediaType(body.MIME); err == nil && m.MIME == "" {
		m.MIME = typ
	}
	if m.Size == 0 {
		m.Size = max(body.Size, at.Size, 0)
	}
	return body, m, nil
}

// tooBig says what getFile would: "the maximum file size to download is 20 MB".
func tooBig() error {
	return &gateway.FileError{Reason: gateway.FileTooLarge, Max: maxDownload}
}

// Upload is not for Telegram, where a file has no place before its message: SendMedia takes it.
func (a *Adapter) Upload(_ context.Context, _ gateway.Credentials, m gateway.Media, _ io.Reader) (gateway.Media, error) {
	return m, refuse(gateway.Unsupported, "media", "a file goes with its message")
}

// Profile reads a person's name and the picture that they show to everybody.
func (a *Adapter) Profile(ctx context.Context, account gateway.Credentials, contact gateway.ContactID) (gateway.Profile, error) {
	c, err := a.person(ctx, account, string(contact))
	if err != nil {
		return gateway.Profile{}, err
	}
	who, err := parseSecret(account)
	if err != nil {
		return gateway.Profile{}, sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	out := gateway.Profile{Name: fullName(c.FirstName, c.LastName)}
	var p profilePhotos
	err = a.client.do(ctx, who.Token, "getUserProfilePhotos", params{"user_id": json.Number(contact), "limit": 1}, &p)
	switch se := readErrorOf(err); {
	case se != nil && se.Class == gateway.Permanent: // hidden
	case se != nil:
		return gateway.Profile{}, se
	case len(p.Photos) > 0 && len(p.Photos[0]) > 0:
		if m, ok := largest(p.Photos[0]).(gateway.Media); ok {
			out.Avatar = m
		}
	}
	if out.Avatar.Handle == "" && c.Photo != nil && fileID.MatchString(c.Photo.BigFileID) {
		out.Avatar = gateway.Media{Kind: gateway.MediaImage, Handle: c.Photo.BigFileID, MIME: "image/jpeg"}
	}
	return out, nil
}

func readErrorOf(err error) *gateway.SendError {
	if err == nil {
		return nil
	}
	return readError(err)
}
