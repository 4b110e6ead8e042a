package lab

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that a server runs as. The zero value stands for the current one.
type account struct {
	set      bool
	uid, gid uint32
	groups   []uint32
}

// accountFor returns the server's own user when the current one is root, which Prosody and ejabberd refuse to
// run as; anyone else runs them as themselves.
func accountFor(name string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("lab: %w: its Debian package makes this user", err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return account{}, fmt.Errorf("lab: groups of %s: %w", name, err)
	}
	a := account{set: true}
	if a.uid, err = id(u.Uid); err != nil {
		return account{}, err
	}
	if a.gid, err = id(u.Gid); err != nil {
		return account{}, err
	}
	for _, s := range ids {
		g, err := id(s)
		if err != nil {
			return account{}, err
		}
		a.groups = append(a.groups, g)
	}
	return a, nil
}

func id(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("lab: user or group id: %w", err)
	}
	return uint32(n), nil
}

// own gives a directory and everything in it to the account.
func (a account) own(dir string) error {
	if !a.set {
		return nil
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// attr is what every child of a lab is started with: its own process group, and the kernel's promise to kill
// it when the parent dies.
func (a account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if a.set {
		// Changing the user here rather than through setpriv keeps that promise: a later change of user cancels it (prctl(2)).
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
	}
	return attr
}

// program finds a program, also where only root's PATH looks. The error says what to install.
func program(name, packages string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", missing(name, packages)
}

// missing says which Debian packages hold what is not there and how to get them.
func missing(what, packages string) error {
	return fmt.Errorf("lab: %s not found: install the Debian packages with \"apt-get install %s\" or deploy/dev/install.sh", what, packages)
}

// needFile fails unless one of the patterns matches.
func needFile(what, packages string, patterns ...string) error {
	for _, p := range patterns {
		if found, err := filepath.Glob(p); err == nil && len(found) > 0 {
			return nil
		}
	}
	return missing(what, packages)
}
