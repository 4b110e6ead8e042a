package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

var recordCases = []testCase{
	{"records/save and load", (*kit).recordsSave},
	{"records/a save is all or nothing", (*kit).recordsAtomic},
	{"records/if absent", (*kit).recordsIfAbsent},
	{"records/only from what it was", (*kit).recordsWas},
	{"records/expire", (*kit).recordsExpire},
	{"records/the retention table is the law", (*kit).recordsTable},
	{"records/list pages", (*kit).recordsList},
	{"records/a list goes on only where a page ended", (*kit).recordsCursor},
	{"records/erase takes everything of an owner", (*kit).recordsErase},
}

const (
	account = gateway.Owner("a:01J0ACCOUNT")
	user    = gateway.Owner("u:0f3a")
)

func contact(name, value string) gateway.Change {
	return gateway.Change{Kind: gateway.RecordContact, Name: name, Value: []byte(value)}
}

// load returns the values of keys written "kind/name", with "-" for an absent one.
func (k *kit) load(owner gateway.Owner, keys ...string) string {
	k.Helper()
	var rks []gateway.RecordKey
	for _, key := range keys {
		kind, name, _ := strings.Cut(key, "/")
		rks = append(rks, gateway.RecordKey{Owner: owner, Kind: gateway.RecordKind(kind), Name: name})
	}
	vs, err := k.Load(k.Context(), rks...)
	k.check("load", err)
	k.want("values", len(vs), len(keys))
	var got []string
	for _, v := range vs {
		if v == nil {
			v = []byte("-")
		}
		got = append(got, string(v))
	}
	return strings.Join(got, " ")
}

func (k *kit) recordsSave() {
	k.check("save", k.Save(k.Context(), account, contact("c1", "v1"), contact("c2", "\x00\xff"), gateway.Change{Kind: gateway.RecordAccount, Name: "c1", Value: []byte("acc")}))
	k.check("save", k.Save(k.Context(), user, contact("c1", "theirs")))
	k.want("values", k.load(account, "contact/c2", "contact/c1", "contact/c3", "account/c1"), "\x00\xff v1 - acc")
	vs, err := k.Load(k.Context(),
		gateway.RecordKey{Owner: user, Kind: gateway.RecordContact, Name: "c1"}, gateway.RecordKey{Owner: account, Kind: gateway.RecordContact, Name: "c1"})
	k.check("load", err)
	k.want("values of two owners", []string{string(vs[0]), string(vs[1])}, []string{"theirs", "v1"})
	k.check("save", k.Save(k.Context(), account, contact("c1", "v2"), gateway.Change{Kind: gateway.RecordContact, Name: "c2"}, contact("c4", "")))
	k.want("values", k.load(account, "contact/c1", "contact/c2"), "v2 -")
	vs, err = k.Load(k.Context(), gateway.RecordKey{Owner: account, Kind: gateway.RecordContact, Name: "c4"})
	k.check("load", err)
	if vs[0] == nil || len(vs[0]) != 0 {
		k.Errorf("empty value: got %v, want one that is there and empty", vs[0])
	}
	vs, err = k.Load(k.Context())
	k.check("load of nothing", err)
	k.want("values", len(vs), 0)
	k.check("save of nothing", k.Save(k.Context(), account))
}

func (k *kit) recordsAtomic() {
	k.check("save", k.Save(k.Context(), account, contact("c1", "v1"), contact("c2", "v2")))
	there := contact("c2", "new")
	there.IfAbsent = true
	err := k.Save(k.Context(), account, contact("c1", "changed"), contact("c3", "v3"), gateway.Change{Kind: gateway.RecordContact, Name: "c2"}, there)
	k.wantErr("save", err, gateway.ErrExists)
	k.want("values", k.load(account, "contact/c1", "contact/c2", "contact/c3"), "v1 v2 -")
}

func (k *kit) recordsIfAbsent() {
	c := contact("c1", "v1")
	c.IfAbsent = true
	k.check("save", k.Save(k.Context(), account, c))
	k.wantErr("second save", k.Save(k.Context(), account, c), gateway.ErrExists)
	k.check("delete", k.Save(k.Context(), account, gateway.Change{Kind: gateway.RecordContact, Name: "c1"}))
	k.check("save after delete", k.Save(k.Context(), account, c))

	s := gateway.Change{Kind: gateway.RecordSession, Name: "s1", Value: []byte("x"), TTL: k.o.Short, IfAbsent: true}
	k.check("save of an expiring record", k.Save(k.Context(), user, s))
	k.wantErr("second save", k.Save(k.Context(), user, s), gateway.ErrExists)
	k.o.Advance(2 * k.o.Short)
	k.check("save after it expired", k.Save(k.Context(), user, s))
}

