package adaptertest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/gateway"
)

// toyCarrier is a toy on a platform that takes a file with its message alone.
type toyCarrier struct {
	*toy
	told func(id gateway.MessageID, file string)
}

func (a *toyCarrier) Caps(f gateway.ChatFacts) gateway.Caps {
	c := a.toy.Caps(f)
	if f.Kind == gateway.ChatDirect && len(f.Without) == 0 {
		c.Levels[gateway.FeatureMedia] = gateway.Native
	}
	return c
}

// SendMedia puts the file there and then says its name, which on the toy platform is one thing.
func (a *toyCarrier) SendMedia(ctx context.Context, account gateway.Credentials, op gateway.Op, body io.ReadSeeker) (gateway.Sent, error) {
	m := op.Body.(gateway.OpMessage).Content.Parts[0]
	if s, sticker := m.(gateway.Sticker); sticker {
		return gateway.Sent{}, a.fail(account, gateway.Unsupported, s.Emoji)
	}
	file := m.(gateway.Media)
	from, id := io.Reader(body), string(op.ID)
	switch a.broken {
	case "holds files":
		raw, err := io.ReadAll(body)
		if err != nil {
			return gateway.Sent{}, a.fail(account, gateway.Retryable, "file")
		}
		from = bytes.NewReader(raw)
	case "sends halves":
		raw, _ := io.ReadAll(body) // which is as much as there is
		from, file.Size = bytes.NewReader(raw), int64(len(raw))
	case "cuts files":
		file.Size /= 2
		from = io.LimitReader(body, file.Size)
	}
	resp, err := a.do(ctx, http.MethodPut, "/files/"+id, url.Values{"from": {string(account.Endpoint)}}, from, file.Size)
	if err != nil {
		class := gateway.Retryable
		if err.Error() == "toy: status 413" {
			class = gateway.Unsupported
		}
		return gateway.Sent{}, a.fail(account, class, "file")
	}
	if err := resp.Body.Close(); err != nil {
		return gateway.Sent{}, a.fail(account, gateway.Uncertain, "file")
	}
	op.Body = gateway.OpMessage{Content: gateway.PlainText("a file")}
	sent, err := a.Send(ctx, account, op)
	if err == nil {
		a.told(sent.IDs[0], id)
	}
	return sent, err
}

func (a *toyCarrier) Upload(context.Context, gateway.Credentials, gateway.Media, io.Reader) (gateway.Media, error) {
	return gateway.Media{}, errors.New("toy: no place for a file")
}

// TestToyCarrier is TestToy for an adapter whose files go with their messages.
func TestToyCarrier(t *testing.T) {
	h := toyHarness(os.Getenv(breakEnv))
	open := h.Open
	h.Open = func(t *testing.T, deps adapters.Deps) *adaptertest.Rig {
		rig := open(t, deps)
		files := map[gateway.MessageID]string{}
		carry := func(a gateway.Adapter) gateway.Adapter {
			return &toyCarrier{a.(*toy), func(id gateway.MessageID, file string) { files[id] = file }}
		}
		reopen, stored := rig.Reopen, rig.Stored
		rig.Adapter, rig.Reopen = carry(rig.Adapter), func() gateway.Adapter { return carry(reopen()) }
		rig.Stored = func(id string) ([]byte, int64) { return stored(files[gateway.MessageID(id)]) }
		return rig
	}
	h.Silent = []gateway.Feature{gateway.FeatureMedia}
	adaptertest.Run(t, h)
}

// TestKitCatchesCarriers runs TestToyCarrier once for each thing that can go wrong with a file.
func TestKitCatchesCarriers(t *testing.T) {
	for _, name := range []string{"holds files", "sends halves", "cuts files"} {
		t.Run(name, func(t *testing.T) { catches(t, "TestToyCarrier", "media/upload", name) })
	}
}
