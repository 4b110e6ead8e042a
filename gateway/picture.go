package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// Avatar is what is known of a contact's picture without its bytes. The zero value is none.
type Avatar struct {
	SHA1          string // lower-case hex of the bytes, the picture's name (XEP-0084 §4.1)
	MIME          string
	Size          int // bytes
	Width, Height int
	// Of stands for the platform's handle that it was made of: the same one is not fetched again.
	Of string
}

// MarshalText writes it as short as a contact's record has to be: every contact has one.
func (a Avatar) MarshalText() ([]byte, error) {
	sum, err := hex.DecodeString(a.SHA1)
	return fmt.Appendf(nil, "%s %s %d %d %d %s", base64.RawStdEncoding.EncodeToString(sum), a.MIME, a.Size, a.Width, a.Height, a.Of), err
}

// UnmarshalText reads what MarshalText wrote.
func (a *Avatar) UnmarshalText(b []byte) error {
	var sum string
	if _, err := fmt.Sscanf(string(b), "%s %s %d %d %d %s", &sum, &a.MIME, &a.Size, &a.Width, &a.Height, &a.Of); err != nil {
		return fmt.Errorf("gateway: avatar: %w", err)
	}
	raw, err := base64.RawStdEncoding.DecodeString(sum)
	a.SHA1 = hex.EncodeToString(raw)
	return err
}

// pictureSource bounds what is fetched to make a picture of, in bytes.
const pictureSource = 8 << 20

// Errors of Picture.
var (
	// ErrNoPicture: the contact has no such picture.
	ErrNoPicture = errors.New("no such picture")
	// ErrPictureGone: the contact has the picture, but its bytes are kept no more; RecallPicture may get them.
	ErrPictureGone = errors.New("the picture is kept no more")
)

var errNoMedia = errors.New("gateway: picture: nothing here fetches media")

// Card is what a user is told of one of their contacts (XEP-0054, XEP-0292).
type Card struct {
	// Name is the contact's own; their localpart where they have none.
	Name   string
	Avatar Avatar
}

// Card returns what a visitor may know of a contact. ErrNoContact or ErrNoAccount when the contact is not theirs.
func (g *Gateway) Card(ctx context.Context, v Visitor, alias Alias) (Card, error) {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return Card{}, ErrNoAccount
	}
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return Card{}, err
	}
	g.glance(inst, a, c)
	if c.Name == "" {
		return Card{Name: string(alias), Avatar: c.Avatar}, nil
	}
	return Card{Name: c.Name, Avatar: c.Avatar}, nil
}

// Picture returns the picture of a visitor's contact with the given SHA-1. ErrNoPicture when they have another one or none,
// ErrPictureGone when its bytes are not here.
func (g *Gateway) Picture(ctx context.Context, v Visitor, alias Alias, sha1 string) (Picture, error) {
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return Picture{}, err
	}
	if sha1 == "" || c.Avatar.SHA1 != sha1 {
		return Picture{}, ErrNoPicture
	}
	return g.loadPicture(ctx, a, c.Avatar)
}

// RecallPicture is Picture for a picture that is kept no more: it asks the platform, and so takes its time.
func (g *Gateway) RecallPicture(ctx context.Context, v Visitor, alias Alias, sha1 string) (Picture, error) {
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return Picture{}, err
	}
	if err := g.lookAt(ctx, look{account: a.ID, alias: c.Alias, again: true}); err != nil {
		g.log.Debug("picture not recalled", "account", string(a.ID), "err", err)
	}
	p, err := g.Picture(ctx, v, alias, sha1)
	if errors.Is(err, ErrPictureGone) {
		return p, ErrNoPicture
	}
	return p, err
}

// Avatars yields, for one client, the pictures of all contacts that its user sees (XEP-0084 §3.2).
func (g *Gateway) Avatars(ctx context.Context, v Visitor, yield func(Rendering) error) error {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return nil
	}
	accounts, err := g.identity.Of(ctx, v.Adapter, v.User)
	if errors.Is(err, ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range accounts {
		err := g.identity.Contacts(ctx, a, func(c *Contact) error {
			if !c.Subscribed || c.Avatar.SHA1 == "" {
				return nil
			}
			return yield(Rendering{
				Component: inst.Component, From: c.Alias, Local: a.Shows(c), To: v.User, Resource: v.Resource, Lang: v.Lang, What: ShowAvatar{Avatar: c.Avatar},
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// picture makes a picture of what the platform has under a handle, and keeps it.
func (g *Gateway) picture(ctx context.Context, inst Instance, a *Account, m Media) (Picture, error) {
	media, ok := inst.Adapter.(MediaStore)
	if !ok || g.files == nil {
		return Picture{}, errNoMedia
	}
	body, told, err := media.Fetch(ctx, a.Credentials(), m)
	if err != nil {
		return Picture{}, err
	}
	defer body.Close()
	told.Kind = MediaFile // shown to nobody as it is: a thumbnail would be for nothing
	f, err := g.files.Spool(ctx, told, body, pictureSource)
	if err != nil {
		return Picture{}, err
	}
	defer func() { _ = f.Close() }() // only a temporary file is left over
	p, err := g.files.Picture(ctx, f)
	if err != nil {
		return Picture{}, err
	}
	name, place := g.picturePlace(a, p.SHA1)
	plain := append(fmt.Appendf(nil, "%d %d\n", p.Width, p.Height), p.Bytes...)
	change := Change{Kind: RecordPicture, Name: name, Value: a.Keys.Data.Seal(place, plain), TTL: PictureTTL}
	if err := g.store.Save(ctx, accountOwner(a.ID), change); err != nil {
		return Picture{}, fmt.Errorf("gateway: picture: save: %w", err)
	}
	return p, nil
}

func (g *Gateway) loadPicture(ctx context.Context, a *Account, about Avatar) (Picture, error) {
	name, place := g.picturePlace(a, about.SHA1)
	got, err := g.store.Load(ctx, RecordKey{accountOwner(a.ID), RecordPicture, name})
	if err != nil {
		return Picture{}, fmt.Errorf("gateway: picture: load: %w", err)
	}
	if got[0] == nil {
		return Picture{}, ErrPictureGone
	}
	plain, err := a.Keys.Data.Open(place, got[0])
	if err != nil {
		return Picture{}, err
	}
	head, data, _ := bytes.Cut(plain, []byte("\n"))
	p := Picture{Bytes: data, SHA1: about.SHA1, MIME: about.MIME}
	if _, err := fmt.Sscanf(string(head), "%d %d", &p.Width, &p.Height); err != nil {
		return Picture{}, fmt.Errorf("gateway: picture: %w", err)
	}
	return p, nil
}

// picturePlace names a picture's record: by an HMAC, since the hash of a well-known picture says whose it is.
func (g *Gateway) picturePlace(a *Account, sha1 string) (name, place string) {
	name = g.keys.Name("picture", string(a.ID), sha1)
	return name, string(accountOwner(a.ID)) + "/picture/" + name
}
