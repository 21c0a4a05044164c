package archive

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// A ledger holds the files of a history, each content at each path once, and
// which of them are the hosts of which commit. It is made commit by commit
// from what differs, so that a snapshot costs what changed in it; then all
// files are read, in the order in which that is cheapest.
type ledger struct {
	number map[string]int32 // of paths
	paths  []string         // by number
	latest []int32          // by number of path: the file entered last
	files  []entered
	facts  []fact // by file, once they are read

	trees map[string]heldTree             // by path: the one seen last
	hosts map[object.Hash]*hostDifference // by the tree of all hosts
}

// entered is a file in the ledger. The same content elsewhere is another
// matter.
type entered struct {
	hash   object.Hash
	path   int32
	commit int32 // the first that has it
	before int32 // file entered before at the same path; -1: none
}

type heldTree struct {
	hash object.Hash
	data []byte
}

// A hostDifference says which files of hosts a tree has beside or instead of
// those of another one.
type hostDifference struct {
	base           object.Hash // zero: none
	added, removed []int32
	sum            *tally // once it is known
}

// A fact is what is kept of a file.
type fact struct {
	status      hostStatus
	noErrata    bool // they are not known
	reboot      rebootNeed
	installable uint32 // errata
	applicable  uint32
	updates     uint32
}

type (
	hostStatus uint8
	rebootNeed uint8
)

const (
	statusOther hostStatus = iota // no host, or not readable
	statusCollected
	statusIncomplete
	statusFailed
)

const (
	rebootNotNeeded rebootNeed = iota
	rebootNeeded
	rebootUnknown
)

// A tally sums the hosts of a snapshot up.
type tally struct {
	hosts, collected, incomplete, failed  int
	hostErrata, applicable, errataUnknown int
	updates, rebootNeeded, rebootUnknown  int
}

func newLedger() *ledger {
	return &ledger{number: map[string]int32{}, trees: map[string]heldTree{}, hosts: map[object.Hash]*hostDifference{}}
}

// enter returns the number of a file, a new one if a commit is the first that
// has it.
func (l *ledger) enter(commit int32, path string, h object.Hash) int32 {
	n, ok := l.number[path]
	if !ok {
		n = int32(len(l.paths))
		l.number[path] = n
		l.paths = append(l.paths, path)
		l.latest = append(l.latest, -1)
	}
	for i := l.latest[n]; i >= 0; i = l.files[i].before { // a host has few versions, and mostly it is the latest
		if l.files[i].hash == h {
			return i
		}
	}
	i := int32(len(l.files))
	l.files = append(l.files, entered{h, n, commit, l.latest[n]})
	l.latest[n] = i
	return i
}

// contents enters the files that differ between the trees of a commit and of
// its first parent. Without a parent that was verified, all files differ.
func (v *verifier) contents(n int32, before, now map[string]object.Entry) {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		old, e := entryOf(before, name), entryOf(now, name)
		if name == "hosts" && e.Dir {
			v.hostFiles(n, old, e)
		} else if !v.enter(n, name, old, e, nil) {
			v.enter(n, name, nil, e, nil)
		}
	}
}

// hostFiles enters the hosts of a commit.
func (v *verifier) hostFiles(n int32, old, now *object.Entry) {
	if v.ledger.hosts[now.Hash] != nil {
		return
	}
	d := &hostDifference{}
	if old == nil || v.ledger.hosts[old.Hash] == nil {
		v.enter(n, "hosts", nil, now, d)
	} else if d.base = old.Hash; !v.enter(n, "hosts", old, now, d) {
		d = &hostDifference{}
		v.enter(n, "hosts", nil, now, d)
	}
	v.ledger.hosts[now.Hash] = d
}

func entryOf(tree map[string]object.Entry, name string) *object.Entry {
	if e, ok := tree[name]; ok {
		return &e
	}
	return nil
}

// enter enters the files below a path that differ. It is false if that is not
// known because the old tree cannot be read.
func (v *verifier) enter(n int32, path string, old, now *object.Entry, hosts *hostDifference) bool {
	switch {
	case old != nil && now != nil && old.Hash == now.Hash && old.Dir == now.Dir:
		return true
	case now == nil && hosts == nil:
		return true // it is gone, and nobody counts
	}
	if old != nil && !old.Dir && hosts != nil {
		hosts.removed = append(hosts.removed, v.ledger.enter(n, path, old.Hash))
	}
	if now != nil && !now.Dir {
		if i := v.ledger.enter(n, path, now.Hash); hosts != nil {
			hosts.added = append(hosts.added, i)
		}
	}
	before, ok := v.treeAt(n, path, old, false)
	after, _ := v.treeAt(n, path, now, true)
	for pair, err := range object.Diff(before, after) {
		if err != nil {
			return false // not after all that treeAt has seen
		}
		ok = v.enter(n, path+"/"+nameOf(pair), pair[0], pair[1], hosts) && ok
	}
	return ok
}

