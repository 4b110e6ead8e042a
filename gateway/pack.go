package gateway

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// packVersion is the first byte of a packed payload. JSON, which earlier builds wrote, begins with a brace; a version that is
// not known is refused, so that a rollback makes dead letters of such entries instead of misreading them.
const packVersion = 2

// What waits in a queue is packed: strings and bytes with their length before them, numbers as varints, in a fixed order. Mail is
// written and read once each, and as JSON that was a fifth of all that the gateway did for it. Only what is frequent has a form of
// its own; rare bodies and parts stand in it as JSON (encode.go).
//
// Fields are only ever added at the very end: what an earlier build wrote ends before them, and they read as zero. Nothing is cut
// short by accident, since payloads are sealed.
type packer []byte

func (p *packer) text(s string) {
	*p = append(binary.AppendUvarint(*p, uint64(len(s))), s...)
}

func (p *packer) number(n int64) { *p = binary.AppendVarint(*p, n) }

func (p *packer) flags(set ...bool) {
	n := int64(0)
	for i, on := range set {
		if on {
			n |= 1 << i
		}
	}
	p.number(n)
}

// moment writes a time as seconds since the year 1, in which the zero time is 0, and nanoseconds.
func (p *packer) moment(t time.Time) {
	p.number(t.Unix() - time.Time{}.Unix())
	p.number(int64(t.Nanosecond()))
}

// json writes what has no form of its own.
func (p *packer) json(v any) error {
	raw, err := json.Marshal(v)
	p.text(string(raw))
	return err
}

var errPacked = errors.New("gateway: decode: damaged")

// unpacker reads what a packer wrote. Texts are parts of the one string that it reads. The first thing that cannot be is kept
// in err.
type unpacker struct {
	rest string
	err  error
}

func (u *unpacker) damaged() { u.rest, u.err = "", errPacked }

// varint is the beginning of the rest, as long as a number can be.
func (u *unpacker) varint() []byte { return []byte(u.rest[:min(len(u.rest), binary.MaxVarintLen64)]) }

func (u *unpacker) text() string {
	if u.rest == "" {
		return ""
	}
	n, used := binary.Uvarint(u.varint())
	if used <= 0 || n > uint64(len(u.rest)-used) {
		u.damaged()
		return ""
	}
	s := u.rest[used : used+int(n)]
	u.rest = u.rest[used+int(n):]
	return s
}

func (u *unpacker) number() int64 {
	if u.rest == "" {
		return 0
	}
	n, used := binary.Varint(u.varint())
	if used <= 0 {
		u.damaged()
		return 0
	}
	u.rest = u.rest[used:]
	return n
}

func (u *unpacker) flags(into ...*bool) {
	n := u.number()
	for i, f := range into {
		*f = n&(1<<i) != 0
	}
}

func (u *unpacker) moment() time.Time {
	s, ns := u.number(), u.number()
	return time.Unix(s+time.Time{}.Unix(), ns).UTC()
}

// count reads the length of a list, which no payload can hold more of than bytes.
func (u *unpacker) count() int {
	n := u.number()
	if n < 0 || n > int64(len(u.rest)) {
		u.damaged()
		return 0
	}
	return int(n)
}

func (u *unpacker) json(into any) {
	if raw := u.text(); u.err == nil {
		u.err = json.Unmarshal([]byte(raw), into)
	}
}

// oneOf reads one of a closed set that stands there as JSON.
func oneOf[S any](u *unpacker, of kinds[S], kind string) (s S) {
	if raw := u.text(); u.err == nil {
		s, u.err = of.decode(sum{kind, json.RawMessage(raw)})
	}
	return s
}

// unpack reads a payload into what it is of: packed, or the JSON of an earlier build. A panic over it is an error like any other: entries
// are read also where no walk keeps a panic to its entry.
func unpack(plain []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gateway: decode: panic: %T", p)
		}
	}()
	p, ok := into.(interface{ unpack(u *unpacker) })
	if !ok || len(plain) == 0 || plain[0] == '{' {
		return json.Unmarshal(plain, into)
	}
	if plain[0] != packVersion {
		return fmt.Errorf("gateway: decode: payload of version %d, this build reads up to %d", plain[0], packVersion)
	}
	u := &unpacker{rest: string(plain[1:])}
	p.unpack(u)
	return u.err
}
