package xmpp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

const (
	maxClients     = 20_000           // clients remembered at a time
	maxCapsSeen    = 1_000            // descriptions of clients remembered: there are few programs
	maxVer         = 128              // bytes of a caps hash that is taken seriously
	clientPatience = 10 * time.Second // for a client to say what it is
)

// clients knows which of the users' clients are there and which kinds of them
// want to hear of pictures (XEP-0163 §4.2).
type clients struct {
	mu    sync.Mutex
	met   map[string]string // full address -> caps hash
	wants map[string]bool   // caps hash, recomputed from what it stands for -> wants pictures
}

// meet tells whether a client is new, or another program than before.
func (k *clients) meet(full, ver string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if last, known := k.met[full]; known && last == ver {
		return false
	}
	full, ver = strings.Clone(full), strings.Clone(ver) // either would keep its whole stanza
	if k.met == nil {
		k.met = make(map[string]string)
	}
	if len(k.met) >= maxClients {
		dropOne(k.met)
	}
	k.met[full] = ver
	return true
}

func (k *clients) leave(full string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.met, full)
}

// forget is for a new stream: who is there is told anew.
func (k *clients) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.met = nil
}

func (k *clients) known(ver string) (wants, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wants, ok = k.wants[ver]
	return wants, ok
}

func (k *clients) learn(ver string, wants bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wants == nil {
		k.wants = make(map[string]bool)
	}
	if len(k.wants) >= maxCapsSeen {
		dropOne(k.wants)
	}
	k.wants[strings.Clone(ver)] = wants // as above
}

func dropOne[V any](m map[string]V) {
	for key := range m { // map order is random enough
		delete(m, key)
		return
	}
}

// noticed takes presence of a client to the gateway: one that has come and wants
// pictures gets those of all its user's contacts. The copies of its presence to
// each contact say nothing more.
func (c *Component) noticed(el *Element, v gateway.Visitor, kind gateway.PresenceKind) {
	full := el.From().String()
	if kind == gateway.PresenceUnavailable {
		c.clients.leave(full)
	}
	caps := el.Child(nsCaps, "c")
	ver := caps.Attr("ver")
	if kind != gateway.PresenceAvailable || caps.Attr("hash") != "sha-1" || ver == "" || len(ver) > maxVer || el.From().IsBare() || !c.clients.meet(full, ver) {
		return
	}
	live := c.live.Load()
	if live == nil {
		return
	}
	taken := c.lookers.offer(string(v.User), func(ctx context.Context) {
		defer func() {
			if recover() != nil {
				c.panicked("presence")
			}
		}()
		wants, err := c.wantsPictures(ctx, live.stream, el, caps)
		if err == nil && wants {
			err = c.gw.Avatars(ctx, v, func(g gateway.Rendering) error { return live.pace.await(ctx, g) })
		}
		if err != nil {
			c.clients.leave(full) // its next presence is another chance
			c.log.Debug("pictures not shown to a client", "error", err.Error())
		}
	})
	if !taken {
		c.clients.leave(full)
	}
}

// wantsPictures tells whether a client asks for news of pictures, and asks it
// for its description once per caps hash (XEP-0115 §6.2). A hash that does not
// stand for the answer speaks for that client alone (§5.4).
func (c *Component) wantsPictures(ctx context.Context, s *stream, el, caps *Element) (bool, error) {
	ver := caps.Attr("ver")
	if wants, ok := c.clients.known(ver); ok {
		return wants, nil
	}
	ctx, cancel := context.WithTimeout(ctx, clientPatience)
	defer cancel()
	got, err := s.iq(ctx, NewIQ(c.self, el.From(), "get", NewElement(nsDiscoInfo, "query", "node", caps.Attr("node")+"#"+ver)))
	if err != nil {
		if _, refused := errors.AsType[*StanzaError](err); refused {
			return false, nil
		}
		return false, err
	}
	info := parseDiscoInfo(got.Child(nsDiscoInfo, "query"))
	wants := slices.Contains(info.features, wantsAvatarNews)
	if info.ver() == ver && !info.inForms(wantsAvatarNews) {
		c.clients.learn(ver, wants)
	}
	return wants, nil
}

// wantsAvatarNews is the feature of a client that hears of pictures (XEP-0163 §4.2).
const wantsAvatarNews = nsAvatarMetadata + "+notify"

// inForms tells whether a string stands anywhere in the forms. What is hashed
// of features does not end where that of forms begins: a feature moved there
// gives the same hash (XEP-0115 §5.1), and would silence a program for everybody.
func (d discoInfo) inForms(s string) bool {
	return slices.ContainsFunc(d.forms, func(f discoForm) bool {
		return f.formType == s || slices.ContainsFunc(f.fields, func(f discoField) bool { return f.name == s || slices.Contains(f.values, s) })
	})
}

// parseDiscoInfo reads a disco#info answer (XEP-0030 §3.1, XEP-0128).
func parseDiscoInfo(q *Element) discoInfo {
	var d discoInfo
	for _, i := range q.ChildrenNamed(nsDiscoInfo, "identity") {
		d.identities = append(d.identities, discoIdentity{category: i.Attr("category"), typ: i.Attr("type"), lang: i.Lang(), name: i.Attr("name")})
	}
	for _, f := range q.ChildrenNamed(nsDiscoInfo, "feature") {
		d.features = append(d.features, f.Attr("var"))
	}
	for _, x := range q.ChildrenNamed(nsForm, "x") {
		var form discoForm
		for _, f := range x.ChildrenNamed(nsForm, "field") {
			var values []string
			for _, v := range f.ChildrenNamed(nsForm, "value") {
				values = append(values, v.Text())
			}
			if f.Attr("var") == "FORM_TYPE" && len(values) == 1 {
				form.formType = values[0]
				continue
			}
			form.fields = append(form.fields, discoField{f.Attr("var"), values})
		}
		if form.formType != "" {
			d.forms = append(d.forms, form)
		}
	}
	return d
}
