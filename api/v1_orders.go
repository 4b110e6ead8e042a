package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// StopView is why an adapter is stopped.
type StopView struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// StopOrder stops an adapter; Reason is what users are told.
type StopOrder struct {
	Reason string `json:"reason"`
}

// BlockOrder blocks a user or a domain; Reason is what they are told.
type BlockOrder struct {
	JID    string `json:"jid"`
	Reason string `json:"reason"`
}

// BlocksView lists who is blocked.
type BlocksView struct {
	Items []BlockView `json:"items"`
	Next  string      `json:"next,omitempty"`
}

// BlockView is one of them.
type BlockView struct {
	JID    string    `json:"jid"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// ProvedView is where a deed stands in the audit log; Salt proves that the line is about this user or domain, and is kept nowhere else.
type ProvedView struct {
	Line int64  `json:"line"`
	Salt string `json:"salt"`
}

func (v v1) stopAdapter(r *http.Request) (any, error) {
	var order StopOrder
	if err := decode(r, &order); err != nil {
		return nil, err
	}
	return nil, v.StopAdapter(r.Context(), token(r).Name, gateway.AdapterID(chi.URLParam(r, "name")), order.Reason)
}

func (v v1) startAdapter(r *http.Request) (any, error) {
	return nil, v.StartAdapter(r.Context(), token(r).Name, gateway.AdapterID(chi.URLParam(r, "name")))
}

func (v v1) block(r *http.Request) (any, error) {
	var order BlockOrder
	if err := decode(r, &order); err != nil {
		return nil, err
	}
	return answered(v.Block(r.Context(), token(r).Name, order.JID, order.Reason))
}

func (v v1) unblock(r *http.Request) (any, error) {
	who, err := url.PathUnescape(chi.URLParam(r, "jid"))
	if err != nil {
		return nil, &wrong{"jid", "It is not percent-encoded as it should be.", true}
	}
	return answered(v.Unblock(r.Context(), token(r).Name, who))
}

// answered keeps an answer that came with an error from being one.
func answered[T any](got T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return got, nil
}

func (v v1) blocks(r *http.Request) (any, error) {
	q, err := query(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	n, err := pageSize(q)
	if err != nil {
		return nil, err
	}
	all := v.Orders.Blocks()
	if after := q.Get("after"); after != "" { // one that was taken back meanwhile has left its place behind
		at, found := slices.BinarySearchFunc(all, after, func(b gateway.Block, who string) int { return strings.Compare(b.Who, who) })
		if found {
			at++
		}
		all = all[at:]
	}
	out := BlocksView{Items: []BlockView{}}
	for _, b := range all[:min(n, len(all))] {
		out.Items = append(out.Items, BlockView{b.Who, b.Reason, b.By, b.At})
	}
	if len(all) > n {
		out.Next = all[n-1].Who
	}
	return out, nil
}
