package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// remote is a running gateway, as commands that steer one reach it.
type remote struct {
	URL       string `name:"url" env:"POSTERN_URL" default:"http://127.0.0.1:8480" help:"Where http.admin of the gateway is (default: ${default})." placeholder:"URL"`
	TokenFile string `env:"POSTERN_TOKEN_FILE" help:"File with the token, which may stand in $$POSTERN_TOKEN instead." placeholder:"FILE"`
	jsonFlag
}

// callTimeout bounds one call of a running gateway; to look through many dead letters takes a while.
const callTimeout = time.Minute

// token is what the caller is known by. There is no flag for it: the process list shows those.
func (r remote) token() (string, error) {
	if r.TokenFile == "" {
		if t := os.Getenv("POSTERN_TOKEN"); t != "" {
			return t, nil
		}
		return "", errors.New("this needs a token: make one with postern token create, and name its file with --token-file or $POSTERN_TOKEN_FILE")
	}
	raw, err := os.ReadFile(r.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// call sends a request and reads the answer into out, if any.
func (r remote) call(ctx context.Context, method, path string, in, out any) error {
	secret, err := r.token()
	if err != nil {
		return err
	}
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no gateway answers at %s: is it running, and is that its http.admin? (%w)", r.URL, errors.Unwrap(err))
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("%s: the answer broke off: %w", r.URL, err)
	}
	if resp.StatusCode >= 300 {
		return said(r.URL, resp, raw)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s does not answer as a gateway of this version does: %w", r.URL, err)
	}
	return nil
}

// said turns a problem (RFC 9457) into an error.
func said(url string, resp *http.Response, raw []byte) error {
	var p struct {
		Detail string `json:"detail"`
		Field  string `json:"field"`
	}
	if json.Unmarshal(raw, &p) != nil || p.Detail == "" {
		return fmt.Errorf("%s answers %s: is that the http.admin of a gateway?", url, resp.Status)
	}
	if p.Field != "" {
		p.Detail = p.Field + ": " + p.Detail
	}
	return errors.New(p.Detail)
}

// jsonFlag is shared by commands that list something.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON, for programs."`
}

// table is lines of columns; the first names them.
type table [][]string

// print writes a table for people, or v for programs.
func (f jsonFlag) print(io *console, v any, t table) error {
	if f.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
	for _, line := range t {
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}

// moment is a time as tables show it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// dash stands for nothing, so that columns stay columns.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// listed asks for page after page of a list, until there are as many as wanted, or no more.
func listed[V any](ctx context.Context, r remote, path string, q url.Values, most int) ([]V, error) {
	all := []V{}
	for len(all) < most {
		var page struct {
			Items []V    `json:"items"`
			Next  string `json:"next"`
		}
		if err := r.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("after", page.Next)
	}
	return all[:min(len(all), most)], nil
}
