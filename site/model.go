package site

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A model is what a build remembers while hosts stream by: numbers, not
// states.
type model struct {
	snapshots   []katprep.SnapshotRef // oldest first
	runs        map[katprep.RunID]*katprep.RunRecord
	noted       map[katprep.RunID]noted
	pairs       []*pair // by the time of the after-snapshot
	errata      map[string]*katprep.Erratum
	hosts       []*host
	index       map[katprep.HostID]int32
	records     map[string][]record // by erratum ID
	sums        map[string][32]byte // of the details of errata
	erratumSums map[string]erratumSum
	packages    map[string]*pkg
	followed    map[string]bool // packages that have pages
}

// A pair is two snapshots that are compared: a maintenance, or a snapshot and
// the one before it.
type pair struct {
	Run     katprep.RunID
	Record  *katprep.RunRecord
	Before  *katprep.SnapshotRef // nil: a run without
	After   *katprep.SnapshotRef // nil: a run that is under way
	dir     string
	from    provenance
	to      provenance
	by      *string // who ran it, once somebody asked
	entries int     // of the journal
	asked   bool    // neither a maintenance nor neighbours: somebody asked for it
	totals  totals
	run     *runView
}

// A host is what is kept of a host.
type host struct {
	katprep.Host
	slug   string
	events []event
	latest bool // in the newest snapshot
	status katprep.Status
	open   int32 // installable errata
	// updates are pending. What is not known is no figure.
	updates                                  int32
	errataKnown, updatesKnown, packagesKnown bool
	group                                    string
	crit                                     string // criticality
	need                                     katprep.Need
}

// An event is a host in a pair, in short. There is one for every change of
// every host, so that its fields are small.
type event struct {
	pair     int32
	packages int32
	errata   [len(katprep.Endings)]uint16
	presence uint8 // index into presences
	rebooted uint8 // index into answers
	flags    flags
}

var (
	presences = [...]katprep.Presence{katprep.NotCollected, katprep.InBoth, katprep.OnlyBefore, katprep.OnlyAfter, katprep.NotSelected}
	answers   = [...]katprep.Answer{katprep.NotKnown, katprep.Yes, katprep.No}
)

// newEvent makes an event of a summary. What no list knows reads as unknown.
func newEvent(pair int, s *summary) event {
	e := event{pair: int32(pair), packages: int32(s.Packages), flags: s.Flags,
		presence: uint8(max(0, slices.Index(presences[:], s.Presence))), rebooted: uint8(max(0, slices.Index(answers[:], s.Rebooted)))}
	for i, n := range s.counts() {
		e.errata[i] = uint16(min(n, math.MaxUint16))
	}
	return e
}

// A record is a host with an erratum in a pair; pair -1 is the newest
// snapshot, in which the erratum is open.
type record struct {
	host   int32
	pair   int16
	ending uint8 // index into katprep.Endings
}

func newModel() *model {
	return &model{
		runs: map[katprep.RunID]*katprep.RunRecord{}, noted: map[katprep.RunID]noted{}, errata: map[string]*katprep.Erratum{},
		index: map[katprep.HostID]int32{}, records: map[string][]record{}, sums: map[string][32]byte{}, erratumSums: map[string]erratumSum{},
		packages: map[string]*pkg{}, followed: map[string]bool{},
	}
}

func (m *model) hostIndex(h katprep.Host) int32 {
	i, ok := m.index[h.HostID]
	if !ok {
		i = int32(len(m.hosts))
		m.hosts = append(m.hosts, &host{Host: h, slug: hostSlug(h)})
		m.index[h.HostID] = i
	}
	return i
}

func endingIndex(e katprep.Ending) uint8 {
	for i, k := range katprep.Endings {
		if k == e {
			return uint8(i)
		}
	}
	return 4 // unknown
}

// load reads everything that does not grow with the number of hosts.
func (m *model) load(ctx context.Context, src Source, o *Options) error {
	for s, err := range src.Snapshots(ctx) {
		if err != nil {
			return err
		}
		m.snapshots = append(m.snapshots, s)
	}
	slices.Reverse(m.snapshots)
	// Imported snapshots may have been stored after newer ones.
	slices.SortStableFunc(m.snapshots, func(a, b katprep.SnapshotRef) int { return a.Snapshot.Started.Compare(b.Snapshot.Started) })
	_, again := src.(Recorder)
	for r, err := range src.Runs(ctx) {
		if err != nil {
			return err
		}
		m.note(&r, again)
	}
	if len(m.snapshots) > 0 {
		for e, err := range src.Errata(ctx, m.head().Commit) {
			if err != nil {
				return err
			}
			m.errata[e.ID] = &e
			if raw, err := json.Marshal(e); err == nil {
				m.sums[e.ID] = sha256.Sum256(raw)
			}
		}
	}
	return m.findPairs(ctx, src, o)
}

func (m *model) head() *katprep.SnapshotRef { return &m.snapshots[len(m.snapshots)-1] }

