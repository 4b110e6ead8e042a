package doctor

import "postern/cmd/internal/app"

const groupFiles = "files"

// files reads what the configuration names.
func (v *visit) files() {
	problems := app.CheckFiles(v.cfg)
	for _, p := range problems {
		v.found(groupFiles, Fault, "%s", p.Error()).lost("the gateway does not start")
	}
	if len(problems) == 0 {
		v.found(groupFiles, OK, "all files that the configuration names can be read")
	}
}
