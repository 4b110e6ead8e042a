package gateway

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestOwnContactSharesNothing: also a field that is added later has to be a copy.
func TestOwnContactSharesNothing(t *testing.T) {
	whole := strings.Repeat("x", 100)
	c := Contact{}
	eachString(reflect.ValueOf(&c).Elem(), func(_ string, v reflect.Value) { v.SetString(whole[:10]) })
	own := c.own()
	if *own != c {
		t.Errorf("got %+v, want %+v", *own, c)
	}
	eachString(reflect.ValueOf(own).Elem(), func(name string, v reflect.Value) {
		if unsafe.StringData(v.String()) == unsafe.StringData(whole) {
			t.Errorf("%s is a part of where it came from, and keeps the whole of that", name)
		}
	})
}

func eachString(v reflect.Value, f func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		switch field := v.Field(i); field.Kind() {
		case reflect.String:
			f(v.Type().Field(i).Name, field)
		case reflect.Struct:
			eachString(field, f)
		default:
		}
	}
}

// TestCachesKeepNoStanzas: names that caches are asked by are parts of stanzas and payloads. What stays of those is the name.
func TestCachesKeepNoStanzas(t *testing.T) {
	const each = 1 << 20
	i := NewIdentity(nil, nil)
	a := &Account{ID: "a"}
	before := live()
	for n := range 64 {
		stanza := fmt.Sprintf("contact%d", n) + strings.Repeat("x", each)
		name := stanza[:len(stanza)-each]
		i.keepContact(a, &Contact{Alias: Alias(name), ID: ContactID(name), Name: name}, 0, i.contacts.read)
	}
	if grown := live() - before; grown > 4*each {
		t.Errorf("64 contacts of stanzas of 1 MiB hold %d KiB", grown>>10)
	}
	if _, ok := i.contacts.load(contactKey{"a", "contact7"}); !ok {
		t.Error("contact 7 is not cached")
	}
}

// TestForgottenKeepNoStanzas: what is forgotten, or too old, is asked by such names too.
func TestForgottenKeepNoStanzas(t *testing.T) {
	const each = 1 << 20
	forgotten, old := newCache[string, bool](1000, time.Hour), newCache[string, bool](1000, -1)
	before := live()
	for n := range 32 {
		stanza := fmt.Sprintf("contact%d", n) + strings.Repeat("x", each)
		name := stanza[:len(stanza)-each]
		forgotten.store(strings.Clone(name), true)
		forgotten.forget(name)
		old.store(strings.Clone(name), true)
		old.load(name)
	}
	if grown := live() - before; grown > 4*each {
		t.Errorf("32 names of stanzas of 1 MiB hold %d KiB", grown>>10)
	}
	runtime.KeepAlive(forgotten)
	runtime.KeepAlive(old)
}

func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestReadingIsSmall: thousands of chats are known by it at once.
func TestReadingIsSmall(t *testing.T) {
	const chats = 1000
	all := make([]*reading, chats)
	before := live()
	for n := range all {
		all[n] = &reading{}
		for m := range 3 * markersKept {
			all[n].saw(StanzaID(fmt.Sprintf("%052d", n*1000+m)))
		}
	}
	if each := (live() - before) / chats; each > 400 {
		t.Errorf("got %d bytes for a chat, want at most 400", each)
	}
	if !all[7].news("an id that is not known") || len(all[7].shown) != markersKept {
		t.Errorf("got %d ids, want %d", len(all[7].shown), markersKept)
	}
	runtime.KeepAlive(all)
}
