package archive

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/sign"
)

// VerifyOptions say what is known from outside the archive, and how much is
// to be verified.
type VerifyOptions struct {
	Since  katprep.CommitID  // this commit and all before it are taken as verified
	Head   katprep.CommitID  // a commit that was verified earlier: it must be in the history still
	Tags   map[string]string // tags as they were then: name → tag object
	Anchor string            // fingerprint of the key that must have signed first

	Stamps     katprep.CommitID // as Verification.Stamps.Head was then
	StampRoots *x509.CertPool   // who must have issued the certificates of time stamps; nil: not known
}

// A Finding is one thing that verification found.
type Finding struct {
	Commit  katprep.CommitID `json:"commit,omitempty"` // where; empty: the archive as a whole
	Path    string           `json:"path,omitempty"`   // a file, a tag
	Message string           `json:"message"`
	Warning bool             `json:"warning,omitempty"` // worth knowing, but no link is broken
}

// String returns the finding as one line, for people.
func (f Finding) String() string {
	s := ""
	if f.Commit != "" {
		s = "commit " + f.Commit.Short() + ": "
	}
	if f.Path != "" {
		s += f.Path + ": "
	}
	return s + f.Message
}

// A Verification is what Verify found. The findings begin with the oldest
// commit.
type Verification struct {
	Tip       katprep.CommitID  `json:"tip"`
	Commits   int               `json:"commits"`
	Snapshots int               `json:"snapshots"`
	Files     int               `json:"files"`  // different ones that were read
	Signed    int               `json:"signed"` // commits with a good signature of an allowed key
	Unsigned  int               `json:"unsigned"`
	Anchor    string            `json:"anchor,omitempty"` // fingerprint of the first key
	Tags      map[string]string `json:"tags"`             // name → tag object
	Stamps    *StampSummary     `json:"stamps,omitempty"` // nil: there are none
	Cut       *Retained         `json:"cut,omitempty"`    // the bundle that the history here continues; nil: it is whole
	Findings  []Finding         `json:"findings"`
}

// Broken returns the first finding that is more than a warning, or nil.
func (v *Verification) Broken() *Finding {
	for i := range v.Findings {
		if !v.Findings[i].Warning {
			return &v.Findings[i]
		}
	}
	return nil
}

// Verify checks the archive from its first commit to its tip: every object
// against its hash, every file against its schema and path, every commit's
// signature by the keys that were allowed before it, that plans stay frozen
// and journals only grow, that numbers are what the hosts say, and that tags
// are where they belong. What is wrong is in the findings; an error means
// that verification itself could not go on.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	const op = "verify the archive"
	v := &verifier{a: a, o: o, ctx: ctx, ledger: newLedger(), snapshots: map[object.Hash]object.Hash{}, tagged: map[string]bool{}, out: &Verification{Tags: map[string]string{}, Findings: []Finding{}}}
	tip, err := a.tip()
	switch {
	case err != nil && katprep.KindOf(fail("", err)) == katprep.Corrupt:
		v.out.Findings = append(v.out.Findings, Finding{Message: err.Error()})
		return v.out, nil
	case err != nil:
		return nil, fail(op, err)
	case tip.IsZero():
		return v.out, nil
	}
	v.out.Tip = katprep.CommitID(tip.String())
	if err := v.history(tip); err != nil {
		return nil, fail(op, err)
	}
	if err := v.verifyRetained(tip); err != nil {
		return nil, fail(op, err)
	}
	if err := v.tags(); err != nil {
		return nil, fail(op, err)
	}
	if err := v.stamps(); err != nil {
		return nil, fail(op, err)
	}
	if err := v.otherHistory(); err != nil {
		return nil, fail(op, err)
	}
	damaged, err := a.store.Check(ctx)
	if err != nil {
		return nil, fail(op, err)
	}
	for _, name := range damaged {
		v.find(object.Hash{}, "objects/pack/"+name, "the file is damaged: it is not what its checksum says")
	}
	return v.out, ctx.Err()
}

type verifier struct {
	a      *Archive
	o      VerifyOptions
	ctx    context.Context
	ledger *ledger
	out    *Verification

	order  []object.Hash                  // commits to be verified, parents first
	commit map[object.Hash]*object.Commit // all of the history
	began  bool                           // signing has begun

	snapshots map[object.Hash]object.Hash // the tree of hosts by commit
	tagged    map[string]bool             // tags that are recorded as being in a bundle
}

func (v *verifier) find(at object.Hash, path, format string, args ...any) {
	f := Finding{Path: path, Message: oneLine(fmt.Sprintf(format, args...))}
	if !at.IsZero() {
		f.Commit = katprep.CommitID(at.String())
	}
	v.out.Findings = append(v.out.Findings, f)
}

