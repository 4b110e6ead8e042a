package user

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	nsUpload = "urn:xmpp:http:upload:0"
	nsOOB    = "jabber:x:oob"
)

// File is something to share.
type File struct {
	Name, Type string
	Size       int64
	Body       io.Reader
}

// Upload puts a file on the server by its upload service (XEP-0363) and returns its address.
func (c *Client) Upload(ctx context.Context, web *http.Client, service string, f File) (url string, err error) {
	answer, err := c.IQ(ctx, service, "get", fmt.Sprintf("<request xmlns='%s' filename='%s' size='%d' content-type='%s'/>", nsUpload, Escape(f.Name), f.Size, Escape(f.Type)))
	if err != nil {
		return "", err
	}
	slot := answer.Child(nsUpload, "slot")
	if slot == nil || slot.Child(nsUpload, "put") == nil || slot.Child(nsUpload, "get") == nil {
		return "", errors.New("user: upload: got no slot")
	}
	put := slot.Child(nsUpload, "put")
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, put.Attr("url"), f.Body)
	if err != nil {
		return "", fmt.Errorf("user: upload: %w", err)
	}
	req.ContentLength = f.Size
	req.Header.Set("Content-Type", f.Type)
	for _, h := range put.Children("header") {
		req.Header.Set(h.Attr("name"), h.Text())
	}
	resp, err := web.Do(req)
	if err != nil {
		return "", fmt.Errorf("user: upload: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("user: upload: %s", resp.Status)
	}
	return slot.Child(nsUpload, "get").Attr("url"), nil
}

// Share sends an address out of band, as clients send files (XEP-0066).
func (c *Client) Share(ctx context.Context, to, url string) (id string, err error) {
	return c.SendMessage(ctx, Outgoing{To: to, Body: url, Receipt: true, OriginID: true, Extra: "<x xmlns='" + nsOOB + "'><url>" + Escape(url) + "</url></x>"})
}

// Shared returns the address that a message brings out of band, if any.
func (s *Stanza) Shared() string {
	if x := s.Element.Child(nsOOB, "x"); x != nil {
		if u := x.Child(nsOOB, "url"); u != nil {
			return u.Text()
		}
	}
	return ""
}