// findPairs says what is compared with what.
func (m *model) findPairs(ctx context.Context, src Source, o *Options) error {
	ends := map[katprep.RunID]*pair{}
	get := func(r katprep.RunID) *pair {
		if ends[r] == nil {
			n := m.noted[r]
			ends[r] = &pair{Run: r, Record: m.runs[r], by: &n.by, entries: n.entries, dir: "maintenances/" + runSlug(r)}
			m.pairs = append(m.pairs, ends[r])
		}
		return ends[r]
	}
	for r := range m.runs {
		get(r)
	}
	for i := range m.snapshots {
		s := &m.snapshots[i]
		switch s.Snapshot.Phase {
		case katprep.Before:
			get(s.Snapshot.Run).Before = s
		case katprep.After:
			get(s.Snapshot.Run).After = s
		}
	}
	if t, ok := src.(Tagger); ok {
		for _, p := range ends {
			if err := m.tagged(ctx, t, p); err != nil {
				return err
			}
		}
	}
	type both struct{ before, after *katprep.SnapshotRef }
	told := map[both]bool{} // by the page of a maintenance
	for _, p := range m.pairs {
		told[both{p.Before, p.After}] = true
	}
	for i := 1; i < len(m.snapshots); i++ {
		before, after := &m.snapshots[i-1], &m.snapshots[i]
		if told[both{before, after}] {
			continue
		}
		m.pairs = append(m.pairs, &pair{Before: before, After: after, dir: "snapshots/" + string(after.Commit[:min(16, len(after.Commit))])})
	}
	if err := m.findAsked(o); err != nil {
		return err
	}
	slices.SortStableFunc(m.pairs, func(a, b *pair) int {
		return cmp.Or(strings.Compare(a.when(), b.when()), strings.Compare(a.dir, b.dir))
	})
	return nil
}

// tagged takes the snapshots that are tagged as those of the run.
func (m *model) tagged(ctx context.Context, t Tagger, p *pair) error {
	for _, side := range []struct {
		phase katprep.Phase
		ref   **katprep.SnapshotRef
	}{{katprep.Before, &p.Before}, {katprep.After, &p.After}} {
		c, ok, err := t.Tagged(ctx, p.Run, side.phase)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(m.snapshots, func(s katprep.SnapshotRef) bool { return s.Commit == c }); ok && i >= 0 {
			*side.ref = &m.snapshots[i]
		}
	}
	return nil
}

// complete reports whether there are two snapshots to compare.
func (p *pair) complete() bool {
	return p.Before != nil && p.After != nil && !p.After.Snapshot.Started.Before(p.Before.Snapshot.Started)
}

// when orders pairs; those under way come last.
func (p *pair) when() string {
	switch {
	case p.After != nil:
		return p.After.Snapshot.Finished.UTC().Format("2006-01-02T15:04:05")
	case p.Before != nil:
		return "9" + p.Before.Snapshot.Finished.UTC().Format("2006-01-02T15:04:05")
	case p.Record != nil:
		return "9" + p.Record.Plan.Created.UTC().Format("2006-01-02T15:04:05")
	}
	return "9"
}

// title is the name of a pair for readers.
func (p *pair) title() string {
	switch {
	case p.Record != nil && p.Record.Plan.Title != "":
		return cut(render.Line(p.Record.Plan.Title), 160)
	case p.Run != "":
		return render.Line(string(p.Run))
	}
	if p.asked {
		return p.askedTitle()
	}
	if p.After == nil {
		return "Maintenance without a name"
	}
	return "Snapshot of " + render.Time(p.After.Snapshot.Finished)
}

// totals sums a pair up.
type totals struct {
	Hosts, Unchanged, Changed, Unknown, Added, Removed, NotSelected int
	Rebooted, Packages, Downgraded, Unplanned                       int
	NoErrata, Blind                                                 int // hosts that were read, and whose errata, or also updates, are not known
	Errata                                                          [len(katprep.Endings)]int
}

func (t *totals) add(s *summary) {
	t.Hosts++
	switch {
	case s.is(flagGap):
		t.Unknown++
	case s.Presence == katprep.OnlyAfter:
		t.Added++
	case s.Presence == katprep.OnlyBefore:
		t.Removed++
	case s.Presence == katprep.NotSelected:
		t.NotSelected++
	case s.is(flagChanged):
		t.Changed++
	default:
		t.Unchanged++
	}
	if s.Rebooted == katprep.Yes {
		t.Rebooted++
	}
	for _, o := range s.Errata {
		t.Errata[o.Ending]++
	}
	if s.is(flagNoErrata) && !s.is(flagGap) {
		t.NoErrata++
	}
	if s.is(flagBlind) && !s.is(flagGap) {
		t.Blind++
	}
	t.Packages += s.Packages
	t.Downgraded += s.Downgraded
	t.Unplanned += s.Unplanned
}

// path is the page of a host.
func (h *host) path() string { return "hosts/" + h.slug + ".html" }

// hostPath is the page of a host's change in the pair. The pages of a pair
// are together, so that a build fills one folder after the other.
func (p *pair) hostPath(h *host) string { return p.dir + "/hosts/" + h.slug + ".html" }

// key is the last part of a pair's path.
func (p *pair) key() string { return p.dir[strings.LastIndexByte(p.dir, '/')+1:] }