func (v *verifier) warn(at object.Hash, path, format string, args ...any) {
	v.find(at, path, format, args...)
	v.out.Findings[len(v.out.Findings)-1].Warning = true
}

// history verifies all commits, the oldest first.
func (v *verifier) history(tip object.Hash) error {
	v.commit = map[object.Hash]*object.Commit{}
	done, err := v.verified()
	if err != nil {
		return err
	}
	v.collect(tip, done)
	if h, ok := object.ParseHash(string(v.o.Head)); ok && v.commit[h] == nil && !done[h] {
		v.lostHead()
	}
	begin := len(v.out.Findings)
	for n, h := range v.order {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.out.Commits++
		v.check(int32(n), h, v.commit[h])
	}
	if err := v.readFiles(); err != nil {
		return err
	}
	for _, h := range v.order {
		if hosts, is := v.snapshots[h]; is {
			v.numbers(h, v.commit[h], v.ledger.sum(hosts))
		}
	}
	v.sortFindings(begin)
	if v.o.Anchor != "" && v.out.Anchor != v.o.Anchor && v.o.Since == "" {
		v.otherAnchor()
	}
	return nil
}

// sortFindings puts findings in the order of their commits.
func (v *verifier) sortFindings(begin int) {
	at := make(map[katprep.CommitID]int, len(v.order))
	for n, h := range v.order {
		at[katprep.CommitID(h.String())] = n
	}
	slices.SortStableFunc(v.out.Findings[begin:], func(a, b Finding) int { return cmp.Compare(at[a.Commit], at[b.Commit]) })
}

// lostHead says that what was verified earlier is not here any more.
func (v *verifier) lostHead() {
	if len(v.a.cuts()) > 0 {
		v.find(object.Hash{}, "", "commit %s, which was verified earlier, is not here: it is older than the cut, or the history was rewritten; verify together with the bundles", v.o.Head.Short())
		return
	}
	v.find(object.Hash{}, "", "the history was rewritten: commit %s, which was verified earlier, is not in it any more", v.o.Head.Short())
}

// otherAnchor says that the history does not begin with the key that it must.
// Where it is cut, its true beginning is in a bundle.
func (v *verifier) otherAnchor() {
	if len(v.a.cuts()) > 0 {
		v.find(object.Hash{}, "", "the first signature here is of key %s; whether the history begins with %s is in the bundles: verify together with them", cmp.Or(v.out.Anchor, "none"), v.o.Anchor)
		return
	}
	v.find(object.Hash{}, "", "the first signature is of key %s, not of %s", cmp.Or(v.out.Anchor, "none"), v.o.Anchor)
}

// verified returns the commits that Since takes as verified.
func (v *verifier) verified() (map[object.Hash]bool, error) {
	done := map[object.Hash]bool{}
	if v.o.Since == "" {
		return done, nil
	}
	since, err := hashOf(v.o.Since)
	if err != nil {
		return nil, err
	}
	for c, err := range v.a.walk(v.ctx, since) {
		if err != nil {
			return nil, err
		}
		done[c.hash] = true
	}
	return done, nil
}

// collect orders the commits, parents before children.
func (v *verifier) collect(tip object.Hash, done map[object.Hash]bool) {
	type visit struct {
		hash object.Hash
		next int // parent to be visited
	}
	stack := []visit{}
	push := func(h, child object.Hash) {
		if done[h] || v.commit[h] != nil {
			return
		}
		c, err := v.a.commit(v.ctx, h)
		if err != nil {
			what := "the tip"
			if !child.IsZero() {
				what = "its parent"
			}
			v.find(child, "", "%s, commit %s, cannot be read: %v", what, katprep.CommitID(h.String()).Short(), err)
			return
		}
		v.commit[h] = c
		stack = append(stack, visit{hash: h})
	}
	push(tip, object.Hash{})
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if parents := v.commit[top.hash].Parents; top.next < len(parents) {
			top.next++
			push(parents[top.next-1], top.hash)
			continue
		}
		v.order = append(v.order, top.hash)
		stack = stack[:len(stack)-1]
	}
}

// check verifies one commit against its parents, which are verified.
func (v *verifier) check(n int32, h object.Hash, c *object.Commit) {
	v.signature(h, c)
	v.clock(h, c)
	now, err := v.root(c)
	if err != nil {
		v.find(h, "", "its tree cannot be read: %v", err)
		return
	}
	kind := Kind(trailers(c.Message)[trailerKind])
	if kind == KindSnapshot {
		v.out.Snapshots++
		v.snapshots[h] = now["hosts"].Hash
	}
	var before map[string]object.Entry
	verified := false
	if len(c.Parents) > 0 {
		if p := v.parent(c); p != nil {
			if before, err = v.root(p); err != nil { // found when the parent was verified
				v.contents(n, nil, now)
				return
			}
			verified = v.commit[c.Parents[0]] != nil
		}
	}
	if !v.a.isCut(h) { // what it changed cannot be known here
		v.allowed(h, c, kind, before, now)
	}
	if verified {
		v.contents(n, before, now)
	} else {
		v.contents(n, nil, now)
	}
	v.runs(h, before["runs"], now["runs"])
	v.claims(h, c, kind, before["runs"], now["runs"])
	v.retainedKept(h, before["policy"], now["policy"])
}

