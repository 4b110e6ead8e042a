package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/time/rate"

	"postern/gateway"
)

const (
	// maxBody is the most bytes of a webhook: Meta posts up to 3 MB, in batches of up to 1000 updates.
	maxBody = 4 << 20
	// maxHeld is the most bytes of all webhooks together, read and not yet answered: callers need no credentials to send some.
	maxHeld = 256 << 20
	// slotPatience is how long a webhook that was read waits for its turn.
	slotPatience = 3 * time.Second
	// retrySoon is what a platform is asked to wait after a 503.
	retrySoon = 5 * time.Second
	// retryStopped is the same for an adapter that the operator has stopped.
	retryStopped = time.Minute
	// quietFor spaces the log lines about forged webhooks: whoever sends them decides how many there are.
	quietFor = 10 * time.Second
)

// hooks is the webhook intake.
type hooks struct {
	cfg              PublicConfig
	known            map[gateway.AdapterID]bool
	reading, working chan struct{}
	loud             *rate.Sometimes
	held             atomic.Int64
}

var errBusy = errors.New("too many bytes of webhooks at once")

// counted charges what is read of a body to maxHeld.
type counted struct {
	io.Reader
	held *atomic.Int64
	mine int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.mine += int64(n)
	if c.held.Add(int64(n)) > maxHeld {
		return n, errBusy
	}
	return n, err
}

// challenge answers a platform that checks the address.
func (h *hooks) challenge(w http.ResponseWriter, r *http.Request) {
	a := gateway.AdapterID(chi.URLParam(r, "instance"))
	if !h.known[a] {
		notFound(w, r)
		return
	}
	answer, ok := h.cfg.Receiver.Challenge(a, request(r, nil))
	if !ok {
		notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(answer)
}

// receive reads the body once, raw, and answers 200 only when everything in it is durable.
func (h *hooks) receive(w http.ResponseWriter, r *http.Request) {
	a := gateway.AdapterID(chi.URLParam(r, "instance"))
	if !h.known[a] {
		notFound(w, r)
		return
	}
	select {
	case h.reading <- struct{}{}:
	default:
		h.busy(w, a)
		return
	}
	in := &counted{Reader: http.MaxBytesReader(w, r.Body, maxBody), held: &h.held}
	defer func() { h.held.Add(-in.mine) }()
	body, err := read(r, in)
	<-h.reading
	// The time that the body took is not the answer's. Who does not support deadlines has none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil {
		h.unread(w, a, err)
		return
	}
	if !h.turn(r.Context()) {
		h.busy(w, a)
		return
	}
	defer func() { <-h.working }()
	h.answer(w, r, a, h.cfg.Receiver.Receive(r.Context(), a, request(r, body)))
}

// busy refuses a webhook for now: the platform keeps it.
func (h *hooks) busy(w http.ResponseWriter, a gateway.AdapterID) {
	if h.cfg.Busy != nil {
		h.cfg.Busy(a)
	}
	refuseForNow(w, retrySoon, "Too many webhooks at once.")
}

// read returns the body, whatever the header says about its length.
func read(r *http.Request, body io.Reader) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	return io.ReadAll(body)
}

func (h *hooks) unread(w http.ResponseWriter, a gateway.AdapterID, err error) {
	var netErr net.Error
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, errBusy):
		w.Header().Set("Connection", "close")
		h.busy(w, a)
	case tooLarge:
		if h.cfg.TooLarge != nil {
			h.cfg.TooLarge(a)
		}
		w.Header().Set("Connection", "close") // the rest of the body is not read
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("A webhook has at most %d bytes.", maxBody))
	case errors.As(err, &netErr) && netErr.Timeout():
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusRequestTimeout, "The body did not arrive in time.")
	default:
		refuse(w, http.StatusBadRequest, "The body ended early.")
	}
}

// turn waits a while for a working slot.
func (h *hooks) turn(ctx context.Context) bool {
	select {
	case h.working <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(slotPatience)
	defer t.Stop()
	select {
	case h.working <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// answer turns the outcome into a status: anything unknown is 503, so that the platform keeps the webhook and tries again.
func (h *hooks) answer(w http.ResponseWriter, r *http.Request, a gateway.AdapterID, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, gateway.ErrUnverified):
		h.loud.Do(func() {
			h.cfg.Log.Warn("webhook not verified", "adapter", string(a), "from", callerBehind(r, h.cfg.TrustedProxies), "err", err)
		})
		refuse(w, http.StatusUnauthorized, "The signature does not verify, or is too old.")
	case errors.Is(err, gateway.ErrUnknownAdapter):
		notFound(w, r)
	case errors.Is(err, gateway.ErrMalformed):
		// It is kept for the operator, and so it is taken: platforms repeat what is not answered 200, hold back what comes behind
		// it, and switch off a webhook that goes on refusing.
		h.cfg.Log.Warn("webhook not understood", "adapter", string(a), "err", err)
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, gateway.ErrStopped):
		refuseForNow(w, retryStopped, "The gateway is stopped for this platform: send it again later.")
	default:
		h.cfg.Log.Warn("webhook not stored", "adapter", string(a), "err", err)
		refuseForNow(w, retrySoon, "The gateway cannot store this now.")
	}
}

// request is what an adapter sees of a call. A token in the path counts as the query parameter "token".
func request(r *http.Request, body []byte) gateway.Request {
	q := r.URL.Query()
	if token := chi.URLParam(r, "token"); token != "" {
		q.Set("token", token)
	}
	return gateway.Request{Method: r.Method, Query: q, Header: r.Header, Body: body, Now: time.Now().Unix()}
}
