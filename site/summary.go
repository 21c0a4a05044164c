package site

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A summary is what is kept of one host in one comparison: enough for every
// page but the host's own page of the change.
type summary struct {
	Host       katprep.Host
	Group      string // host group
	Presence   katprep.Presence
	Before     katprep.Status
	After      katprep.Status
	Rebooted   katprep.Answer
	Need       katprep.Need
	Flags      flags
	Packages   int
	Downgraded int
	Unplanned  int      // changes that no plan asked for
	Size       int      // bytes of the page of the change
	Problems   []string // of a gap
	Errata     []outcome
}

// An outcome is what became of one erratum.
type outcome struct {
	ID     string
	Ending uint8 // index into katprep.Endings
}

// flags are what is true of a summary.
type flags uint8

const (
	flagChanged    flags = 1 << iota // something differs
	flagGap                          // not read in full
	flagPage                         // has a page of the change
	flagKernel                       // runs another kernel
	flagNoErrata                     // errata are not known afterwards
	flagBlind                        // neither errata nor updates are known of a host that was read
	flagNoPackages                   // packages are not known on both sides, so that no change of them is
)

func (s *summary) is(f flags) bool { return s.Flags&f != 0 }

// packagesKnown reports whether the number of changed packages is known. A
// host that is on one side only has no change of packages that could be.
func (s *summary) packagesKnown() bool { return s.Packages > 0 || !s.is(flagNoPackages) }

func (s *summary) word() render.Word {
	h := katprep.HostChange{Presence: s.Presence}
	if s.is(flagChanged) {
		h.Kernel.After = "changed"
	}
	return render.PresenceWord(&h)
}

func (s *summary) counts() (n [len(katprep.Endings)]int32) {
	for _, o := range s.Errata {
		n[o.Ending]++
	}
	return n
}

// summarise makes a summary of a change.
func summarise(h *katprep.HostChange, page bool, plan *katprep.HostPlan) summary {
	s := summary{Host: h.Host, Group: h.Facts.HostGroup, Presence: h.Presence, Before: h.Before, After: h.After, Rebooted: h.Boot.Rebooted, Need: h.Reboot.Need, Packages: len(h.Packages)}
	if h.Changed() {
		s.Flags |= flagChanged
	}
	if render.Gap(h) {
		s.Flags |= flagGap
		for _, p := range h.Problems {
			s.Problems = append(s.Problems, problem(p))
		}
	}
	if page && s.Flags&(flagChanged|flagGap) != 0 {
		s.Flags |= flagPage
	}
	if h.Kernel.Before != h.Kernel.After {
		s.Flags |= flagKernel
	}
	if h.After != "" && !h.Knows(katprep.AspectErrata) {
		s.Flags |= flagNoErrata
		if h.After != katprep.Failed && !h.Knows(katprep.AspectUpdates) {
			s.Flags |= flagBlind
		}
	}
	if packagesUnknown(h) {
		s.Flags |= flagNoPackages
	}
	for i := range h.Packages {
		if h.Packages[i].Kind == katprep.Downgraded {
			s.Downgraded++
		}
		if plan != nil && !planned(plan, &h.Packages[i]) {
			s.Unplanned++
		}
	}
	for _, e := range h.Errata {
		s.Errata = append(s.Errata, outcome{e.ID, endingIndex(e.Ending)})
	}
	return s
}

// packagesUnknown reports whether the packages of one side are not known, so
// that nobody can say which of them changed.
func packagesUnknown(h *katprep.HostChange) bool {
	lost := func(p katprep.Problem) bool { return p.Aspect == katprep.AspectPackages && !p.Warning }
	return h.After != "" && !h.Knows(katprep.AspectPackages) || h.Before == katprep.Failed || slices.ContainsFunc(h.Problems, lost)
}

func problem(p katprep.Problem) string {
	if p.Aspect == "" {
		return render.Line(p.Message)
	}
	return render.Line(string(p.Aspect)) + ": " + render.Line(p.Message)
}