// root returns the root of a commit's tree by name.
func (v *verifier) root(c *object.Commit) (map[string]object.Entry, error) {
	list, err := v.a.list(v.ctx, c.Tree)
	if err != nil {
		return nil, err
	}
	root := make(map[string]object.Entry, len(list))
	for _, e := range list {
		root[e.Name] = e
	}
	return root, nil
}

func (v *verifier) parent(c *object.Commit) *object.Commit {
	if p := v.commit[c.Parents[0]]; p != nil {
		return p
	}
	p, err := v.a.commit(v.ctx, c.Parents[0]) // before Since
	if err != nil {
		return nil
	}
	return p
}

// signature checks a commit by the keys that its parent allows. The first
// signed commit brings its own key: the anchor.
func (v *verifier) signature(h object.Hash, c *object.Commit) {
	_, data, err := v.a.store.Read(v.ctx, h)
	if err != nil {
		return // collect has read it
	}
	by := h
	if len(c.Parents) > 0 {
		by = c.Parents[0]
	}
	ring, err := v.a.keyring(v.ctx, by)
	if err == nil && ring.Empty() {
		ring, err = v.a.keyring(v.ctx, h)
	}
	if err != nil {
		v.find(h, "policy", "the signing keys cannot be read: %v", err)
		return
	}
	payload, armor := object.SplitSigned(data)
	if ring.Empty() && armor == "" {
		v.out.Unsigned++
		if v.began {
			v.find(h, "", "it is not signed, and the keys that may sign are gone")
		}
		return
	}
	v.began = true
	key, err := ring.Check(payload, armor, c.Committer.When)
	if err != nil {
		v.find(h, "", "%v (committed by %s)", err, c.Committer.Name)
		return
	}
	v.out.Signed++
	if v.out.Anchor == "" {
		v.out.Anchor = key.Fingerprint
	}
}

// tolerance is how much clocks may differ.
const tolerance = 5 * time.Minute

func (v *verifier) clock(h object.Hash, c *object.Commit) {
	if now := v.a.opts.Now(); c.Committer.When.After(now.Add(tolerance)) {
		v.find(h, "", "it is dated in the future: %s", c.Committer.When.Format(time.RFC3339))
	}
	for _, p := range c.Parents {
		if pc := v.commit[p]; pc != nil && c.Committer.When.Before(pc.Committer.When.Add(-tolerance)) {
			v.warn(h, "", "it is dated before its parent: a clock was wrong, or it was dated back")
		}
	}
}

// mayChange are the parts of the tree that a kind of commit may change.
var mayChange = map[Kind][]string{
	KindSnapshot: {snapshotFile, "hosts", "errata"},
	KindPlan:     {"runs"},
	KindJournal:  {"runs"},
	KindDecision: {"runs"},
	KindPolicy:   {"policy"},
}

func (v *verifier) allowed(h object.Hash, c *object.Commit, kind Kind, before, now map[string]object.Entry) {
	may, ours := mayChange[kind]
	for _, name := range slices.Sorted(maps.Keys(union(before, now))) {
		if before[name].Hash == now[name].Hash || slices.Contains(may, name) {
			continue
		}
		anchor := name == "policy" && before[name].Hash.IsZero() && c.Armor != ""
		switch {
		case anchor && ours:
		case !evidence(name):
			v.warn(h, name, "it is none of katprep's files")
		case !ours:
			v.find(h, name, "changed by a commit that katprep did not make (%s)", c.Author.Name)
		default:
			v.find(h, name, "a commit of kind %s must not change it", kind)
		}
	}
}

func evidence(name string) bool {
	return slices.Contains([]string{snapshotFile, "hosts", "errata", "runs", "policy"}, name)
}

func union(a, b map[string]object.Entry) map[string]object.Entry {
	u := maps.Clone(a)
	if u == nil {
		u = map[string]object.Entry{}
	}
	maps.Copy(u, b)
	return u
}

