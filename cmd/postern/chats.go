package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"postern/api"
)

type invitesCmd struct {
	List   invitesListCmd   `cmd:"" help:"List the invites that a user has given out and that are not over."`
	Revoke invitesRevokeCmd `cmd:"" help:"Make one open nothing any more; who has come with it stays a contact."`
}

type invitesListCmd struct {
	remote
	JID string `arg:"" name:"jid" help:"Bare JID of the user."`
}

// Run lists invites, the oldest first.
func (c *invitesListCmd) Run(ctx context.Context, io *console) error {
	all := []api.InviteView{}
	for q := (url.Values{}); ; {
		var page api.InvitesView
		if err := c.call(ctx, http.MethodGet, userPath(c.JID, "/invites?"+q.Encode()), nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("after", page.Next)
	}
	t := table{{"ID", "ADAPTER", "ACCOUNT", "MADE", "UNTIL", "TAKEN"}}
	for _, i := range all {
		t = append(t, []string{string(i.ID), string(i.Adapter), string(i.Account), moment(i.Made), moment(i.Until), map[bool]string{true: "yes", false: "no"}[i.Taken]})
	}
	return c.print(io, all, t)
}

type invitesRevokeCmd struct {
	remote
	JID string `arg:"" name:"jid" help:"Bare JID of the user."`
	ID  string `arg:"" name:"id" help:"As postern invites list shows it."`
}

// Run revokes an invite, and prints where that stands in the audit log.
func (c *invitesRevokeCmd) Run(ctx context.Context, io *console) error {
	var got api.ProvedView
	if err := c.call(ctx, http.MethodDelete, userPath(c.JID, "/invites/"+url.PathEscape(c.ID)), nil, &got); err != nil {
		return err
	}
	return c.print(io, got, table{{"AUDIT LINE", "SALT OF THE AUDIT LINE"}, {fmt.Sprint(got.Line), got.Salt}})
}

type chatsCmd struct {
	remote
	JID     string `arg:"" name:"jid" help:"Bare JID of the user."`
	Account string `help:"Of this account." placeholder:"ID"`
	Max     int    `default:"1000" help:"At most so many (default: ${default})." placeholder:"N"`
}

// Help is what postern chats --help adds.
func (chatsCmd) Help() string {
	return `Shows of each chat what names it here, what its dead letters and the log know it by (CHAT), and what waits in it and
for what: neither whom it is with nor what is said. LAST FROM THEM is known only where the platform's rules depend on it.`
}

// Run lists chats, account by account.
func (c *chatsCmd) Run(ctx context.Context, io *console) error {
	q := url.Values{"limit": {strconv.Itoa(min(max(c.Max, 1), 500))}}
	if c.Account != "" {
		q.Set("account", c.Account)
	}
	all, err := listed[api.ChatView](ctx, c.remote, userPath(c.JID, "/chats"), q, c.Max)
	if err != nil {
		return err
	}
	t := table{{"ADAPTER", "ACCOUNT", "ALIAS", "CHAT", "LAST FROM THEM", "WAITING"}}
	for _, v := range all {
		var waiting []string
		for _, w := range v.Waiting {
			waiting = append(waiting, fmt.Sprintf("%d %s (%s)", w.Entries, w.Where, w.Reason))
		}
		t = append(t, []string{string(v.Adapter), string(v.Account), string(v.Alias), v.Chat, moment(v.LastInbound), dash(strings.Join(waiting, ", "))})
	}
	return c.print(io, all, t)
}
