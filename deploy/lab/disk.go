package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const diskPackages = "util-linux"

// Disk is a small file system over a folder, seen only by programs that are started through Enter. It is mounted in a mount
// namespace (mount_namespaces(7)) that lives as long as one process of the lab's, so that nothing of it is ever left over.
type Disk struct {
	*Server
	at    string
	outer bool // the namespace belongs to a user namespace of its own
}

// StartDisk puts a file system of so many bytes over the folder at. Who is not root needs a kernel that lets users have namespaces.
func (l *Lab) StartDisk(ctx context.Context, at string, size int) (*Disk, error) {
	bin, err := program("unshare", diskPackages)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, fmt.Errorf("lab: disk: %w", err)
	}
	name := l.name("disk")
	dir, err := l.home(name, account{})
	if err != nil {
		return nil, err
	}
	d := &Disk{at: at, outer: os.Geteuid() != 0}
	args := []string{"--mount", "--propagation", "private"}
	if d.outer {
		args = append(args, "--map-root-user")
	}
	args = append(args, "sh", "-c", `mount -t tmpfs -o "size=$1,mode=700" postern "$0" && exec sleep infinity`, at, strconv.Itoa(size))
	d.Server = &Server{
		name: name, dir: dir, log: filepath.Join(dir, outputFile), command: command{path: bin, args: args},
		probe: func(context.Context) error {
			var fs syscall.Statfs_t
			if err := syscall.Statfs(d.inside(""), &fs); err != nil {
				return err
			}
			if fs.Blocks*uint64(fs.Bsize) > uint64(size)+4096 {
				return errors.New("not mounted yet")
			}
			return nil
		},
	}
	return d, l.start(ctx, d.Server)
}

// inside is where a file of the disk is seen from outside (proc(5), root). The probe asks with the server's lock held.
func (d *Disk) inside(file string) string {
	return filepath.Join("/proc", strconv.Itoa(d.proc.pid), "root", d.at, file)
}

// Enter is what stands before a command line whose program sees the disk.
func (d *Disk) Enter() []string {
	enter := []string{"nsenter", "--target", strconv.Itoa(d.PID()), "--mount"}
	if d.outer {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	return enter
}

const ballast = "ballast"

// Fill writes until the disk takes no more (ENOSPC).
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.inside(ballast), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("lab: disk: %w", err)
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 512, 1} { // the last page, too
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("lab: disk: %w", err)
		}
	}
	return nil
}

// Free takes away what Fill wrote.
func (d *Disk) Free() error {
	if err := os.Remove(d.inside(ballast)); err != nil {
		return fmt.Errorf("lab: disk: %w", err)
	}
	return nil
}