func nameOf(pair [2]*object.Entry) string {
	if pair[0] != nil {
		return pair[0].Name
	}
	return pair[1].Name
}

// treeAt reads a tree, nothing for what is none. The last one of each path is
// held, for the next commit is compared with it.
func (v *verifier) treeAt(n int32, path string, e *object.Entry, tell bool) (data []byte, ok bool) {
	if e == nil || !e.Dir {
		return nil, true
	}
	if t, ok := v.ledger.trees[path]; ok && t.hash == e.Hash {
		return t.data, true
	}
	data, err := v.a.read(v.ctx, e.Hash, object.TreeKind)
	if err == nil {
		err = object.CheckTree(data)
	}
	if err != nil {
		if tell {
			v.find(v.order[n], path, "the folder cannot be read: %v", err)
		}
		return nil, false
	}
	v.ledger.trees[path] = heldTree{e.Hash, data}
	return data, true
}

// readFiles verifies all files in the ledger.
func (v *verifier) readFiles() error {
	l := v.ledger
	l.number, l.trees = nil, nil // nobody needs them any more
	l.facts = make([]fact, len(l.files))
	v.out.Files += len(l.files)
	name := func(i int) object.Hash { return l.files[i].hash }
	decoders := make([]canon.Decoder, pack.Workers())
	var mu sync.Mutex
	wrong := map[int]string{}
	err := v.a.store.Each(v.ctx, len(l.files), name, func(worker, i int, kind object.Kind, data []byte, err error) {
		path := l.paths[l.files[i].path]
		if err == nil && kind != object.BlobKind {
			err = fmt.Errorf("object %s: %w: it is a %s, not a %s", name(i), pack.ErrDamaged, kind, object.BlobKind)
		}
		if err == nil {
			l.facts[i], err = examine(&decoders[worker], path, data)
		}
		if err != nil && v.ctx.Err() == nil {
			mu.Lock()
			wrong[i] = err.Error()
			mu.Unlock()
		}
	})
	if err != nil {
		return err
	}
	for _, i := range slices.Sorted(maps.Keys(wrong)) {
		v.find(v.order[l.files[i].commit], l.paths[l.files[i].path], "%s", wrong[i])
	}
	return nil
}

// sum returns the sums of a tree of hosts: those of another tree, and what
// differs.
func (l *ledger) sum(tree object.Hash) tally {
	var path []*hostDifference
	var t tally
	for d := l.hosts[tree]; d != nil; d = l.hosts[d.base] {
		if d.sum != nil {
			t = *d.sum
			break
		}
		path = append(path, d)
	}
	for _, d := range slices.Backward(path) {
		for _, i := range d.added {
			t.add(l.facts[i], 1)
		}
		for _, i := range d.removed {
			t.add(l.facts[i], -1)
		}
		known := t
		d.sum = &known
	}
	return t
}

// add counts a host, or takes it away.
func (t *tally) add(f fact, n int) {
	t.hosts += n
	switch f.status {
	case statusCollected:
		t.collected += n
	case statusIncomplete:
		t.incomplete += n
	case statusFailed:
		t.failed += n
	}
	t.hostErrata += n * int(f.installable)
	t.applicable += n * int(f.applicable)
	t.updates += n * int(f.updates)
	if f.noErrata {
		t.errataUnknown += n
	}
	switch f.reboot {
	case rebootNeeded:
		t.rebootNeeded += n
	case rebootUnknown:
		t.rebootUnknown += n
	}
}

// factOf keeps of a host what snapshots count.
func factOf(s *katprep.State) (f fact) {
	switch s.Status {
	case katprep.Collected:
		f.status = statusCollected
	case katprep.Incomplete:
		f.status = statusIncomplete
	case katprep.Failed:
		f.status = statusFailed
	}
	for _, e := range s.Errata {
		if e.Installable {
			f.installable++
		} else {
			f.applicable++
		}
	}
	f.updates = uint32(len(s.Updates))
	f.noErrata = s.Status != katprep.Failed && !s.Knows(katprep.AspectErrata)
	switch s.Reboot.Need {
	case katprep.Needed:
		f.reboot = rebootNeeded
	case katprep.NeedUnknown:
		f.reboot = rebootUnknown
	}
	return f
}
