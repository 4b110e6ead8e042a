package xmpp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// uploadQuestion is a search for a host's service that is under way: done is closed
// when found or err is there. Others who want to know wait for it.
type uploadQuestion struct {
	done  chan struct{}
	found uploadService
	err   error
}

// uploadService returns where users of a host upload, asking at most once for a
// while and stream, and once at a time. A search in which something did not answer
// and nothing was found is an error, and is not remembered.
func (c *Component) uploadService(ctx context.Context, s *stream, host string) (uploadService, error) {
	for {
		known, q, mine := c.uploads.look(s, host)
		switch {
		case q == nil:
			return known, nil
		case mine:
			q.found, q.err = c.searchUpload(ctx, s, host)
			c.uploads.learn(s, host, q)
			return q.found, q.err
		}
		select {
		case <-q.done:
			if !errors.Is(q.err, context.Canceled) && !errors.Is(q.err, context.DeadlineExceeded) {
				return q.found, q.err
			} // whoever asked gave up: once more
		case <-ctx.Done():
			return uploadService{}, fmt.Errorf("xmpp: upload: %w", context.Cause(ctx))
		}
	}
}

// look returns what is known of a host, else the question about it, and whether
// it is the caller's to find out.
func (u *uploads) look(s *stream, host string) (known uploadService, q *uploadQuestion, mine bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stream != s {
		u.stream, u.hosts, u.asking = s, make(map[string]uploadService), make(map[string]*uploadQuestion)
	}
	if known, ok := u.hosts[host]; ok && time.Now().Before(known.until) {
		return known, nil, false
	}
	if q := u.asking[host]; q != nil {
		return uploadService{}, q, false
	}
	q = &uploadQuestion{done: make(chan struct{})}
	u.asking[host] = q
	return uploadService{}, q, true
}

// learn ends a question.
func (u *uploads) learn(s *stream, host string, q *uploadQuestion) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stream == s && u.asking[host] == q {
		delete(u.asking, host)
		if q.err == nil {
			q.found.until = time.Now().Add(uploadMemory)
			if q.found.jid.IsZero() {
				q.found.until = time.Now().Add(uploadForgets)
			}
			if len(u.hosts) >= maxUploadHosts {
				clear(u.hosts) // it costs one more search each
			}
			u.hosts[host] = q.found
		}
	}
	close(q.done)
}

// searchUpload asks a host, and the main one, whose service a virtual host may share.
func (c *Component) searchUpload(ctx context.Context, s *stream, host string) (uploadService, error) {
	found, err := c.findUpload(ctx, s, host)
	if !found.jid.IsZero() || host == c.server.Domain() || ctx.Err() != nil {
		return found, err
	}
	found, err2 := c.findUpload(ctx, s, c.server.Domain())
	if !found.jid.IsZero() {
		return found, nil
	}
	return found, errors.Join(err, err2)
}

// findUpload asks a host and what it lists for the feature (XEP-0363 §4), all at
// once: something that does not answer costs the others nothing.
func (c *Component) findUpload(ctx context.Context, s *stream, host string) (uploadService, error) {
	at, err := ParseJID(host)
	if err != nil {
		return uploadService{}, nil
	}
	asked := []JID{at}
	items, err := c.askUpload(ctx, s, at, uploadPatience, NewElement(nsDiscoItems, "query"))
	if saysNo(err) {
		c.log.Debug("the server's services are not known", "host", host, "error", err.Error())
		err = nil
	}
	for _, item := range items.Child(nsDiscoItems, "query").ChildrenNamed(nsDiscoItems, "item") {
		j, err := ParseJID(item.Attr("jid"))
		if err == nil && j.Local() == "" && item.Attr("node") == "" && j != c.self && len(asked) < maxUploadItems {
			asked = append(asked, j)
		}
	}
	type answer struct {
		found uploadService
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(asked))
	for _, j := range asked {
		go func() {
			info, err := c.askUpload(ctx, s, j, uploadPatience, NewElement(nsDiscoInfo, "query"))
			if err != nil && !saysNo(err) {
				answers <- answer{err: fmt.Errorf("xmpp: upload: ask what the server offers: %w", err)}
				return
			}
			found, _ := readUpload(j, info.Child(nsDiscoInfo, "query"))
			answers <- answer{found: found}
		}()
	}
	var found uploadService
	for range asked {
		a := <-answers
		if found.jid.IsZero() && !a.found.jid.IsZero() {
			found = a.found
			cancel() // the others are of no interest any more; they end at once
		}
		if err == nil {
			err = a.err
		}
	}
	if !found.jid.IsZero() {
		return found, nil
	}
	return found, err
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
	if !found {
		return uploadService{}, false
	}
	return out, true
}
