package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/textproto"
	"slices"
	"sync/atomic"
)

// FilePart is a call as multipart/form-data (RFC 7578): Form's values, then one file as a stream of a known length. It ends with
// ctx, not with the client's timeout.
type FilePart struct {
	Call
	// Field names the part, FileName and MIME describe the file.
	Field, FileName, MIME string
	From                  io.Reader
	Size                  int64
}

// PostFile sends a file and decodes a 2xx answer into out, when out is not nil. The error is always an *Error; it says Written only
// where the whole request was: nobody acts on a file before its end.
func (c *Client) PostFile(ctx context.Context, up FilePart, out any) error {
	fields := up.Form
	up.Form, up.Body = nil, nil
	req, err := c.request(ctx, up.Call)
	if err != nil {
		return &Error{Call: up.Name, Err: err}
	}
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, v := range fields[name] {
			err = errors.Join(err, w.WriteField(name, v))
		}
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", multipart.FileContentDisposition(up.Field, up.FileName))
	h.Set("Content-Type", up.MIME)
	_, failed := w.CreatePart(h)
	if err = errors.Join(err, failed); err != nil {
		return &Error{Call: up.Name, Err: errors.New("request does not encode as a form")}
	}
	begin := bytes.Clone(head.Bytes())
	head.Reset()
	if err := w.Close(); err != nil {
		return &Error{Call: up.Name, Err: errors.New("request does not encode as a form")}
	}
	end := &lastPart{Reader: bytes.NewReader(head.Bytes())}
	// A stream longer or shorter than Size breaks the request: net/http holds the body against the length.
	req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(begin), &exactly{from: up.From, left: up.Size}, end))
	req.ContentLength = int64(len(begin)) + up.Size + int64(head.Len())
	req.Header.Set("Content-Type", w.FormDataContentType())
	resp, fault := c.exchange(req, up.Name)
	if fault != nil {
		if e, ok := errors.AsType[*Error](fault); ok && e.Status == 0 && !end.read.Load() {
			e.Written = false
		}
		return fault
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	if err == nil && out != nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return &Error{Call: up.Name, Status: resp.StatusCode, Written: true, Err: errors.New("answer is not the JSON that was expected")}
	}
	return nil
}

// lastPart notes that the end of a body was asked for.
type lastPart struct {
	io.Reader
	read atomic.Bool
}

func (l *lastPart) Read(p []byte) (int, error) {
	l.read.Store(true)
	return l.Reader.Read(p)
}

var errLength = errors.New("the file is not as long as it was said to be")

// exactly passes a stream on and fails when it has another length.
type exactly struct {
	from io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	if e.left -= int64(n); e.left < 0 || errors.Is(err, io.EOF) && e.left > 0 {
		return 0, errLength
	}
	return n, err
}
