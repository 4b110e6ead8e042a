package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"postern/gateway"
)

// Tokens tells what a bearer token stands for; *gateway.Tokens is one.
type Tokens interface {
	// Check returns gateway.ErrToken for what is none.
	Check(ctx context.Context, secret string) (gateway.Token, error)
	// Still returns gateway.ErrToken when what Check returned is over by now.
	Still(ctx context.Context, t gateway.Token) error
}

const (
	// Who sends this many wrong tokens at once waits, and gets another try every so often.
	wrongBurst = 10
	wrongEvery = 6 * time.Second
	// maxCallers is how many addresses with wrong tokens are remembered.
	maxCallers = 4096
)

// Guard asks for a bearer token (RFC 6750) whose role may do what a route needs. There is one for all who ask for tokens, so that an
// address has its wrong ones counted together.
type Guard struct {
	Tokens
	proxies func() []netip.Prefix
	log     *slog.Logger

	mu    sync.Mutex
	wrong map[string]*rate.Limiter
}

// NewGuard returns a guard that nobody has sent a wrong token yet. The proxies may name the caller's address in X-Forwarded-For, so that one
// caller behind them does not lock out all others; nil is none.
func NewGuard(tokens Tokens, proxies func() []netip.Prefix, log *slog.Logger) *Guard {
	return &Guard{Tokens: tokens, proxies: proxies, log: log, wrong: map[string]*rate.Limiter{}}
}

// ErrTired: so many wrong tokens came from an address that it has to wait.
var ErrTired = errors.New("api: too many wrong tokens came from this address")

// Admit returns what a secret stands for: gateway.ErrToken for nothing, ErrTired when the address that it comes from has to wait.
func (g *Guard) Admit(r *http.Request, secret string) (gateway.Token, error) {
	from := callerBehind(r, g.proxies)
	if g.tired(from) {
		return gateway.Token{}, ErrTired
	}
	t, err := g.Check(r.Context(), secret)
	if errors.Is(err, gateway.ErrToken) {
		g.count(from)
	}
	return t, err
}

type tokenKey struct{}

// token is who sent a request that the guard let through.
func token(r *http.Request) gateway.Token {
	t, _ := r.Context().Value(tokenKey{}).(gateway.Token)
	return t
}

// needs lets requests through whose token has at least a role.
func (g *Guard) needs(role gateway.Role) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if g.tired(callerBehind(r, g.proxies)) {
				tooMany(w)
				return
			}
			scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if !strings.EqualFold(scheme, "Bearer") || secret == "" {
				w.Header().Set("WWW-Authenticate", `Bearer realm="postern"`)
				refuse(w, http.StatusUnauthorized, "This needs a token: \"Authorization: Bearer ...\"; postern token create makes one.")
				return
			}
			t, err := g.Admit(r, secret)
			switch {
			case errors.Is(err, ErrTired):
				tooMany(w)
			case errors.Is(err, gateway.ErrToken):
				w.Header().Set("WWW-Authenticate", `Bearer realm="postern", error="invalid_token"`)
				refuse(w, http.StatusUnauthorized, "The token is unknown or over.")
			case err != nil:
				g.log.Warn("token not checked", "err", err)
				refuseForNow(w, retrySoon, "Tokens cannot be checked now.")
			case !t.Role.May(role):
				w.Header().Set("WWW-Authenticate", `Bearer realm="postern", error="insufficient_scope"`)
				refuse(w, http.StatusForbidden, "This needs the role "+string(role)+".")
			default:
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, t)))
			}
		})
	}
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "60")
	refuse(w, http.StatusTooManyRequests, "Too many wrong tokens came from this address.")
}

// tired reports whether an address has sent too many wrong tokens.
func (g *Guard) tired(from string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.wrong[from]
	return l != nil && l.Tokens() < 1
}

// count notes a wrong token.
func (g *Guard) count(from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.wrong[from]
	if l == nil {
		for other := range g.wrong { // any one: memory stays bounded
			if len(g.wrong) < maxCallers {
				break
			}
			delete(g.wrong, other)
		}
		l = rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)
		g.wrong[from] = l
	}
	l.Allow()
}
