//go:build servers

package packages_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// deb returns the package of this machine's architecture, in a folder of its own together with one that is newer.
func debs(t *testing.T) (folder, version string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(built(t), "postern_*_amd64.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v, want one package", found, err)
	}
	folder = t.TempDir()
	version = strings.TrimSpace(local(t, "dpkg-deb", "--field", found[0], "Version"))
	local(t, "cp", found[0], filepath.Join(folder, "this.deb"))
	next := filepath.Join(folder, "next")
	local(t, "dpkg-deb", "--raw-extract", found[0], next)
	control, err := os.ReadFile(filepath.Join(next, "DEBIAN/control"))
	if err != nil {
		t.Fatal(err)
	}
	control = regexp.MustCompile(`(?m)^Version: .*`).ReplaceAll(control, []byte("Version: 9999"))
	if err := os.WriteFile(filepath.Join(next, "DEBIAN/control"), control, 0o644); err != nil {
		t.Fatal(err)
	}
	local(t, "dpkg-deb", "--root-owner-group", "-Znone", "--build", next, filepath.Join(folder, "next.deb"))
	local(t, "chmod", "755", folder)
	return folder, version
}

// TestDebian walks the life of the package: installed, configured, started, upgraded, removed, installed again, purged.
func TestDebian(t *testing.T) {
	folder, version := debs(t)
	m := boot(t, folder)

	m.run("dpkg --install /mnt/this.deb")
	m.is("dpkg-query -W -f '${db:Status-Status} ${Version}' postern", "installed "+version)
	m.is("stat -c '%A %U:%G' /etc/postern /etc/postern/environment /var/lib/postern", "drwxr-s--- root:postern\n-rw-r----- root:postern\ndrwx------ postern:postern")
	m.is("systemctl is-enabled postern", "enabled")
	m.is("systemctl is-active postern", "inactive") // there is nothing to serve yet, which is no failure
	m.is("systemctl --failed --plain --no-legend", "")
	m.is("man --path postern", "/usr/share/man/man1/postern.1.gz")
	m.run("systemd-analyze verify /usr/lib/systemd/system/postern.service")
	// 0 is a process that can do nothing; Debian's own services are between 60 and 100.
	m.run("systemd-analyze security --offline=true --threshold=15 /usr/lib/systemd/system/postern.service")

	m.run("postern init --yes --domain example.org --out /etc/postern")
	m.is("find /etc/postern -type f ! -name environment -printf '%m %u:%g\n' | sort -u", "640 root:postern")
	m.run("install -o root -g prosody -m 0640 /etc/postern/postern.cfg.lua /etc/prosody/conf.d/postern.cfg.lua && systemctl restart prosody")
	m.run("runuser -u postern -- postern check")
	m.run("systemctl start postern")
	serves(m)
	confined(m)
	m.run("systemctl reload postern")
	m.until("journalctl --no-pager -u postern _PID=$(systemctl show -P MainPID postern) | grep -q 'configuration read again'")

	m.run("echo HTTPS_PROXY=http://127.0.0.1:3128 >>/etc/postern/environment && echo '# mine' >>/etc/postern/postern.yaml")
	before := m.run("sha256sum /etc/postern/* /var/lib/postern/replica")
	first := m.run("systemctl show -P MainPID postern")
	m.run("dpkg --install /mnt/next.deb </dev/null")
	m.is("dpkg-query -W -f '${Version}' postern", "9999")
	m.is("sha256sum /etc/postern/* /var/lib/postern/replica", before)
	serves(m)
	if again := m.run("systemctl show -P MainPID postern"); again == first || again == "0" {
		t.Errorf("after the upgrade: got process %s, want another than %s", again, first)
	}
	m.is(`tr '\0' '\n' </proc/$(systemctl show -P MainPID postern)/environ | grep PROXY`, "HTTPS_PROXY=http://127.0.0.1:3128")

	// What a broken installation is repaired with runs the scripts again.
	m.run("/var/lib/dpkg/info/postern.postinst configure 9999 && /var/lib/dpkg/info/postern.postinst configure 9999")
	m.is("sha256sum /etc/postern/* /var/lib/postern/replica", before)
	serves(m)

	m.run("dpkg --remove postern")
	m.is("systemctl is-active postern", "inactive")
	m.is("test -e /usr/bin/postern || sha256sum /etc/postern/* /var/lib/postern/replica", before)
	m.run("dpkg --install /mnt/this.deb </dev/null")
	serves(m) // with what it had

	m.run("dpkg --purge postern")
	m.is("find / -xdev -name '*postern*' -not -path '/proc/*' -not -path '/var/log/*' -not -path '/var/cache/*' | grep -v '^/etc/prosody/conf.d/postern.cfg.lua$'", "")
	m.is("systemctl --failed --plain --no-legend", "")
	m.is("getent passwd postern | cut -d: -f6,7", "/var/lib/postern:/usr/sbin/nologin") // its number goes to nobody else
}

// serves waits until the service is ready and the component of the XMPP server.
func serves(m *machine) {
	m.t.Helper()
	m.until("postern ready")
	m.until("journalctl --no-pager -u postern _PID=$(systemctl show -P MainPID postern) | grep -q 'xmpp stream up'")
}

// confined looks at what the kernel says of the process that runs.
func confined(m *machine) {
	m.t.Helper()
	status := "cat /proc/$(systemctl show -P MainPID postern)/status | "
	m.is(status+"awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ { print $1 $2 }'", "CapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2")
	m.is("stat -c %U /proc/$(systemctl show -P MainPID postern)", "postern")
	as := "nsenter --target $(systemctl show -P MainPID postern) --mount --setuid $(id -u postern) --setgid $(id -g postern) "
	m.is(as+"sh -c 'touch /var/lib/postern/x && rm /var/lib/postern/x && echo written'", "written")
	for _, path := range []string{"/etc/postern/x", "/usr/x", "/var/x", "/home/x"} {
		if out, err := m.try(as + "touch " + path); err == nil || !strings.Contains(out, "Read-only file system") && !strings.Contains(out, "Permission denied") {
			m.t.Errorf("%s: got %q, %v, want it refused", path, out, err)
		}
	}
}
