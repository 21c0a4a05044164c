package diff

import (
	"cmp"
	"slices"

	"github.com/stdevel/katprep"
)

// errata returns what became of every erratum of either side.
func (p *pair) errata() []katprep.ErratumChange {
	before, after := errataOf(p.before), errataOf(p.after)
	changes := make([]katprep.ErratumChange, 0, len(before)+len(after))
	for id, b := range before {
		a, still := after[id]
		changes = append(changes, p.erratum(id, &b, listed(a, still)))
	}
	for id, a := range after {
		if _, known := before[id]; !known {
			changes = append(changes, p.erratum(id, nil, &a))
		}
	}
	slices.SortFunc(changes, func(a, b katprep.ErratumChange) int {
		return cmp.Or(rank(a.Ending)-rank(b.Ending), severityRank(a.Severity)-severityRank(b.Severity), cmp.Compare(a.ID, b.ID))
	})
	return changes
}

func listed(e katprep.HostErratum, ok bool) *katprep.HostErratum {
	if !ok {
		return nil
	}
	return &e
}

// errataOf returns a state's errata by ID. Twice the same is installable if
// one of them is.
func errataOf(s *katprep.State) map[string]katprep.HostErratum {
	m := map[string]katprep.HostErratum{}
	if s == nil || s.Status == katprep.Failed {
		return m
	}
	for _, e := range s.Errata {
		e.Installable = e.Installable || m[e.ID].Installable
		m[e.ID] = e
	}
	return m
}

func rank(e katprep.Ending) int { return slices.Index(katprep.Endings[:], e) }

// severityRank orders the vendors' own words behind those that are known.
func severityRank(s katprep.Severity) int {
	if i := slices.Index(katprep.Severities[:], s); i >= 0 {
		return i
	}
	return len(katprep.Severities)
}

// erratum judges one erratum by where it is listed; nil is nowhere.
func (p *pair) erratum(id string, before, after *katprep.HostErratum) katprep.ErratumChange {
	e, found := p.lookup(id)
	c := katprep.ErratumChange{ID: id, Type: e.Type, Severity: e.Severity, Issued: e.Issued, Title: e.Title, CVEs: e.CVEs}
	switch {
	case before == nil:
		c.Installable = after.Installable
		c.Ending, c.Reason = p.appeared(after.Installable)
	case after != nil:
		c.Installable = after.Installable
		p.remained(&c, before, e, found)
	default:
		c.Installable = before.Installable
		p.vanished(&c, e, found)
	}
	return c
}

// aspectOf returns the aspect that lists an erratum.
func aspectOf(installable bool) katprep.Aspect {
	if installable {
		return katprep.AspectErrata
	}
	return katprep.AspectApplicable
}

// appeared judges an erratum that only the after-snapshot lists. It is new
// only if the before-snapshot would have listed it.
func (p *pair) appeared(installable bool) (katprep.Ending, string) {
	switch {
	case p.presence == katprep.OnlyAfter:
		return katprep.New, "the host was added"
	case p.before == nil || p.before.Status == katprep.Failed:
		return katprep.Pending, "the host was not collected before"
	case !knows(p.before, aspectOf(installable)):
		return katprep.Pending, "errata were not collected before"
	}
	return katprep.New, ""
}

// remained judges an erratum that both list. A kernel's fix stays listed
// until that kernel runs; only versions show it.
func (p *pair) remained(c *katprep.ErratumChange, before *katprep.HostErratum, e katprep.Erratum, found bool) {
	c.Ending = katprep.Pending
	if p.before == p.after {
		return
	}
	v := p.prove(e, found)
	kernel := func(pr katprep.Proof) bool { return isKernel(pr.Package.Name) }
	fresh := func(pr katprep.Proof) bool { return kernel(pr) && p.fresh(pr.Package, pr.Fixed) }
	switch {
	case slices.ContainsFunc(v.proof, kernel) && v.pending != "":
		if !slices.ContainsFunc(v.proof, fresh) {
			c.Reason = "installed before already, but " + v.pending
			return
		}
		c.Ending, c.Proof, c.Reason = katprep.RebootPending, v.proof, v.pending
	case len(v.proof) > 0:
		c.Reason = "still listed, although installed versions reach the fixed ones"
	case before.Installable && !c.Installable:
		c.Reason = "no longer installable from the host's content"
	}
}

// vanished judges an erratum that only the before-snapshot lists.
func (p *pair) vanished(c *katprep.ErratumChange, e katprep.Erratum, found bool) {
	if why := p.unknownAfter(aspectOf(c.Installable), "errata were not collected afterwards"); why != "" {
		c.Ending, c.Reason = katprep.Unknown, why
		return
	}
	v := p.prove(e, found)
	switch {
	case v.unknown:
		c.Ending, c.Reason = katprep.Unknown, "gone from the list, but "+v.reason
	case len(v.proof) == 0:
		c.Ending, c.Reason = katprep.NoLonger, v.reason
	case v.pending != "":
		c.Ending, c.Proof, c.Reason = katprep.RebootPending, v.proof, v.pending
	default:
		c.Ending, c.Proof = katprep.Installed, v.proof
	}
}

const removed = "the host is no longer known to its source"

// unknownAfter says why the after-snapshot cannot tell about an aspect, or "".
func (p *pair) unknownAfter(a katprep.Aspect, missing string) string {
	switch {
	case p.after == nil && p.why != "":
		return p.why
	case p.after == nil:
		return removed
	case p.after.Status == katprep.Failed:
		return "the host was not collected afterwards" + cause(p.after.Problems)
	case !knows(p.after, a):
		return missing
	}
	return ""
}

func cause(problems []katprep.Problem) string {
	for _, pr := range problems {
		if !pr.Warning && pr.Message != "" {
			return ": " + pr.Message
		}
	}
	return ""
}
