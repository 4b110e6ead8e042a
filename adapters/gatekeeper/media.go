package gatekeeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// mediaHandle is the document's MediaID.
var mediaHandle = regexp.MustCompile(`^med_[A-Za-z0-9]{1,60}$`)

var mediaType = regexp.MustCompile(`^[a-z]+/[A-Za-z0-9.+-]{1,100}$`)

// Fetch opens what a message or a profile named (GET /v1/media/{id}/content). What the answer says of type and size is a hint.
func (a *Adapter) Fetch(ctx context.Context, account gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	who, err := parsePerson(account)
	if err != nil {
		return nil, m, sendError(err)
	}
	if !mediaHandle.MatchString(m.Handle) {
		return nil, m, refuse(gateway.Permanent, "not_found", "this is no file of the gatekeeper")
	}
	call := rest.Call{Name: "downloadMedia", Method: http.MethodGet, Path: rest.Path("v1", "media", m.Handle, "content")}
	var body *rest.Download
	err = a.client.authorized(ctx, who, call, func(signed rest.Call) error {
		var err error
		body, err = a.client.rest.Open(ctx, signed)
		return err
	})
	if err != nil {
		return nil, m, readError(err)
	}
	if typ, _, err := mime.ParseMediaType(body.MIME); err == nil && m.MIME == "" {
		m.MIME = typ
	}
	if body.Size > 0 && m.Size == 0 {
		m.Size = body.Size
	}
	return body, m, nil
}

// readError is for calls that change nothing: to try again is always right.
func readError(err error) *gateway.SendError {
	se := sendError(err)
	if se.Class == gateway.Uncertain {
		se.Class = gateway.Retryable
	}
	return se
}

// Upload puts a file there as a stream: a slot, then its bytes. The slot's Idempotency-Key follows from the file and the user, so
// that the same file gives the same media id again, and an op that is sent once more is the same op. Size and SHA256 must be known.
func (a *Adapter) Upload(ctx context.Context, account gateway.Credentials, m gateway.Media, body io.Reader) (gateway.Media, error) {
	who, err := parsePerson(account)
	if err != nil {
		return m, sendError(err)
	}
	if m.Size < 1 || len(m.SHA256) != sha256.Size {
		return m, refuse(gateway.Permanent, "no_size", "size and sha256 of the file must be known")
	}
	if err := a.takesFile(m); err != nil {
		return m, err
	}
	typ, _, err := mime.ParseMediaType(m.MIME)
	if err != nil || !mediaType.MatchString(typ) {
		typ = "application/octet-stream"
	}
	m.MIME = typ
	in := mediaCreate{Type: typ, Size: m.Size, SHA256: hex.EncodeToString(m.SHA256), Name: cut(m.Name, 255)}
	var slot mediaSlot
	create := rest.Call{
		Name: "createMedia", Method: http.MethodPost, Path: rest.Path("v1", "media"), Body: in,
		Header: derivedKey("media", string(account.Endpoint), in.Type, strconv.FormatInt(in.Size, 10), in.SHA256, in.Name),
	}
	if err := a.client.do(ctx, who, create, &slot); err != nil {
		return m, readError(err)
	}
	if slot.MediaID == "" {
		return m, sendError(&rest.Error{Call: create.Name, Status: http.StatusCreated, Written: true, Err: errors.New("answer holds no media_id")})
	}
	put := rest.Call{Name: "uploadMedia", Method: http.MethodPut, Path: rest.Path("v1", "media", slot.MediaID, "content")}
	sent := false
	var object mediaObject
	err = a.client.authorized(ctx, who, put, func(signed rest.Call) error {
		if sent { // a stream cannot be read twice
			return &rest.Error{Call: put.Name, Err: errors.New("the token was refused while the file was sent")}
		}
		sent = true
		return a.client.rest.Put(ctx, rest.Upload{Call: signed, From: body, Size: m.Size, MIME: "application/octet-stream"}, &object)
	})
	if err != nil {
		return m, readError(err)
	}
	m.Handle = slot.MediaID
	return m, nil
}

// takesFile refuses before any I/O what the directory does not take.
func (a *Adapter) takesFile(m gateway.Media) error {
	caps := a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	switch {
	case !caps.Has(gateway.FeatureMedia):
		return refuse(gateway.Unsupported, string(gateway.FeatureMedia), "not offered here")
	case caps.MediaMax > 0 && m.Size > caps.MediaMax:
		return refuse(gateway.Unsupported, "too_large", "the file is larger than the gatekeeper allows")
	case len(caps.MediaTypes) > 0 && !takesType(caps.MediaTypes, m.MIME):
		return refuse(gateway.Unsupported, "unsupported_type", "the gatekeeper does not take files of this type")
	}
	return nil
}

// takesType says whether a type is among others, where "image/*" stands for all images.
func takesType(types []string, typ string) bool {
	typ, _, _ = strings.Cut(typ, ";")
	major, _, _ := strings.Cut(typ, "/")
	for _, t := range types {
		if strings.EqualFold(t, typ) || strings.EqualFold(t, major+"/*") {
			return true
		}
	}
	return false
}
