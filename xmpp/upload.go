package xmpp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

const (
	nsUpload = "urn:xmpp:http:upload:0" // XEP-0363

	uploadPatience  = 10 * time.Second // for everything that is asked about a host's upload service
	slotPatience    = 5 * time.Second  // for a slot in the component's own name
	uploadMemory    = time.Hour        // how long a service that was found is believed in
	uploadForgets   = time.Minute      // how long one that was not found is
	maxUploadItems  = 32               // items of a server that are asked
	maxSlotURL      = 4000             // bytes of a slot's addresses
	maxUploadHosts  = 64               // hosts of users with a service of their own
	maxHeaderLength = 4000
)

// uploadService is where a host's users upload files; the zero jid means nowhere.
type uploadService struct {
	jid   JID
	max   int64 // bytes; 0 is not said
	until time.Time
}

// uploads remembers the upload services of one stream.
type uploads struct {
	mu     sync.Mutex
	stream *stream
	hosts  map[string]uploadService
}

// Slot asks the user's server for a place to upload to: in the user's name where
// that is granted, since the file is for them and counts on their quota, else in
// the component's own (XEP-0363 §5). gateway.ErrElsewhere when the component is
// not connected here.
func (c *Component) Slot(ctx context.Context, r gateway.SlotRequest) (gateway.Slot, error) {
	live := c.live.Load()
	if live == nil {
		return gateway.Slot{}, gateway.ErrElsewhere
	}
	user, err := ParseJID(string(r.To.User))
	if err != nil || !c.serves(user) {
		return gateway.Slot{}, fmt.Errorf("%w: not a user of ours", gateway.ErrNoSlot)
	}
	service := c.uploadService(ctx, live.stream, user.Domain())
	switch {
	case service.jid.IsZero():
		return gateway.Slot{}, fmt.Errorf("%w: the server has no upload service", gateway.ErrNoSlot)
	case service.max > 0 && r.Size > service.max:
		return gateway.Slot{}, fmt.Errorf("%w: %d bytes are more than the server takes, %d", gateway.ErrNoSlot, r.Size, service.max)
	}
	ask := func() *Element {
		return NewElement(nsUpload, "request", "filename", r.Name, "size", strconv.FormatInt(r.Size, 10), "content-type", r.MIME)
	}
	as := "user"
	el, err := c.privilegedTo(ctx, user, service.jid, "get", ask())
	if err != nil {
		as = "component"
		if !errors.Is(err, errNotGranted) {
			c.log.Debug("no upload slot in the user's name", "error", err.Error())
		}
		own, cancel := context.WithTimeoutCause(ctx, slotPatience, fmt.Errorf("no answer in %v", slotPatience))
		defer cancel()
		el, err = live.stream.iq(own, NewIQ(c.self, service.jid, "get", ask()))
	}
	if err != nil {
		return gateway.Slot{}, fmt.Errorf("%w: %w", gateway.ErrNoSlot, err)
	}
	c.log.Debug("upload slot", "as", as)
	return readSlot(el)
}

// readSlot reads a slot; only the three headers that a PUT may carry are kept,
// without line ends (XEP-0363 §5).
func readSlot(el *Element) (gateway.Slot, error) {
	slot := el.Child(nsUpload, "slot")
	put := slot.Child(nsUpload, "put")
	out := gateway.Slot{Put: put.Attr("url"), Get: slot.Child(nsUpload, "get").Attr("url"), Header: make(map[string]string)}
	if out.Put == "" || out.Get == "" || len(out.Put) > maxSlotURL || len(out.Get) > maxSlotURL {
		return gateway.Slot{}, fmt.Errorf("%w: the answer names no addresses", gateway.ErrNoSlot)
	}
	for _, h := range put.ChildrenNamed(nsUpload, "header") {
		value := strings.NewReplacer("\r", "", "\n", "").Replace(h.Text())
		for _, name := range []string{"Authorization", "Cookie", "Expires"} {
			if strings.EqualFold(strings.TrimSpace(h.Attr("name")), name) && len(value) <= maxHeaderLength {
				out.Header[name] = value
			}
		}
	}
	return out, nil
}

// uploadService returns where users of a host upload, asking at most once for a
// while and stream.
func (c *Component) uploadService(ctx context.Context, s *stream, host string) uploadService {
	c.uploads.mu.Lock()
	if c.uploads.stream != s || len(c.uploads.hosts) > maxUploadHosts {
		c.uploads.stream, c.uploads.hosts = s, make(map[string]uploadService)
	}
	known, ok := c.uploads.hosts[host]
	c.uploads.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, uploadPatience)
	defer cancel()
	found := c.findUpload(ctx, s, host)
	found.until = time.Now().Add(uploadMemory)
	if found.jid.IsZero() {
		if host != c.server.Domain() { // a virtual host may share the service of the main one
			if found = c.findUpload(ctx, s, c.server.Domain()); !found.jid.IsZero() {
				found.until = time.Now().Add(uploadMemory)
			}
		}
		if found.jid.IsZero() {
			found.until = time.Now().Add(uploadForgets)
		}
	}
	c.uploads.mu.Lock()
	defer c.uploads.mu.Unlock()
	if c.uploads.stream == s {
		c.uploads.hosts[host] = found
	}
	return found
}

// findUpload asks a host and what it lists for the feature (XEP-0363 §4).
func (c *Component) findUpload(ctx context.Context, s *stream, host string) uploadService {
	at, err := ParseJID(host)
	if err != nil {
		return uploadService{}
	}
	asked := []JID{at}
	items, err := s.iq(ctx, NewIQ(c.self, at, "get", NewElement(nsDiscoItems, "query")))
	if err != nil {
		c.log.Debug("the server's services are not known", "host", host, "error", err.Error())
	}
	for _, item := range items.Child(nsDiscoItems, "query").ChildrenNamed(nsDiscoItems, "item") {
		j, err := ParseJID(item.Attr("jid"))
		if err == nil && j.Local() == "" && item.Attr("node") == "" && j != c.self && len(asked) < maxUploadItems {
			asked = append(asked, j)
		}
	}
	for _, j := range asked {
		info, err := s.iq(ctx, NewIQ(c.self, j, "get", NewElement(nsDiscoInfo, "query")))
		if err != nil {
			continue
		}
		if found, ok := readUpload(j, info.Child(nsDiscoInfo, "query")); ok {
			return found
		}
	}
	return uploadService{}
}

// readUpload tells whether a disco#info is that of an upload service, and how
// large a file it takes.
func readUpload(j JID, info *Element) (uploadService, bool) {
	found := false
	for _, f := range info.ChildrenNamed(nsDiscoInfo, "feature") {
		found = found || f.Attr("var") == nsUpload
	}
	out := uploadService{jid: j}
	for _, x := range info.ChildrenNamed(nsForm, "x") {
		ours := false
		var most int64
		for _, f := range x.ChildrenNamed(nsForm, "field") {
			value := strings.TrimSpace(f.Child(nsForm, "value").Text())
			switch f.Attr("var") {
			case "FORM_TYPE":
				ours = value == nsUpload
			case "max-file-size":
				if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
					most = n
				}
			}
		}
		if ours {
			out.max = most
		}
	}
	return out, found
}
