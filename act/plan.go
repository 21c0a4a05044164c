package act

import (
	"cmp"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// A PlanRequest is who wants a plan, and for what.
type PlanRequest struct {
	Run       katprep.RunID
	Title     string
	By        string
	Created   time.Time
	Version   string
	Before    katprep.CommitID // the snapshot that the states are from
	Selection katprep.Selection
	Settings  Settings
	// States are the selected hosts as of the before-snapshot.
	States []katprep.State
	// Erratum returns what is known of an erratum; nil is nothing.
	Erratum func(id string) (katprep.Erratum, bool)
}

// NewPlan freezes what is to be done with each host. It asks nobody: the
// same request gives the same plan. Hosts for which nothing can or need be
// done are in the plan, without steps and with a note that says why. What
// cannot be planned as asked (a VM snapshot without a hypervisor, a
// parameter that names no system) is an error for all such hosts.
func NewPlan(r PlanRequest) (katprep.Plan, error) {
	if !r.Run.Valid() {
		return katprep.Plan{}, katprep.Errorf(katprep.Invalid, "%q cannot be the name of a run: letters, digits, '.', '_' and '-', at most 64", r.Run)
	}
	if err := r.Settings.check(); err != nil {
		return katprep.Plan{}, err
	}
	if len(r.States) == 0 {
		return katprep.Plan{}, katprep.Errorf(katprep.NotFound, "plan %s: the snapshot has no host that is selected", r.Run)
	}
	if r.Erratum == nil {
		r.Erratum = func(string) (katprep.Erratum, bool) { return katprep.Erratum{}, false }
	}
	p := katprep.Plan{
		Format: PlanFormat, Run: r.Run, Title: r.Title, Created: r.Created.UTC().Truncate(time.Second), By: r.By,
		Version: r.Version, Before: r.Before, Selection: r.Selection, Window: r.Settings.Window,
		Limits: katprep.Limits{
			Concurrency: r.Settings.Concurrency, MaxFailures: r.Settings.MaxFailures,
			OnFailure: r.Settings.OnFailure, PerSystem: r.Settings.PerSystem,
			VMSnapshotAge: cmp.Or(r.Settings.SnapshotAge, katprep.VMSnapshotMaxAge).String(),
		},
	}
	var problems []error
	for i := range r.States {
		h, err := planHost(&r, &r.States[i])
		problems = append(problems, err)
		p.Hosts = append(p.Hosts, h)
	}
	var waveOf []int
	p.Waves, waveOf = assignWaves(r.Settings.Waves, r.States, func(i int) bool { return len(p.Hosts[i].Steps) > 0 })
	for i := range p.Hosts {
		p.Hosts[i].Wave = waveOf[i]
	}
	slices.SortFunc(p.Hosts, compareHosts)
	return p, errors.Join(problems...)
}

func compareHosts(a, b katprep.HostPlan) int {
	return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
}

// assignWaves gives each host the first wave that wants it. Waves that get
// no host are left out. busy says which hosts have something to do.
func assignWaves(rules []WaveRule, states []katprep.State, busy func(i int) bool) ([]katprep.Wave, []int) {
	waveOf := make([]int, len(states))
	for i := range waveOf {
		waveOf[i] = -1
	}
	var waves []katprep.Wave
	for _, rule := range rules {
		members := wanted(&rule, states, waveOf, busy)
		for _, i := range members {
			waveOf[i] = len(waves)
		}
		if len(members) > 0 {
			waves = append(waves, rule.Wave)
		}
	}
	rest := false
	for i := range waveOf {
		if waveOf[i] < 0 {
			waveOf[i], rest = len(waves), true
		}
	}
	if rest {
		name := "rest"
		if len(waves) == 0 {
			name = "all"
		}
		waves = append(waves, katprep.Wave{Name: name})
	}
	return waves, waveOf
}

// wanted returns the indexes of hosts without a wave that the rule takes. A
// percentage is one of the hosts that have something to do, since others try
// nothing out, and takes the same hosts each time, spread over all of them.
func wanted(rule *WaveRule, states []katprep.State, waveOf []int, busy func(i int) bool) []int {
	var is []int
	matching := 0
	part := rule.Percent != 0 && rule.Percent != 100
	for i := range states {
		if rule.matches(&states[i]) && (!part || busy(i)) {
			matching++
			if waveOf[i] < 0 {
				is = append(is, i)
			}
		}
	}
	if !part {
		return is
	}
	slices.SortStableFunc(is, func(a, b int) int {
		return cmp.Or(cmp.Compare(spread(states[a].HostID), spread(states[b].HostID)), cmp.Compare(states[a].Name, states[b].Name))
	})
	return is[:min(len(is), (matching*rule.Percent+99)/100)]
}

func spread(id katprep.HostID) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id.String()))
	return h.Sum64()
}
