package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	s, err := ForTest(t).StartProgram(t.Context(), Program{
		Name: "sleeper", Path: "/bin/sh", Args: []string{"-c", "echo $WORD > " + said + "; exec sleep 1000"}, Env: []string{"WORD=up"},
		Ready: func(context.Context) error { _, err := os.Stat(said); return err },
	})
	if err != nil {
		t.Fatal(err)
	}
	first := s.PID()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(first)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process after Kill: got %v, want none", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.PID(); got == first || got == 0 {
		t.Errorf("process after Start: got %d, want another than %d", got, first)
	}
}

func TestProgramThatEnds(t *testing.T) {
	_, err := ForTest(t).StartProgram(t.Context(), Program{
		Name: "quitter", Path: "/bin/true", Ready: func(context.Context) error { return errors.New("not yet") },
	})
	if err == nil {
		t.Error("a program that ends before it is ready: got no error")
	}
}
