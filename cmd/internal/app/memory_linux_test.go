package app

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestRushEnds(t *testing.T) {
	r := rush{on: true} // the start
	total := uint64(0)
	for i, step := range []struct {
		bytes uint64
		over  bool
	}{
		{100 << 20, false},
		{restBytes, true},
		{0, false}, // only once
		{restBytes + 1, false},
		{restBytes, false}, // there was no rush
		{rushBytes, false},
		{rushBytes - 1, false}, // it goes on, with less
		{restBytes, true},
	} {
		total += step.bytes
		if got := r.over(total); got != step.over {
			t.Errorf("step %d, %d bytes: got %v, want %v", i, step.bytes, got, step.over)
		}
	}
}

// TestGiveBack: what was used once is not resident any more, and the program goes on.
func TestGiveBack(t *testing.T) {
	_, file := resident(t)
	giveBack() // what other tests have left
	anon, _ := resident(t)
	rush := make([][]byte, 64)
	for i := range rush {
		rush[i] = make([]byte, 1<<20)
		for at := 0; at < len(rush[i]); at += 4096 {
			rush[i][at] = 1
		}
	}
	full, _ := resident(t)
	if full < anon+60<<10 {
		t.Fatalf("got %d KiB resident with 64 MiB in use, %d before", full, anon)
	}
	rush = nil
	giveBack()
	rest, dropped := resident(t)
	if rest > anon+8<<10 {
		t.Errorf("got %d KiB resident after a rush, want about the %d from before", rest, anon)
	}
	if dropped > file*3/4 {
		t.Errorf("got %d KiB of the program resident, want much less than the %d from before", dropped, file)
	}
	if allocated() == 0 {
		t.Error("nothing was ever allocated")
	}
	_ = rush
}

// resident reads what of the process is resident, in KiB: of its own and of files.
func resident(t *testing.T) (anon, file int) {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		switch f[0] {
		case "RssAnon:":
			anon, _ = strconv.Atoi(f[1])
		case "RssFile:":
			file, _ = strconv.Atoi(f[1])
		default:
		}
	}
	return anon, file
}

func TestProgramPages(t *testing.T) {
	const program = "/usr/bin/postern"
	for line, want := range map[string]bool{
		"00400000-00f1d000 r-xp 00000000 fe:00 123  /usr/bin/postern":           true,
		"00f1d000-02e00000 r--p 00b1d000 fe:00 123  /usr/bin/postern":           true,
		"02e00000-02f00000 rw-p 02a00000 fe:00 123  /usr/bin/postern":           false, // written to: it would be lost
		"00400000-00f1d000 r-xp 00000000 fe:00 123  /lib/libc.so.6":             false,
		"00400000-00f1d000 r-xp 00000000 fe:00 123  /usr/bin/postern (deleted)": false,
		"7ffd3e9f2000-7ffd3ea13000 rw-p 00000000 00:00 0  [stack]":              false,
		"nonsense /usr/bin/postern":                                             false,
	} {
		start, end, ok := programPages(line, program)
		if ok != want || ok && start >= end {
			t.Errorf("%s: got %x-%x, %v, want %v", line, start, end, ok, want)
		}
	}
}