// planned reports whether the plan asked for a package's change: by an
// erratum that it fixes, or by name.
func planned(plan *katprep.HostPlan, p *katprep.PackageChange) bool {
	for _, want := range plan.Errata {
		for _, id := range p.Errata {
			if id == want {
				return true
			}
		}
	}
	for i := range plan.Updates {
		if plan.Updates[i].Name == p.Name {
			return true
		}
	}
	return false
}

// An encoder writes summaries as bytes: counts and lengths as varints, each
// erratum's ID once.
type encoder struct {
	b   []byte
	ids map[string]int
}

func (e *encoder) int(n int) { e.b = binary.AppendUvarint(e.b, uint64(n)) }

func (e *encoder) str(s string) {
	e.int(len(s))
	e.b = append(e.b, s...)
}

func encodeSummaries(key string, same int, list []summary, mv moves) []byte {
	e := &encoder{ids: map[string]int{}}
	e.str(key)
	e.int(same)
	e.int(len(list))
	for i := range list {
		s := &list[i]
		for _, t := range []string{s.Host.Source, s.Host.ID, s.Host.Name, s.Group, string(s.Presence), string(s.Before), string(s.After), string(s.Rebooted), string(s.Need)} {
			e.str(t)
		}
		for _, n := range []int{int(s.Flags), s.Packages, s.Downgraded, s.Unplanned, s.Size, len(s.Problems)} {
			e.int(n)
		}
		for _, p := range s.Problems {
			e.str(p)
		}
		e.int(len(s.Errata))
		for _, o := range s.Errata {
			e.outcome(o)
		}
	}
	e.moves(mv)
	return e.b
}

func (e *encoder) outcome(o outcome) {
	n, ok := e.ids[o.ID]
	if !ok {
		n = len(e.ids)
		e.ids[o.ID] = n
	}
	e.int(n)
	if !ok {
		e.str(o.ID)
	}
	e.int(int(o.Ending))
}

var errCache = errors.New("the remembered comparison is damaged")

type decoder struct {
	b   []byte
	ids []string
	err error
}

func (d *decoder) int(limit int) int {
	n, k := binary.Uvarint(d.b)
	if k <= 0 || n > uint64(limit) {
		d.err, d.b = errCache, nil
		return 0
	}
	d.b = d.b[k:]
	return int(n)
}

func (d *decoder) str() string {
	n := d.int(len(d.b))
	if n > len(d.b) { // the length itself took bytes
		d.err, d.b = errCache, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

const maxCount = 1 << 31

// decodeSummaries reads what encodeSummaries wrote, if it was for key.
func decodeSummaries(key string, b []byte) (same int, list []summary, mv moves, err error) {
	d := &decoder{b: b}
	if d.str() != key {
		return 0, nil, nil, fmt.Errorf("%w: it is of another comparison", errCache)
	}
	same = d.int(maxCount)
	n := d.int(len(d.b))
	list = make([]summary, 0, n)
	for range n {
		list = append(list, d.summary())
		if d.err != nil {
			return 0, nil, nil, d.err
		}
	}
	mv = d.moves()
	if d.err != nil || len(d.b) > 0 {
		return 0, nil, nil, errCache
	}
	return same, list, mv, nil
}

func (d *decoder) summary() (s summary) {
	s.Host.Source, s.Host.ID, s.Host.Name, s.Group = d.str(), d.str(), d.str(), d.str()
	s.Presence, s.Before, s.After = katprep.Presence(d.str()), katprep.Status(d.str()), katprep.Status(d.str())
	s.Rebooted, s.Need = katprep.Answer(d.str()), katprep.Need(d.str())
	s.Flags, s.Packages, s.Downgraded, s.Unplanned, s.Size = flags(d.int(255)), d.int(maxCount), d.int(maxCount), d.int(maxCount), d.int(maxCount)
	for range d.int(len(d.b)) {
		s.Problems = append(s.Problems, d.str())
	}
	for range d.int(len(d.b)) {
		s.Errata = append(s.Errata, d.outcome())
	}
	return s
}

func (d *decoder) outcome() outcome {
	n := d.int(len(d.ids))
	if d.err == nil && n == len(d.ids) {
		d.ids = append(d.ids, d.str())
	}
	if d.err != nil {
		return outcome{}
	}
	return outcome{d.ids[n], uint8(d.int(len(katprep.Endings) - 1))}
}
