package redisstore

import (
	"context"
	"crypto/sha1" // the name that EVALSHA gives a script
	"embed"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// script is one verb: a Lua file and the name under which Redis caches it.
type script struct {
	src string
	sha any // a string, as commands carry it
}

func loadScripts() (map[string]script, error) {
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		return nil, fmt.Errorf("redisstore: scripts: %w", err)
	}
	all := map[string]script{}
	for _, f := range files {
		src, err := luaFiles.ReadFile(path.Join("lua", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("redisstore: scripts: %w", err)
		}
		sum := sha1.Sum(src)
		all[strings.TrimSuffix(f.Name(), ".lua")] = script{string(src), hex.EncodeToString(sum[:])}
	}
	return all, nil
}

// eval runs a script whose keys share the slot of the first.
func (s *Store) eval(ctx context.Context, verb string, twice safety, keys []string, args ...any) (any, error) {
	return s.evalOn(ctx, verb, 0, twice, keys, args...)
}

// evalOn runs a script and waits until so many replicas have what it wrote.
func (s *Store) evalOn(ctx context.Context, verb string, replicas int, twice safety, keys []string, args ...any) (any, error) {
	sc := s.scripts[verb]
	cmd := make([]any, 0, 3+len(keys)+len(args))
	cmd = append(cmd, "evalsha", sc.sha, len(keys))
	for i := range keys { // a pointer stands in an interface as it is: a string would be copied there, a dozen for each message
		cmd = append(cmd, &keys[i])
	}
	cmd = append(cmd, args...)
	out, err := s.run(ctx, keys[0], replicas, twice, cmd)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT ") { // a server that has not seen it yet: nothing ran
		cmd[0], cmd[1] = "eval", sc.src
		out, err = s.run(ctx, keys[0], replicas, twice, cmd)
	}
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func (s *Store) run(ctx context.Context, key string, replicas int, twice safety, cmd []any) ([]any, error) {
	args := [][]any{cmd}
	return s.await(ctx, key, twice, s.start(ctx, key, replicas, args), args)
}
