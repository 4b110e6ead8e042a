package media

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"postern/gateway"
)

// Fetch implements gateway.Files. m.Handle is the URL that a user's client wrote; a size or hash beside it must be true.
func (f *Files) Fetch(ctx context.Context, m gateway.Media, limit int64) (gateway.File, error) {
	limit = f.most(limit)
	u, err := f.guard.parse(m.Handle)
	if err != nil {
		return nil, err
	}
	if m.Size > limit {
		return nil, tooLarge(limit)
	}
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.leave()
	got, err := f.fetch(ctx, u, m, limit)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return got, nil
}

func (f *Files) fetch(ctx context.Context, u *url.URL, m gateway.Media, limit int64) (*file, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	u.Fragment, u.RawFragment = "", ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, because(gateway.FileForbidden, "malformed address")
	}
	req.Header = headers()
	resp, err := f.getter.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := answered(resp); err != nil {
		return nil, err
	}
	if resp.ContentLength > limit { // -1 is unknown
		return nil, tooLarge(limit)
	}
	if m.Name == "" {
		m.Name = path.Base(u.Path)
	}
	if m.MIME == "" {
		m.MIME = resp.Header.Get("Content-Type")
	}
	w := f.cfg.pace.watch(stop)
	defer w.end()
	got, err := f.take(ctx, m, resp.Body, limit, w)
	switch {
	case err == nil && m.Size > 0 && m.Size != got.media.Size:
		_ = got.Close()
		return nil, because(gateway.FileBroken, "%d bytes, announced %d", got.media.Size, m.Size)
	case err == nil:
		return got, nil
	case w.slow.Load():
		return nil, because(gateway.FileAway, "too slow")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, because(gateway.FileBroken, "ended before its announced length")
	default:
		return nil, err
	}
}

// answered says whether a response is the file that was asked for.
func answered(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return because(gateway.FileAway, "status %d", code)
	case code >= 400:
		return because(gateway.FileGone, "status %d", code)
	default:
		return because(gateway.FileBroken, "status %d", code)
	}
	// identity was asked for. What a coding unpacks to has no limit that can be known before (RFC 9110 §8.4).
	if coding := strings.Join(resp.Header.Values("Content-Encoding"), ","); coding != "" && !strings.EqualFold(coding, "identity") {
		return because(gateway.FileBroken, "content coding")
	}
	return nil
}
