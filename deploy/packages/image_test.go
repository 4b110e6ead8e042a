//go:build servers

package packages_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unpack reads a tar archive into memory.
func unpack(t *testing.T, r io.Reader) (map[string]*tar.Header, map[string][]byte) {
	t.Helper()
	heads, files := map[string]*tar.Header{}, map[string][]byte{}
	for a := tar.NewReader(r); ; {
		h, err := a.Next()
		if errors.Is(err, io.EOF) {
			return heads, files
		}
		if err != nil {
			t.Fatal(err)
		}
		name := path.Clean("/" + h.Name)
		heads[name] = h
		if files[name], err = io.ReadAll(a); err != nil {
			t.Fatal(err)
		}
	}
}

// descriptor names a blob (OCI Image Format, Content Descriptors).
type descriptor struct{ MediaType, Digest string }

// archive returns the file of the image.
func archive(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(built(t), "postern-*-image-*.tar"))
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v, want one image", found, err)
	}
	return found[0]
}

// TestImage reads the image as engines do: who it runs as, what it runs, and that nothing is in it that it does not need.
func TestImage(t *testing.T) {
	raw, err := os.ReadFile(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	_, blobs := unpack(t, bytes.NewReader(raw))
	read := func(name string, into any) {
		t.Helper()
		if err := json.Unmarshal(blobs[name], into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	at := func(d descriptor) string { return "/blobs/" + strings.ReplaceAll(d.Digest, ":", "/") }
	var index struct{ Manifests []descriptor }
	read("/index.json", &index)
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(at(index.Manifests[0]), &manifest)
	var image struct {
		Architecture string
		Config       struct {
			User            string
			Entrypoint, Cmd []string
			ExposedPorts    map[string]any
			Labels          map[string]string
		}
	}
	read(at(manifest.Config), &image)
	c := image.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/postern"}) || !slices.Equal(c.Cmd, []string{"serve", "-c", "/etc/postern/postern.yaml"}) || c.ExposedPorts["8443/tcp"] == nil {
		t.Errorf("got %+v", c)
	}
	all := map[string]*tar.Header{}
	for _, layer := range manifest.Layers {
		z, err := gzip.NewReader(bytes.NewReader(blobs[at(layer)]))
		if err != nil {
			t.Fatal(err)
		}
		heads, _ := unpack(t, z)
		maps.Copy(all, heads)
	}
	var programs, others []string
	for name, h := range all {
		switch {
		case h.Typeflag != tar.TypeReg:
		case h.Mode&0o111 != 0:
			programs = append(programs, name)
		default:
			others = append(others, name)
		}
	}
	slices.Sort(others)
	if !slices.Equal(programs, []string{"/usr/bin/postern"}) || !slices.Equal(others, []string{"/etc/group", "/etc/passwd", "/etc/ssl/certs/ca-certificates.crt"}) {
		t.Errorf("got programs %v and files %v, want the gateway, its user and certificates", programs, others)
	}
	if h := all["/var/lib/postern"]; h == nil || h.Uid != 65532 || h.Mode&0o777 != 0o700 {
		t.Errorf("/var/lib/postern: got %+v, want it the user's", h)
	}
}

// TestImageRuns starts it as a container with a read-only root and no network.
func TestImageRuns(t *testing.T) {
	dir := t.TempDir()
	podman := func(args ...string) string {
		t.Helper()
		return local(t, append(asRoot("podman", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc"), args...)...)
	}
	defer func() { local(t, asRoot("rm", "-rf", filepath.Join(dir, "root"), filepath.Join(dir, "run"))...) }()
	loaded := podman("load", "--quiet", "--input", archive(t))
	_, name, _ := strings.Cut(strings.TrimSpace(loaded), ": ")
	// Where this test itself runs in a container, limits can only be lowered.
	run := []string{"run", "--rm", "--read-only", "--network=none", "--cap-drop=all", "--security-opt=no-new-privileges", "--ulimit=nofile=1024:1024", "--ulimit=nproc=512:512"}
	if got := podman(append(run, name, "version")...); !strings.HasPrefix(got, "postern ") {
		t.Errorf("got %q", got)
	}
	// What is below /var/lib/postern is the user's to write, and stays from one container to the next.
	run = append(run, "--volume=state:/var/lib/postern", name)
	if got := podman(append(run, "init", "--yes", "--domain", "example.org", "--no-probe", "--out", "/var/lib/postern")...); !strings.Contains(got, "wrote /var/lib/postern/store.key") {
		t.Errorf("init: got %q", got)
	}
	if got := podman(append(run, "check", "-c", "/var/lib/postern/postern.yaml")...); !strings.Contains(got, "ok, 1 adapter") {
		t.Errorf("check: got %q", got)
	}
}
