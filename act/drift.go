package act

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A Drift is what changed for one host since a plan was made.
type Drift struct {
	katprep.Host
	Gone    bool     `json:"gone,omitempty"`    // the host is no longer known
	New     []string `json:"new,omitempty"`     // errata that the plan does not have
	Missing []string `json:"missing,omitempty"` // errata that the plan has and the host no longer needs
	Moved   string   `json:"moved,omitempty"`   // a parameter or fact that leads to another system
}

// String says it in one line.
func (d Drift) String() string {
	var parts []string
	if d.Gone {
		parts = append(parts, "no longer there")
	}
	if len(d.New) > 0 {
		parts = append(parts, "new: "+shortList(d.New))
	}
	if len(d.Missing) > 0 {
		parts = append(parts, "no longer pending: "+shortList(d.Missing))
	}
	if d.Moved != "" {
		parts = append(parts, d.Moved)
	}
	return d.Name + ": " + strings.Join(parts, "; ")
}

func shortList(ids []string) string {
	if len(ids) > 5 {
		return strings.Join(ids[:5], ", ") + fmt.Sprintf(" and %d more", len(ids)-5)
	}
	return strings.Join(ids, ", ")
}

// Drifted compares the hosts of a run as they were when the plan was made
// with a later look at them. Hosts that the journal shows to be patched, or
// about to be, are left out: they change because of the run. So are hosts
// whose errata the later look does not know. complete says that hosts that
// are not in the later look are gone.
func Drifted(rec katprep.RunRecord, before, now map[katprep.HostID]katprep.State, complete bool) ([]Drift, error) {
	p, err := fold(func(yield func(katprep.Entry, error) bool) {
		for _, e := range rec.Journal {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var ds []Drift
	for i := range rec.Plan.Hosts {
		h := &rec.Plan.Hosts[i]
		was, had := before[h.HostID]
		is, has := now[h.HostID]
		switch {
		case len(h.Steps) == 0, p.begun(h, katprep.StageExecute), !had:
		case !has && complete:
			ds = append(ds, Drift{Host: h.Host, Gone: true})
		case has && is.Knows(katprep.AspectErrata) == was.Knows(katprep.AspectErrata):
			d := Drift{Host: h.Host, New: without(installable(is), installable(was)), Missing: without(installable(was), installable(is)), Moved: moved(was, is)}
			if len(d.New)+len(d.Missing) > 0 || d.Moved != "" {
				ds = append(ds, d)
			}
		}
	}
	return ds, nil
}

func installable(s katprep.State) []string {
	var ids []string
	for _, e := range s.Errata {
		if e.Installable {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// moved names the parameters of ours that have another value now.
func moved(was, is katprep.State) string {
	if !was.Knows(katprep.AspectParameters) || !is.Knows(katprep.AspectParameters) {
		return ""
	}
	ours := func(s katprep.State) []string {
		var ps []string
		for _, p := range s.Parameters {
			if strings.HasPrefix(p.Name, "katprep_") {
				ps = append(ps, p.Name+"="+p.Value)
			}
		}
		return ps
	}
	changed := append(without(ours(was), ours(is)), without(ours(is), ours(was))...)
	if len(changed) == 0 {
		return ""
	}
	return "parameters changed: " + shortList(changed)
}

// without returns what is in a and not in b.
func without(a, b []string) []string {
	var rest []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			rest = append(rest, s)
		}
	}
	return rest
}