// numbers checks what a snapshot says of itself against its hosts, and the
// commit's message against the snapshot.
func (v *verifier) numbers(h object.Hash, c *object.Commit, got tally) {
	s, err := v.a.Snapshot(v.ctx, katprep.CommitID(h.String()))
	if err != nil {
		v.find(h, snapshotFile, "%v", err)
		return
	}
	for _, n := range [...]struct {
		what      string
		says, has int
	}{
		{"hosts", s.Counts.Hosts, got.hosts}, {"collected hosts", s.Counts.Collected, got.collected},
		{"incomplete hosts", s.Counts.Incomplete, got.incomplete}, {"failed hosts", s.Counts.Failed, got.failed},
		{"installable errata of hosts", s.Counts.HostErrata, got.hostErrata}, {"applicable errata of hosts", s.Counts.Applicable, got.applicable},
		{"hosts of unknown errata", s.Counts.ErrataUnknown, got.errataUnknown}, {"pending updates of hosts", s.Counts.Updates, got.updates},
		{"hosts to be rebooted", s.Counts.RebootNeeded, got.rebootNeeded}, {"hosts of which the need of a reboot is not known", s.Counts.RebootUnknown, got.rebootUnknown},
	} {
		if n.says != n.has {
			v.find(h, snapshotFile, "it says %d %s, but there are %d", n.says, n.what, n.has)
		}
	}
	for _, src := range s.Sources {
		if src.Problem != "" {
			v.warn(h, snapshotFile, "the list of source %s is not complete, hosts may be missing: %s", src.Name, src.Problem)
		}
	}
	t := trailers(c.Message)
	if says := t[trailerIncomplete]; says != "" && says != strconv.Itoa(s.Counts.Incomplete) {
		v.find(h, snapshotFile, "the commit says %s: %s, the snapshot %d", trailerIncomplete, says, s.Counts.Incomplete)
	}
	for key, want := range map[string]string{
		trailerRun: string(s.Run), trailerPhase: string(s.Phase),
		trailerHosts: strconv.Itoa(s.Counts.Hosts), trailerFailed: strconv.Itoa(s.Counts.Failed),
	} {
		if t[key] != want {
			v.find(h, snapshotFile, "the commit says %s: %s, the snapshot %s", key, cmp.Or(t[key], "nothing"), cmp.Or(want, "nothing"))
		}
	}
}

// tags checks that the tags of runs are where they belong.
func (v *verifier) tags() error {
	list, err := v.a.refs.List("refs/tags/run/")
	if err != nil {
		return err
	}
	for _, ref := range list {
		name := ref.Name[len("refs/tags/"):]
		v.out.Tags[name] = ref.Hash.String()
		v.tag(name, ref.Hash)
		if was, ok := v.o.Tags[name]; ok && was != ref.Hash.String() {
			v.find(object.Hash{}, name, "the tag was moved since it was verified")
		}
	}
	v.untagged()
	for _, name := range slices.Sorted(maps.Keys(v.o.Tags)) {
		if _, ok := v.out.Tags[name]; !ok && !v.tagged[name] {
			v.find(object.Hash{}, name, "the tag was removed since it was verified")
		}
	}
	return nil
}

func (v *verifier) tag(name string, h object.Hash) {
	kind, data, err := v.a.store.Read(v.ctx, h)
	if err != nil {
		v.find(object.Hash{}, name, "the tag cannot be read: %v", err)
		return
	}
	t, ok := object.DecodeTag(data)
	if kind != object.TagKind || !ok {
		v.find(object.Hash{}, name, "it is no annotated tag of a commit: katprep did not make it")
		return
	}
	if t.Name != name {
		v.find(t.Target, name, "the tag was renamed, it was %s", t.Name)
	}
	c, err := v.a.commit(v.ctx, t.Target)
	if err != nil {
		v.find(t.Target, name, "the tagged commit cannot be read: %v", err)
		return
	}
	if v.commit[t.Target] == nil && v.o.Since == "" {
		v.find(t.Target, name, "the tagged commit is not in the history")
	}
	tr := trailers(c.Message)
	if want := TagName(katprep.RunID(tr[trailerRun]), katprep.Phase(tr[trailerPhase])); want != name {
		v.find(t.Target, name, "the tag names a commit that belongs to another run or phase: it was moved")
	}
	ring, err := v.a.keyring(v.ctx, t.Target)
	if err != nil || ring.Empty() && t.Armor == "" {
		return
	}
	if _, err := ring.Check(t.Payload(), t.Armor, t.Tagger.When); err != nil && !(errors.Is(err, sign.ErrUnknown) && v.laterKey(t)) {
		v.find(t.Target, name, "the tag is %v", err)
	}
}

// laterKey reports whether a tag, made after its commit, is signed by a key
// that was allowed meanwhile.
func (v *verifier) laterKey(t *object.Tag) bool {
	tip, ok := object.ParseHash(string(v.out.Tip))
	if !ok {
		return false
	}
	ring, err := v.a.keyring(v.ctx, tip)
	if err != nil {
		return false
	}
	_, err = ring.Check(t.Payload(), t.Armor, t.Tagger.When)
	return err == nil
}
