package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"postern/api"
)

type deadLettersCmd struct {
	List   lettersListCmd   `cmd:"" help:"List messages that were given up on, with the reason and without their content."`
	Replay lettersReplayCmd `cmd:"" help:"Try them once more, those of a chat in order."`
	Drop   lettersDropCmd   `cmd:"" help:"Forget them."`
}

// letterFlags choose dead letters.
type letterFlags struct {
	Adapter string `help:"Of this adapter." placeholder:"ID"`
	Account string `help:"Of this account." placeholder:"ID"`
	Where   string `help:"From there: in, out, outbox or webhook." placeholder:"PLACE"`
	Chat    string `help:"Of this chat." placeholder:"HASH"`
	Code    string `help:"With this code." placeholder:"CODE"`
}

func (f letterFlags) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"adapter": f.Adapter, "account": f.Account, "where": f.Where, "chat": f.Chat, "code": f.Code} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

type lettersListCmd struct {
	remote
	letterFlags
	Max int `default:"1000" help:"At most so many (default: ${default})." placeholder:"N"`
}

// Run lists dead letters, the oldest first in each chat.
func (c *lettersListCmd) Run(ctx context.Context, io *console) error {
	q := c.query()
	all, err := listed[api.DeadLetterView](ctx, c.remote, "/v1/dead-letters", q, c.Max)
	if err != nil {
		return err
	}
	t := table{{"ID", "ADAPTER", "WHERE", "WHAT", "DIED", "CLASS", "CODE", "REASON"}}
	for _, l := range all {
		t = append(t, []string{string(l.ID), dash(string(l.Adapter)), l.Where, dash(l.What), moment(l.Died), l.Class, dash(l.Code), dash(l.Reason)})
	}
	return c.print(io, all, t)
}

// letterChoice is ids, or what chooses many at once.
type letterChoice struct {
	remote
	letterFlags
	IDs []string `arg:"" optional:"" name:"id" help:"As postern dead-letters list shows them."`
	All bool     `help:"All there are."`
}

// each does one thing to every id, or another to all that the flags choose.
func (c *letterChoice) each(ctx context.Context, io *console, method, suffix, many string) error {
	if len(c.IDs) > 0 {
		if c.All || c.letterFlags != (letterFlags{}) {
			return errors.New("either ids, or flags that choose many")
		}
		for _, id := range c.IDs {
			part, entry, ok := strings.Cut(id, "/")
			if !ok {
				return fmt.Errorf("%s is no id of a dead letter: postern dead-letters list shows them", id)
			}
			if err := c.call(ctx, method, "/v1/dead-letters/"+url.PathEscape(part)+"/"+url.PathEscape(entry)+suffix, nil, nil); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
		_, err := fmt.Fprintln(io.out, len(c.IDs))
		return err
	}
	in := api.DeadLetterOrder{Adapter: c.Adapter, Account: c.Account, Where: c.Where, Chat: c.Chat, Code: c.Code, All: c.All}
	var got api.CountView
	if err := c.call(ctx, http.MethodPost, "/v1/dead-letters/"+many, in, &got); err != nil {
		return err
	}
	_, err := fmt.Fprintln(io.out, got.Count)
	return err
}

type lettersReplayCmd struct{ letterChoice }

// Run prints how many are tried once more.
func (c *lettersReplayCmd) Run(ctx context.Context, io *console) error {
	return c.each(ctx, io, http.MethodPost, "/replay", "replay")
}

type lettersDropCmd struct{ letterChoice }

// Run prints how many are forgotten.
func (c *lettersDropCmd) Run(ctx context.Context, io *console) error {
	return c.each(ctx, io, http.MethodDelete, "", "drop")
}
