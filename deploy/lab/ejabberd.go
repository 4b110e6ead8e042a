package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"postern/deploy"
)

const ejabberdPackages = "ejabberd erlang-p1-sqlite3"

// erlLibs finds where Debian keeps ejabberd's modules, which only its start script knows.
var erlLibs = regexp.MustCompile(`(?m)^ERL_LIBS='([^']+)'`)

// StartEjabberd starts an ejabberd with archives, carbons, stream management, uploads and group chats.
//
// It runs the Erlang machine itself with what ejabberdctl would pass: that script stays between the lab and
// the server, does not hand signals on, and is confined to the distribution's directories by AppArmor.
// With a fixed distribution port no epmd is needed or started.
func (l *Lab) StartEjabberd(ctx context.Context, cfg XMPPConfig) (*XMPP, error) {
	script, err := program("ejabberdctl", ejabberdPackages)
	if err != nil {
		return nil, err
	}
	erl, err := program("erl", ejabberdPackages)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(script)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	libs := erlLibs.FindSubmatch(text)
	if libs == nil {
		return nil, fmt.Errorf("lab: %s names no ERL_LIBS: not the script of Debian's package", script)
	}
	if err := needFile("Erlang's SQLite driver", ejabberdPackages, "/usr/lib/erlang/lib/p1_sqlite3-*"); err != nil {
		return nil, err
	}
	acct, err := accountFor("ejabberd")
	if err != nil {
		return nil, err
	}
	x, err := l.prepare(ctx, cfg, deploy.Ejabberd, acct)
	if err != nil {
		return nil, err
	}
	dist, err := l.ports(ctx, 1, false)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"spool", "logs", "upload"} {
		if err := os.MkdirAll(filepath.Join(x.dir, sub), 0o750); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	if err := acct.own(x.dir); err != nil {
		return nil, err
	}
	x.log = filepath.Join(x.dir, "logs", "ejabberd.log")
	x.command = command{path: erl, as: acct, args: ejabberdArgs(x.dir, dist[0]), env: ejabberdEnv(x.dir, dist[0], string(libs[1]))}
	x.addUser = x.registerByAPI
	if err := l.start(ctx, x.Server); err != nil {
		return nil, err
	}
	return x, x.addUsers(ctx, cfg.Users)
}

func ejabberdArgs(dir string, dist int) []string {
	return []string{
		"-sname", "ejabberd@localhost", "-noinput",
		"+K", "true", "+P", "250000",
		"+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", // no busy waiting: tests share the machine
		"-kernel", "inet_dist_use_interface", "{127,0,0,1}",
		"-erl_epmd_port", strconv.Itoa(dist), "-start_epmd", "false",
		"-mnesia", "dir", strconv.Quote(filepath.Join(dir, "spool")),
		"-ejabberd", "log_rotate_count", "0",
		"-s", "ejabberd",
	}
}

func ejabberdEnv(dir string, dist int, libs string) []string {
	return []string{
		"ERL_LIBS=" + libs,
		"ERL_DIST_PORT=" + strconv.Itoa(dist),
		"ERL_CRASH_DUMP_BYTES=0",
		"ERL_MAX_PORTS=32000",
		"ERL_MAX_ETS_TABLES=1400",
		"EJABBERD_CONFIG_PATH=" + filepath.Join(dir, "conf", "ejabberd.yml"),
		"EJABBERD_LOG_PATH=" + filepath.Join(dir, "logs", "ejabberd.log"),
		"EJABBERD_PID_PATH=" + filepath.Join(dir, "ejabberd.pid"),
	}
}

// registerByAPI adds a user through mod_http_api, which the lab opens to loopback: the command line would start
// another Erlang machine for each user.
func (x *XMPP) registerByAPI(ctx context.Context, u Login) error {
	status, err := x.api(ctx, "register", map[string]string{"user": u.User, "host": u.Domain, "password": u.Password})
	if status == http.StatusConflict {
		_, err = x.api(ctx, "change_password", map[string]string{"user": u.User, "host": u.Domain, "newpass": u.Password})
	}
	return err
}

// api calls a command of ejabberd and returns the HTTP status.
func (x *XMPP) api(ctx context.Context, name string, args map[string]string) (int, error) {
	body, err := json.Marshal(args)
	if err != nil {
		return 0, fmt.Errorf("lab: %s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+x.HTTPAddr()+"/api/"+name, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("lab: %s: %w", name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("lab: %s: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return resp.StatusCode, nil
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("lab: %s: %w", name, err)
	}
	return resp.StatusCode, fmt.Errorf("lab: %s: %s: %s", name, resp.Status, answer)
}
