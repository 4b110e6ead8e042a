package gateway

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill gives every field a value of its own, so that one that is forgotten or swapped shows. Members of closed sets stay as
// they are, and what they point at is filled.
func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(someTime.Add(time.Duration(*n) * time.Second)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("é" + strconv.Itoa(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(1 + *n%7)) // also a Class
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Interface {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), n)
			fill(v.Index(1), n)
		}
	case reflect.Interface:
	default:
		panic("no value for a " + v.Kind().String())
	}
}

// filled is a member of a closed set with all its fields filled, its parts aside.
func filled[S any](member S) S {
	v := reflect.New(reflect.TypeOf(member)).Elem()
	v.Set(reflect.ValueOf(member))
	n := 100
	fill(v, &n)
	return v.Interface().(S)
}

// payloads is one Outbound and one Inbound for each member of the closed sets, as it is written in tests and with all fields filled.
func payloads() (outs []Outbound, ins []Inbound) {
	for _, body := range everyOp {
		for _, b := range []OpBody{body, filled(body)} {
			var out Outbound
			fill(reflect.ValueOf(&out).Elem(), new(int))
			out.Op.Body = b
			outs = append(outs, out)
		}
	}
	for _, body := range everyEvent {
		for _, b := range []EventBody{body, filled(body)} {
			var in Inbound
			fill(reflect.ValueOf(&in).Elem(), new(int))
			in.Event.Body = b
			ins = append(ins, in)
		}
	}
	plain := Outbound{Op: Op{Body: OpMessage{Content: PlainText("hé")}}}
	return append(outs, plain), append(ins, Inbound{Event: Event{Body: Message{Content: PlainText("")}}})
}

// TestPack: what is packed comes back whole, and so does the JSON that earlier builds left in the queues.
func TestPack(t *testing.T) {
	outs, ins := payloads()
	for _, want := range outs {
		packed, err := want.pack()
		checkPacked(t, want, packed, err)
	}
	for _, want := range ins {
		packed, err := want.pack()
		checkPacked(t, want, packed, err)
	}
}

func checkPacked[T any](t *testing.T, want T, packed []byte, err error) {
	t.Helper()
	old, errOld := json.Marshal(want)
	if err != nil || errOld != nil {
		t.Fatalf("%+v: got errors %v and %v, want none", want, err, errOld)
	}
	for name, raw := range map[string][]byte{"packed": packed, "JSON": old} {
		var got T
		if err := unpack(raw, &got); err != nil {
			t.Fatalf("%s of %+v: %v", name, want, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestUnpackRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"newer", "\x03", "version 3"},
		{"kind", "\x02" + strings.Repeat("\x00", 17) + "\x08teleport\x02{}", `unknown kind "teleport"`},
		{"length", "\x02\x7f", "damaged"},
	} {
		var out Outbound
		if err := unpack([]byte(tt.raw), &out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if _, err := new(Outbound).pack(); err == nil {
		t.Error("an op without a body: got no error")
	}
	if _, err := new(Inbound).pack(); err == nil {
		t.Error("an event without a body: got no error")
	}
}

// FuzzUnpack: nothing that is read makes it panic or take more memory than it has bytes.
func FuzzUnpack(f *testing.F) {
	outs, ins := payloads()
	for _, o := range outs {
		raw, err := o.pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, i := range ins {
		raw, err := i.pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _ = unpack(raw, new(Outbound)), unpack(raw, new(Inbound))
	})
}

func BenchmarkPack(b *testing.B) {
	out := Outbound{
		Op: Op{
			ID: "01JD0000000000000000000000", Chat: Chat{Kind: ChatDirect}, At: someTime, Lang: "en",
			Body: OpMessage{Content: PlainText("a line of an ordinary length, as people write them")},
		},
		Adapter: "wall", Account: "01JD0000000000000000000001", Alias: "abcdefghijklmnop", User: "romeo@example.org", Resource: "phone", Stanza: "s1",
	}
	b.ReportAllocs()
	for b.Loop() {
		raw, err := out.pack()
		if err != nil {
			b.Fatal(err)
		}
		var got Outbound
		if err := unpack(raw, &got); err != nil {
			b.Fatal(err)
		}
	}
}

// brittle panics over what is packed.
type brittle struct{}

func (*brittle) unpack(*unpacker) { panic("decoder bug") }

// A decoder that panics over a payload costs the entry, not the process, and says nothing of what is in it.
func TestUnpackKeepsPanics(t *testing.T) {
	err := unpack([]byte{packVersion, 1, 2, 3}, &brittle{})
	if err == nil || err.Error() != "gateway: decode: panic: string" {
		t.Errorf("got %v, want an error that names the kind of panic", err)
	}
}
