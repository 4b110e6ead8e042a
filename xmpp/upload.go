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

	uploadPatience  = 2 * time.Second // for each thing that is asked about a host's upload service
	slotPatience    = 5 * time.Second // for a slot in the component's own name
	uploadMemory    = time.Hour       // how long a service that was found is believed in
	uploadForgets   = time.Minute     // how long one that was not found is
	maxUploadItems  = 32              // items of a server that are asked
	maxSlotURL      = 4000            // bytes of a slot's addresses
	maxUploadHosts  = 64              // hosts of users with a service of their own
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
	asking map[string]*uploadQuestion
}

// Slot asks the user's server for a place to upload to: in the user's name where
// that is granted, since the file is for them and counts on their quota, else in
// the component's own (XEP-0363 §5). gateway.ErrElsewhere when the component is
// not connected here, or not to the end; another error when the server did not say
// no, so that a later try may work.
func (c *Component) Slot(ctx context.Context, r gateway.SlotRequest) (gateway.Slot, error) {
	live := c.live.Load()
	if live == nil {
		return gateway.Slot{}, gateway.ErrElsewhere
	}
	user, err := ParseJID(string(r.To.User))
	if err != nil || !c.serves(user) {
		return gateway.Slot{}, fmt.Errorf("%w: not a user of ours", gateway.ErrNoSlot)
	}
	service, err := c.uploadService(ctx, live.stream, user.Domain())
	switch {
	case err != nil:
		return gateway.Slot{}, err
	case service.jid.IsZero():
		return gateway.Slot{}, fmt.Errorf("%w: the server has no upload service", gateway.ErrNoSlot)
	case service.max > 0 && r.Size > service.max:
		return gateway.Slot{}, slotTooLarge(service.max)
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
		el, err = c.askUpload(ctx, live.stream, service.jid, slotPatience, ask())
	}
	if err != nil {
		return gateway.Slot{}, slotRefused(err, service.max)
	}
	c.log.Debug("upload slot", "as", as)
	return readSlot(el)
}

// askUpload asks for something that tells of files. What is neither an answer nor
// a timeout is the end of the stream: gateway.ErrElsewhere.
func (c *Component) askUpload(ctx context.Context, s *stream, to JID, patience time.Duration, payload *Element) (*Element, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer in %v", patience))
	defer cancel()
	el, err := s.iq(ctx, NewIQ(c.self, to, "get", payload))
	var refused *StanzaError
	if err == nil || errors.As(err, &refused) || ctx.Err() != nil {
		return el, err
	}
	return nil, fmt.Errorf("%w: %w", gateway.ErrElsewhere, err)
}

// saysNo reports whether an error is a server's last word, rather than that it may
// answer otherwise later (RFC 6120 §8.3.2, wait) or gave no answer.
func saysNo(err error) bool {
	var refused *StanzaError
	return errors.As(err, &refused) && refused.Type != "wait"
}

// slotRefused is what the failure of a request for a slot means; most is what the
// service takes as far as it said so.
func slotRefused(err error, most int64) error {
	var refused *StanzaError
	switch {
	case !saysNo(err):
		return fmt.Errorf("xmpp: upload: slot: %w", err)
	case errors.As(err, &refused) && refused.App.Is(nsUpload, "file-too-large"): // XEP-0363 §5
		if n, err := strconv.ParseInt(strings.TrimSpace(refused.App.Child(nsUpload, "max-file-size").Text()), 10, 64); err == nil && n > 0 {
			most = n
		}
		return slotTooLarge(most)
	}
	return fmt.Errorf("%w: %w", gateway.ErrNoSlot, err)
}

func slotTooLarge(most int64) error {
	return &gateway.FileError{Reason: gateway.FileTooLarge, Max: most, Err: fmt.Errorf("%w: more bytes than the server takes", gateway.ErrNoSlot)}
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