func (k *kit) recordsWas() {
	from := func(c gateway.Change, was string) gateway.Change {
		c.Was = []byte(was)
		return c
	}
	gone := gateway.Change{Kind: gateway.RecordContact, Name: "c1"}
	k.wantErr("save over what is not there", k.Save(k.Context(), account, from(contact("c1", "v1"), "v0")), gateway.ErrChanged)
	k.wantErr("save over what is not there, as if it were empty", k.Save(k.Context(), account, from(contact("c1", "v1"), "")), gateway.ErrChanged)
	k.check("save", k.Save(k.Context(), account, contact("c1", "v1")))
	k.check("save over what it was", k.Save(k.Context(), account, from(contact("c1", "v2"), "v1")))
	k.wantErr("save over what it is no more", k.Save(k.Context(), account, contact("c2", "beside"), from(contact("c1", "other"), "v1")), gateway.ErrChanged)
	k.want("values", k.load(account, "contact/c1", "contact/c2"), "v2 -")
	k.check("the same save once more", k.Save(k.Context(), account, from(contact("c1", "v2"), "v1")))
	k.wantErr("delete of what it is no more", k.Save(k.Context(), account, from(gone, "v1")), gateway.ErrChanged)
	k.check("delete", k.Save(k.Context(), account, from(gone, "v2")))
	k.check("the same delete once more", k.Save(k.Context(), account, from(gone, "v2")))
	k.check("save of nothing in it", k.Save(k.Context(), account, contact("c1", "")))
	k.check("save over nothing in it", k.Save(k.Context(), account, from(contact("c1", "v3"), "")))

	session := func(value, was string) gateway.Change {
		return from(gateway.Change{Kind: gateway.RecordSession, Name: "s1", Value: []byte(value), TTL: k.o.Short}, was)
	}
	s := session("one", "")
	s.Was = nil
	k.check("save of an expiring record", k.Save(k.Context(), user, s))
	k.wantErr("save over another", k.Save(k.Context(), user, session("two", "none")), gateway.ErrChanged)
	k.check("save over it", k.Save(k.Context(), user, session("two", "one")))
	k.o.Advance(2 * k.o.Short)
	k.wantErr("save over what expired", k.Save(k.Context(), user, session("three", "two")), gateway.ErrChanged)

	const workers, each = 4, 20
	k.check("save of a count", k.Save(k.Context(), account, contact("count", "0 nobody")))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { k.count(w, each) })
	}
	wg.Wait()
	n, _, _ := strings.Cut(k.load(account, "contact/count"), " ")
	k.want("counted by several at once", n, strconv.Itoa(workers*each))
}

// count adds to a number so many times, each time to what it was. Its name stands with it: two who come to the same number must not
// take the other's for their own, as two seals of one text are never the same.
func (k *kit) count(worker, times int) {
	key := gateway.RecordKey{Owner: account, Kind: gateway.RecordContact, Name: "count"}
	for times > 0 {
		got, err := k.Load(k.Context(), key)
		if err != nil {
			k.Errorf("load: %v", err)
			return
		}
		text, _, _ := strings.Cut(string(got[0]), " ")
		n, _ := strconv.Atoi(text)
		next := contact(key.Name, fmt.Sprintf("%d worker%d", n+1, worker))
		next.Was = got[0]
		switch err := k.Save(k.Context(), account, next); {
		case err == nil:
			times--
		case !errors.Is(err, gateway.ErrChanged):
			k.Errorf("save: %v", err)
			return
		}
	}
}

