package app

import (
	"fmt"
	"runtime/debug"

	"postern/gateway"
)

// BuildInfo says which program this is.
type BuildInfo struct {
	// Version is the module's version, or the revision that it was built from.
	Version string
	// Revision is the commit, empty when unknown; Modified is true when the checkout had changes.
	Revision string
	Modified bool
	Go       string
	// Schema is the version of what the store holds.
	Schema int
}

// stamped is a version that the linker wrote into the program, for builds that know it better than the module:
// go build -ldflags "-X postern/cmd/internal/app.stamped=1.2.3".
var stamped string

// Version reads what compiler and linker wrote into the program.
func Version() BuildInfo {
	v := BuildInfo{Version: "devel", Schema: gateway.SchemaVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Go = info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	switch m := info.Main.Version; {
	case stamped != "":
		v.Version = stamped
	case m != "" && m != "(devel)":
		v.Version = m
	case len(v.Revision) >= 12:
		v.Version = v.Revision[:12]
	}
	return v
}

// String is what postern version prints.
func (v BuildInfo) String() string {
	out := "postern " + v.Version
	if v.Revision != "" {
		out += fmt.Sprintf("\nrevision %s", v.Revision)
		if v.Modified {
			out += ", with changes"
		}
	}
	return out + fmt.Sprintf("\n%s\nstore schema %d\n", v.Go, v.Schema)
}
