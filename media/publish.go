package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"postern/gateway"
)

// Publish implements gateway.Files: by an upload slot of the server, else in the own store.
func (f *Files) Publish(ctx context.Context, to gateway.Recipient, src gateway.File) (gateway.Published, error) {
	m := src.Media()
	name := asciiName(m.Name)
	url, slotErr := f.upload(ctx, to, src, name)
	if slotErr == nil {
		return gateway.Published{URL: url, Until: time.Now().Add(slotUntil)}, nil
	}
	if ctx.Err() != nil {
		return gateway.Published{}, ctx.Err()
	}
	f.complain(to, m, slotErr)
	if f.store == nil {
		if fe, ok := errors.AsType[*gateway.FileError](slotErr); errors.Is(slotErr, gateway.ErrNoSlot) && (!ok || fe.Reason != gateway.FileTooLarge) {
			return gateway.Published{}, &gateway.FileError{Reason: gateway.FileNowhere, Err: slotErr}
		}
		return gateway.Published{}, slotFault(ctx, slotErr)
	}
	t, until, err := f.store.put(src, name, served(m.MIME), time.Now())
	if err != nil {
		return gateway.Published{}, fault(ctx, err)
	}
	return gateway.Published{URL: f.cfg.PublicURL + "/m/" + t + "/" + name, Until: until, Brief: true}, nil
}

// complain tells the operator why a slot was of no use. That there is no service at all is said elsewhere.
func (f *Files) complain(to gateway.Recipient, m gateway.Media, err error) {
	fe, ok := errors.AsType[*gateway.FileError](err)
	switch {
	case errors.Is(err, gateway.ErrNoSlot):
	case ok && fe.Reason == gateway.FileForbidden:
		f.log.Warn("upload service not called: a host with a private address must stand in media.internal_hosts", "adapter", to.Adapter, "err", err)
	default:
		f.log.Warn("file not uploaded", "adapter", to.Adapter, "size", m.Size, "err", err)
	}
}

// slotFault is fault for an upload, where nothing is ever gone: a server that cannot be found now may be found later.
func slotFault(ctx context.Context, err error) error {
	err = fault(ctx, err)
	if fe, ok := errors.AsType[*gateway.FileError](err); ok && fe.Reason == gateway.FileGone {
		return &gateway.FileError{Reason: gateway.FileAway, Err: fe.Err}
	}
	return err
}

// upload asks for a slot and fills it.
func (f *Files) upload(ctx context.Context, to gateway.Recipient, src gateway.File, name string) (string, error) {
	if f.slots == nil {
		return "", gateway.ErrNoSlot
	}
	m := src.Media()
	is := served(m.MIME)
	slot, err := f.slots.Slot(ctx, gateway.SlotRequest{To: to, Name: name, Size: m.Size, MIME: is})
	if err != nil {
		return "", fmt.Errorf("ask for a slot: %w", err)
	}
	if _, err := f.guard.parse(slot.Get); err != nil {
		return "", fmt.Errorf("slot: %w", err)
	}
	if err := f.enter(ctx); err != nil {
		return "", err
	}
	defer f.leave()
	return slot.Get, f.put(ctx, slot, src, is)
}

func (f *Files) put(ctx context.Context, slot gateway.Slot, src gateway.File, is string) error {
	u, err := f.guard.parse(slot.Put)
	if err != nil {
		return fmt.Errorf("slot: %w", err)
	}
	body, err := src.Open()
	if err != nil {
		return err
	}
	defer body.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := f.cfg.pace.watch(stop)
	defer w.end()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), &paced{body, w})
	if err != nil {
		return errors.New("slot: malformed address")
	}
	req.ContentLength = src.Media().Size // XEP-0363 §6: exactly what was asked for, else the server refuses
	req.Header = http.Header{"Content-Type": {is}, "User-Agent": {"Postern"}}
	for name, value := range slot.Header {
		// XEP-0363 §5: these three and no other, without line breaks.
		switch name = http.CanonicalHeaderKey(line(name)); name {
		case "Authorization", "Cookie", "Expires":
			req.Header.Set(name, line(value))
		}
	}
	resp, err := f.putter.Do(req)
	if err != nil {
		if w.slow.Load() {
			return because(gateway.FileAway, "upload too slow")
		}
		return fault(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusCreated, http.StatusOK:
		return nil
	case http.StatusRequestEntityTooLarge:
		return because(gateway.FileTooLarge, "upload: status %d", resp.StatusCode)
	}
	return because(gateway.FileAway, "upload: status %d", resp.StatusCode)
}

func line(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }

// paced is a body whose sending must move on. Reader, not Seeker: the length stands in the request.
type paced struct {
	body io.ReadCloser
	w    *watch
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	p.w.moved(n)
	if errors.Is(err, io.EOF) {
		p.w.sent()
	}
	return n, err
}

func (p *paced) Close() error { return p.body.Close() }
