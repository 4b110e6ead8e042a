package messenger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// Kinds of handles.
const (
	ofMessage = "m" // reference: message, a slash, and the number of the attachment
	ofPerson  = "p" // reference: the person
)

// handleOf names a file of the platform: whose it is, where it comes from, and its address, which is signed and ends. The address opens for
// everybody, so that it is held against the endpoint before it is used.
func handleOf(account gateway.Endpoint, kind, ref, address string) string {
	return strings.Join([]string{string(account), kind, ref, address}, " ")
}

// origin is a handle taken apart.
type origin struct {
	kind, ref, address string
}

func (a *Adapter) originOf(account gateway.Endpoint, handle string) (origin, error) {
	f := strings.SplitN(handle, " ", 4)
	if len(f) != 4 || f[0] != string(account) || f[1] != ofMessage && f[1] != ofPerson {
		return origin{}, a.refuse(gateway.Permanent, "not_found", "this is no file of the account")
	}
	return origin{f[1], f[2], f[3]}, nil
}

// Fetch opens what a message or a profile named. Its address needs no token; one that has ended is asked for once more.
func (a *Adapter) Fetch(ctx context.Context, account gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	at, err := a.originOf(account.Endpoint, m.Handle)
	if err != nil {
		return nil, m, err
	}
	body, err := a.client.hosts.Open(ctx, "download", at.address)
	if err != nil && ended(err) {
		var again string
		if again, err = a.address(ctx, account, at); err == nil {
			body, err = a.client.hosts.Open(ctx, "download", again)
		}
	}
	if err != nil {
		se := a.readError(err)
		if se.Class == gateway.ReauthNeeded && ended(err) { // of the address, not of the account
			se.Class = gateway.Permanent
		}
		return nil, m, se
	}
	if typ, _, err := mime.ParseMediaType(body.MIME); err == nil && m.MIME == "" {
		m.MIME = typ
	}
	if m.Size == 0 {
		m.Size = max(body.Size, 0)
	}
	return body, m, nil
}

// ended reports whether an address is no longer good: "URL signature expired" comes as 403 or 404, with a page of text.
func ended(err error) bool {
	re, ok := errors.AsType[*rest.Error](err)
	return ok && (re.Status == http.StatusForbidden || re.Status == http.StatusNotFound || re.Status == http.StatusGone || re.Status == http.StatusBadRequest)
}

// address asks where a file is now.
func (a *Adapter) address(ctx context.Context, account gateway.Credentials, at origin) (string, error) {
	who, err := a.parseSecret(account)
	if err != nil {
		return "", err
	}
	gone := &rest.Error{Call: "readMessage", Status: http.StatusNotFound, Written: true, Err: errors.New("the file is not there any more")}
	if at.kind == ofPerson {
		p, err := a.person(ctx, who, gateway.ContactID(at.ref))
		if err == nil && p.Picture == "" {
			err = gone
		}
		return p.Picture, err
	}
	slash := strings.LastIndexByte(at.ref, '/') // ids may have slashes of their own
	n, err := strconv.Atoi(at.ref[slash+1:])
	if err != nil || slash < 1 || !messageForm.MatchString(at.ref[:slash]) {
		return "", gone
	}
	var m kept
	if err := a.client.read(ctx, "readMessage", who.Token, at.ref[:slash], "attachments", &m); err != nil {
		return "", err
	}
	if m.Attachments == nil || n < 0 || n >= len(m.Attachments.Data) {
		return "", gone
	}
	d := m.Attachments.Data[n]
	switch {
	case d.Image != nil && d.Image.URL != "":
		return d.Image.URL, nil
	case d.Video != nil && d.Video.URL != "":
		return d.Video.URL, nil
	case d.FileURL != "":
		return d.FileURL, nil
	}
	return "", gone
}

// Upload is not for these platforms, where a file goes with its message: SendMedia takes it.
func (a *Adapter) Upload(_ context.Context, _ gateway.Credentials, m gateway.Media, _ io.Reader) (gateway.Media, error) {
	return m, a.refuse(gateway.Unsupported, "media", "a file goes with its message")
}

// Profile reads a person's name and picture, which the platform tells once they have written (User Profile API).
func (a *Adapter) Profile(ctx context.Context, account gateway.Credentials, contact gateway.ContactID) (gateway.Profile, error) {
	who, err := a.parseSecret(account)
	if err != nil {
		return gateway.Profile{}, a.sendError(err)
	}
	if !idForm.MatchString(string(contact)) {
		return gateway.Profile{}, gateway.ErrNoPerson
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	p, err := a.person(ctx, who, contact)
	switch f := faultOf(err); {
	case f == pair{codeParameter, subcodeMissing}, f.code == codeParameter, f.code == 230:
		// A guest, or one who did not consent.
		return gateway.Profile{}, fmt.Errorf("%s: %w", a.cfg.name(), gateway.ErrNoPerson)
	case err != nil:
		return gateway.Profile{}, a.readError(err)
	}
	out := gateway.Profile{Name: first(p.Name, strings.TrimSpace(p.First+" "+p.Last), p.Username)}
	if p.Picture != "" {
		// Its address is signed anew for every question: the handle has what stays, so that an unchanged picture keeps it.
		out.Avatar = gateway.Media{Kind: gateway.MediaImage, Handle: handleOf(account.Endpoint, ofPerson, string(contact), version(p.Picture))}
	}
	return out, nil
}

// version is what of a picture's address does not change while the picture does not.
func version(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

func (a *Adapter) person(ctx context.Context, who secret, contact gateway.ContactID) (person, error) {
	fields := "first_name,last_name,name,profile_pic"
	if a.cfg.Platform == Instagram {
		fields = "name,username,profile_pic"
	}
	var p person
	err := a.client.read(ctx, "readProfile", who.Token, string(contact), fields, &p)
	return p, err
}

// Reconcile looks for a message whose answer was lost in its conversation: those of ours with the same words, not older than the op. A file
// bears nothing to know it by.
func (a *Adapter) Reconcile(ctx context.Context, account gateway.Credentials, op gateway.Op) ([]gateway.Sent, error) {
	who, err := a.parseSecret(account)
	if err != nil {
		return nil, a.sendError(err)
	}
	text, ok := onlyText(op)
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	all, err := a.client.conversation(ctx, who, account.Endpoint, op.Chat.Contact)
	if err != nil {
		return nil, a.readError(err)
	}
	var out []gateway.Sent
	for _, m := range all {
		at, err := createdAt(m.Created)
		// Times of the conversation are whole seconds.
		if err == nil && m.ID != "" && string(m.From.ID) != string(op.Chat.Contact) && m.Message == text && !at.Before(op.At.Truncate(time.Second)) {
			out = append(out, gateway.Sent{IDs: []gateway.MessageID{gateway.MessageID(m.ID)}, At: at})
		}
	}
	return out, nil
}

// createdAt reads the API's times, whose zone has no colon.
func createdAt(s string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05-0700", s) }

// onlyText is what an op says when it says nothing else.
func onlyText(op gateway.Op) (string, bool) {
	b, ok := op.Body.(gateway.OpMessage)
	if !ok || len(b.Content.Parts) != 1 {
		return "", false
	}
	t, ok := b.Content.Parts[0].(gateway.Text)
	return t.Text, ok
}
