package lab

import (
	"context"
	"path/filepath"
)

// Program is a program of the caller's that runs in the lab like one of its servers.
type Program struct {
	// Name names its directory below the lab's.
	Name string
	// Path and Args start it; Env is added to a minimal environment. What it writes is its log.
	Path string
	Args []string
	Env  []string
	// Ready answers nil once the program serves.
	Ready func(context.Context) error
}

// StartProgram starts a program as the current user. Like every server it is the lab's to end.
func (l *Lab) StartProgram(ctx context.Context, p Program) (*Server, error) {
	dir, err := l.home(l.name(p.Name), account{})
	if err != nil {
		return nil, err
	}
	s := &Server{
		name: p.Name, dir: dir, log: filepath.Join(dir, outputFile), probe: p.Ready,
		command: command{path: p.Path, args: p.Args, env: p.Env},
	}
	return s, l.start(ctx, s)
}

// Addr reserves a free loopback address, host:port, for the life of the lab.
func (l *Lab) Addr(ctx context.Context) (string, error) {
	ports, err := l.ports(ctx, 1, false)
	if err != nil {
		return "", err
	}
	return loopback(ports[0]), nil
}