func (k *kit) recordsExpire() {
	session := func(name string, ttl time.Duration) gateway.Change {
		return gateway.Change{Kind: gateway.RecordSession, Name: name, Value: []byte(name), TTL: ttl}
	}
	short := session("s1", k.o.Short)
	k.check("save", k.Save(k.Context(), user, short, session("s2", time.Hour), gateway.Change{Kind: gateway.RecordUser, Name: "u", Value: []byte("u")}))
	k.want("values", k.load(user, "session/s1", "session/s2", "user/u"), "s1 s2 u")
	k.o.Advance(2 * k.o.Short)
	k.want("values", k.load(user, "session/s1", "session/s2", "user/u"), "- s2 u")
	k.check("delete", k.Save(k.Context(), user, gateway.Change{Kind: gateway.RecordSession, Name: "s2"}))
	k.want("values", k.load(user, "session/s2"), "-")
	k.check("save", k.Save(k.Context(), user, short))
	k.want("saved again", k.load(user, "session/s1"), "s1")
	page, next, err := k.List(k.Context(), user, gateway.RecordSession, "", 10)
	k.check("list", err)
	k.want("listed expiring records", len(page)+len(next), 0)
}

func (k *kit) recordsTable() {
	for what, c := range map[string]gateway.Change{
		"a kind that is not in the table":    {Kind: "nonsense", Name: "n", Value: []byte("v")},
		"an expiring kind without a time":    {Kind: gateway.RecordSession, Name: "n", Value: []byte("v")},
		"a lasting kind with a time to live": {Kind: gateway.RecordUser, Name: "n", Value: []byte("v"), TTL: k.o.Short},
	} {
		if err := k.Save(k.Context(), user, contact("first", "v"), c); err == nil {
			k.Errorf("save of %s: got no error, want one", what)
		}
		k.want("saved beside "+what, k.load(user, "contact/first"), "-")
	}
}

// recordsCursor lists from places that no page can have ended at. Operators and users bring cursors back, as they like.
func (k *kit) recordsCursor() {
	for n := range 3 {
		k.check("save", k.Save(k.Context(), account, contact(fmt.Sprint("c", n), "x")))
	}
	for _, cursor := range []string{"c1", "nowhere", " ", "-1", "1e3", "0x10", "\x00", "99999999999999999999999999"} {
		if _, _, err := k.List(k.Context(), account, gateway.RecordContact, cursor, 1); !errors.Is(err, gateway.ErrCursor) {
			k.Errorf("list from %q: got error %v, want %v", cursor, err, gateway.ErrCursor)
		}
	}
}

func (k *kit) recordsList() {
	want := map[string]string{}
	for i := range 300 {
		name := fmt.Sprintf("c%03d", i)
		want[name] = "v" + name
		k.check("save", k.Save(k.Context(), account, contact(name, want[name])))
	}
	k.check("save", k.Save(k.Context(), account, gateway.Change{Kind: gateway.RecordAccount, Name: "x", Value: []byte("x")}))
	got := map[string]string{}
	cursor, pages := "", 0
	for {
		page, next, err := k.List(k.Context(), account, gateway.RecordContact, cursor, 50)
		k.check("list", err)
		for n, v := range page {
			got[n] = string(v)
		}
		if pages++; pages > 1000 {
			k.Fatal("list: got 1000 pages, want an end")
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	k.want("records", got, want)
	page, next, err := k.List(k.Context(), "a:nobody", gateway.RecordContact, "", 50)
	k.check("list", err)
	k.want("records of nobody", len(page)+len(next), 0)
}

func (k *kit) recordsErase() {
	for _, o := range []gateway.Owner{user, account} {
		for _, r := range gateway.RetentionTable() {
			k.check("save", k.Save(k.Context(), o, gateway.Change{Kind: r.Kind, Name: "n1", Value: []byte("v"), TTL: r.TTL}, gateway.Change{Kind: r.Kind, Name: "n2", Value: []byte("v"), TTL: r.TTL}))
		}
	}
	k.check("erase", k.Erase(k.Context(), user))
	for _, r := range gateway.RetentionTable() {
		k.want("erased "+string(r.Kind), k.load(user, string(r.Kind)+"/n1", string(r.Kind)+"/n2"), "- -")
		k.want("kept "+string(r.Kind), k.load(account, string(r.Kind)+"/n1", string(r.Kind)+"/n2"), "v v")
	}
	k.check("second erase", k.Erase(k.Context(), user))
	k.check("save after erase", k.Save(k.Context(), user, contact("c", "v")))
	k.want("saved again", k.load(user, "contact/c"), "v")
}
