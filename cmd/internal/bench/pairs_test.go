//go:build servers && bench

package bench

import (
	"flag"
	"path/filepath"
	"strings"

	"postern/cmd/internal/chaos/stand"
)

var (
	beside = flag.String("beside", "", "programs of other builds, which the part pairs measures in turn with this one")
	rounds = flag.Int("rounds", 2, "how often the part pairs measures each")
)

// measurePairs puts the floods alone on the floor, this build and another, in turn: on a machine with other work to do only what was
// measured within the same minute compares.
func (r *rig) measurePairs() (all []System) {
	r.t.Helper()
	for range *rounds {
		all = append(all, r.measureFloor(storingFloor, "-redis", r.Redis.Addr()))
		all = append(all, r.measurePostern("postern"))
		for program := range strings.FieldsSeq(*beside) {
			all = append(all, r.withOther(program, func() System { return r.measurePostern("beside: " + filepath.Base(program)) }))
		}
	}
	return all
}

// withOther measures with the program of another build.
func (r *rig) withOther(program string, measure func() System) System {
	r.program = func(p *stand.Process) { p.Program(program) }
	defer func() { r.program = nil }()
	return measure()
}
