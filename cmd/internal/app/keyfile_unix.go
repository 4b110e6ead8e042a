//go:build unix

package app

import (
	"io/fs"
	"os"
	"syscall"
)

// sameOwner gives f to who owns the file it replaces: root may rotate the key of a gateway that runs as another user.
func sameOwner(f *os.File, as fs.FileInfo) error {
	if s, ok := as.Sys().(*syscall.Stat_t); ok && (int(s.Uid) != os.Geteuid() || int(s.Gid) != os.Getegid()) {
		return f.Chown(int(s.Uid), int(s.Gid))
	}
	return nil
}
