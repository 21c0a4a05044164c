package diff

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stdevel/katprep"
)

// updates returns what became of every pending update of either side. An
// update that was installed while a newer one came out is two: one installed,
// one new.
func (p *pair) updates() []katprep.UpdateChange {
	before, after := updatesOf(p.before), updatesOf(p.after)
	var changes []katprep.UpdateChange
	for k, b := range before {
		a, still := after[k]
		c, over := p.update(b, a, still)
		changes = append(changes, c)
		if over {
			changes = append(changes, p.newUpdate(a))
		}
	}
	for k, a := range after {
		if _, known := before[k]; !known {
			changes = append(changes, p.newUpdate(a))
		}
	}
	slices.SortFunc(changes, func(a, b katprep.UpdateChange) int {
		return cmp.Or(rank(a.Ending)-rank(b.Ending), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
	return changes
}

func updatesOf(s *katprep.State) map[katprep.PackageKey]katprep.Update {
	m := map[katprep.PackageKey]katprep.Update{}
	if s == nil || s.Status == katprep.Failed {
		return m
	}
	for _, u := range s.Updates {
		m[katprep.PackageKey{Name: u.Name, Arch: u.Arch}] = u
	}
	return m
}

// newUpdate judges an update that only the after-snapshot lists.
func (p *pair) newUpdate(u katprep.Update) katprep.UpdateChange {
	c := katprep.UpdateChange{Update: u, Ending: katprep.New, After: p.versionAfter(u)}
	switch {
	case p.presence == katprep.OnlyAfter:
		c.Reason = "the host was added"
	case p.before == nil || p.before.Status == katprep.Failed:
		c.Ending, c.Reason = katprep.Pending, "the host was not collected before"
	case !knows(p.before, katprep.AspectUpdates):
		c.Ending, c.Reason = katprep.Pending, "updates were not collected before"
	}
	return c
}

// update judges an update of the before-snapshot. over says that the one
// listed afterwards is another one.
func (p *pair) update(b, a katprep.Update, still bool) (c katprep.UpdateChange, over bool) {
	c = katprep.UpdateChange{Update: b, After: p.versionAfter(b)}
	reached, why := p.moved(b)
	switch {
	case still && reached && (a.To != b.To || p.waiting(b)):
		over = a.To != b.To
		p.installedUpdate(&c)
	case still:
		c.Update, c.Ending = a, katprep.Pending // the newest offer is what is pending
	case p.unknownAfter(katprep.AspectUpdates, "updates were not collected afterwards") != "":
		c.Ending, c.Reason = katprep.Unknown, p.unknownAfter(katprep.AspectUpdates, "updates were not collected afterwards")
	case reached:
		p.installedUpdate(&c)
	case p.noVersions() != "":
		c.Ending, c.Reason = katprep.Unknown, "gone from the list, but "+why
	default:
		c.Ending, c.Reason = katprep.NoLonger, why
	}
	return c, over
}

// waiting reports whether the update is a kernel that was installed since the
// first snapshot and does not run yet.
func (p *pair) waiting(u katprep.Update) bool {
	return isKernel(u.Name) && p.kernelWaits(u.To) != "" && p.fresh(katprep.PackageKey{Name: u.Name, Arch: u.Arch}, u.To)
}

func (p *pair) installedUpdate(c *katprep.UpdateChange) {
	c.Ending = katprep.Installed
	if !isKernel(c.Name) {
		return
	}
	if why := p.kernelWaits(c.To); why != "" {
		c.Ending, c.Reason = katprep.RebootPending, why
	}
}

// moved reports whether versions prove that the package went from below the
// update to it, and why not.
func (p *pair) moved(u katprep.Update) (bool, string) {
	k := katprep.PackageKey{Name: u.Name, Arch: u.Arch}
	if why := p.noVersions(); why != "" {
		return false, why
	}
	_, had := p.installed(p.was(), k)
	now, has := p.installed(p.now(), k)
	switch {
	case !had:
		return false, fmt.Sprintf("%s was not installed before", k)
	case !has:
		return false, fmt.Sprintf("%s was removed", k)
	case compare(p.format, p.effective(p.before, p.was(), k), u.To) >= 0:
		return false, fmt.Sprintf("%s was not older before", k)
	case compare(p.format, now, u.To) < 0:
		return false, fmt.Sprintf("%s is at %s and does not reach %s", k, now, u.To)
	}
	return true, ""
}

func (p *pair) versionAfter(u katprep.Update) katprep.EVR {
	v, _ := p.installed(p.now(), katprep.PackageKey{Name: u.Name, Arch: u.Arch})
	return v
}
