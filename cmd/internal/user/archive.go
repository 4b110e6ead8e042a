package user

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// archivePage is how many messages one question asks for: Prosody gives no more at once by default.
const archivePage = 50

// Archive returns what the server keeps of the user's messages since a time, oldest first (XEP-0313); the zero time asks for
// all. It asks page by page (XEP-0059), so that any number comes.
func (c *Client) Archive(ctx context.Context, since time.Time) ([]*Stanza, error) {
	var all []*Stanza
	for after := ""; ; {
		page, last, complete, err := c.archived(ctx, since, after)
		all = append(all, page...)
		if err != nil || complete || last == "" {
			return all, err
		}
		after = last
	}
}

// archived asks for one page.
func (c *Client) archived(ctx context.Context, since time.Time, after string) (page []*Stanza, last string, complete bool, err error) {
	id := c.NewID()
	c.mu.Lock()
	c.archive[id] = nil
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.archive, id)
		c.mu.Unlock()
	}()
	xml := "<query xmlns='" + nsArchive + "' queryid='" + id + "'>"
	if !since.IsZero() {
		xml += "<x xmlns='" + nsForm + "' type='submit'><field var='FORM_TYPE' type='hidden'><value>" + nsArchive + "</value></field>" +
			"<field var='start'><value>" + since.UTC().Format("2006-01-02T15:04:05.000Z") + "</value></field></x>"
	}
	xml += "<set xmlns='" + nsRSM + "'><max>" + strconv.Itoa(archivePage) + "</max>"
	if after != "" {
		xml += "<after>" + Escape(after) + "</after>"
	}
	e, err := c.ask(ctx, id, "", "set", xml+"</set></query>")
	if err != nil {
		return nil, "", false, fmt.Errorf("user: %s: archive: %w", c.bare, err)
	}
	c.mu.Lock()
	page = c.archive[id]
	c.mu.Unlock()
	fin := e.Child(nsArchive, "fin")
	return page, fin.Child(nsRSM, "set").Child(nsRSM, "last").Text(), fin == nil || fin.Attr("complete") == "true", nil
}

// takeArchived keeps a result of a question that is open.
func (c *Client) takeArchived(e *Element) bool {
	if e.Name.Local != Message {
		return false
	}
	result := e.Child(nsArchive, "result")
	if result == nil {
		return false
	}
	if from := e.Attr("from"); from != "" && from != c.bare.String() { // XEP-0313 §4.2.1: results come from the archive that was asked
		return false
	}
	forwarded := result.Child(nsForward, "forwarded")
	inner := forwarded.Child(nsClient, Message)
	if inner == nil {
		return false
	}
	s := parseStanza(inner)
	s.ArchiveID, s.At = result.Attr("id"), time.Now()
	if t, err := time.Parse(time.RFC3339, forwarded.Child(nsDelay, "delay").Attr("stamp")); err == nil {
		s.Delay = t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := result.Attr("queryid")
	if _, open := c.archive[id]; !open {
		return false
	}
	c.archive[id] = append(c.archive[id], s)
	return true
}
