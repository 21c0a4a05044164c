package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// refWait is how long Git's own short locks are waited for.
const refWait = 2 * time.Second

// Kind says what a commit adds to the archive.
type Kind string

// The kinds of commit. Whatever another program committed is foreign.
const (
	KindForeign  Kind = ""
	KindSnapshot Kind = "snapshot"
	KindPlan     Kind = "plan"
	KindJournal  Kind = "journal"
	KindDecision Kind = "decision"
	KindPolicy   Kind = "policy"
)

// The trailers of a commit.
const (
	trailerKind       = "Katprep-Kind"
	trailerRun        = "Katprep-Run"
	trailerPhase      = "Katprep-Phase"
	trailerSources    = "Katprep-Sources"
	trailerProblems   = "Katprep-Problems" // sources whose list of hosts is not complete
	trailerHosts      = "Katprep-Hosts"
	trailerFailed     = "Katprep-Failed"
	trailerIncomplete = "Katprep-Incomplete" // only if there are any
	trailerVersion    = "Katprep-Version"
	trailerStage      = "Katprep-Stage"
)

// A message is a commit's subject and trailers, in order.
type message struct {
	subject  string
	trailers [][2]string
}

func (m *message) add(key, value string) {
	if value != "" {
		m.trailers = append(m.trailers, [2]string{key, value})
	}
}

// String returns the message as Git keeps it. Nothing from outside can begin
// a line of its own.
func (m *message) String() string {
	var b strings.Builder
	b.WriteString(oneLine(m.subject) + "\n")
	for i, t := range m.trailers {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n", t[0], oneLine(t[1]))
	}
	return b.String()
}

// oneLine makes one harmless line of a text.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == 0x85 || r == 0x2028 || r == 0x2029:
			return ' '
		case r < ' ' || r >= 0x7f && r <= 0x9f || r == 0xfffd:
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// snapshotMessage says all of a snapshot that fits into a line.
func snapshotMessage(s katprep.Snapshot) message {
	m := message{subject: "snapshot"}
	if s.Run != "" {
		m.subject += strings.TrimRight(" "+string(s.Phase), " ") + " " + string(s.Run)
	}
	m.subject += ": " + count(s.Counts.Hosts, "host", "hosts") + ", " + pendingText(s.Counts)
	if s.Counts.Failed > 0 {
		m.subject += fmt.Sprintf(", %d unknown", s.Counts.Failed)
	}
	if s.Counts.Incomplete > 0 {
		m.subject += fmt.Sprintf(", %d incomplete", s.Counts.Incomplete)
	}
	problems := problemSources(s)
	if problems != "" {
		m.subject += ", list of " + problems + " incomplete"
	}
	m.add(trailerKind, string(KindSnapshot))
	m.add(trailerRun, string(s.Run))
	m.add(trailerPhase, string(s.Phase))
	var sources []string
	for _, src := range s.Sources {
		sources = append(sources, src.Name+" ("+src.Type+")")
	}
	m.add(trailerSources, strings.Join(sources, ", "))
	m.add(trailerProblems, problems)
	m.add(trailerHosts, strconv.Itoa(s.Counts.Hosts))
	m.add(trailerFailed, strconv.Itoa(s.Counts.Failed))
	if s.Counts.Incomplete > 0 {
		m.add(trailerIncomplete, strconv.Itoa(s.Counts.Incomplete))
	}
	m.add(trailerVersion, s.Version)
	return m
}

// problemSources names the sources whose list of hosts is not complete. Why
// is in the snapshot.
func problemSources(s katprep.Snapshot) string {
	var names []string
	for _, src := range s.Sources {
		if src.Problem != "" {
			names = append(names, src.Name)
		}
	}
	return strings.Join(names, ", ")
}

// pendingText counts errata once for each host that lacks them, and never
// says "0 errata" of hosts of which no errata are known.
func pendingText(c katprep.Counts) string {
	errata := count(c.HostErrata, "erratum", "errata") + " pending"
	if c.HostErrata > 0 {
		errata += fmt.Sprintf(" (%d different)", c.Errata)
	}
	updates := count(c.Updates, "package update", "package updates") + " pending"
	unknown := fmt.Sprintf("errata unknown on %d", c.ErrataUnknown)
	switch {
	case c.ErrataUnknown == 0:
		return errata
	case c.ErrataUnknown >= c.Hosts-c.Failed:
		return updates + ", " + unknown
	}
	return errata + ", " + updates + ", " + unknown
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// A change is what one commit does.
type change struct {
	kind    Kind
	message message
	when    time.Time // of the change itself, if not now: the author's date
	extra   []object.Hash
	// tree writes the commit's tree on top of a parent, zero for the first.
	tree func(ctx context.Context, p *pack.Writer, parent object.Hash) (object.Hash, error)
}

// errNothing means that a change changes nothing; there is no commit then.
var errNothing = errors.New("nothing to change")

// writeCommit writes the trees and the commit of a change into the pack.
func (a *Archive) writeCommit(ctx context.Context, p *pack.Writer, ch change, parent object.Hash) (object.Hash, error) {
	tree, err := ch.tree(ctx, p, parent)
	if err != nil {
		return object.Hash{}, err
	}
	now := a.opts.Now()
	if tree, err = a.enrol(ctx, p, parent, tree, now); err != nil {
		return object.Hash{}, err
	}
	when := ch.when
	if when.IsZero() {
		when = now
	}
	c := &object.Commit{
		Tree:      tree,
		Author:    a.opts.Author.signature(when),
		Committer: a.opts.Committer.signature(now),
		Message:   ch.message.String(),
	}
	if !parent.IsZero() {
		c.Parents = append(c.Parents, parent)
	}
	c.Parents = append(c.Parents, ch.extra...)
	if a.opts.Sign != nil {
		if c.Armor, err = a.opts.Sign.Sign(ctx, c.Payload()); err != nil {
			return object.Hash{}, fmt.Errorf("sign the commit: %w", err)
		}
	}
	return p.AddNow(ctx, object.CommitKind, c.Encode(), object.Hash{})
}

// put makes a commit that changes single files. edit returns the new content
// of a path by the old one, which is nil if there is none; nil for no change.
func (a *Archive) put(ctx context.Context, m message, kind Kind, path string, edit func(old []byte) ([]byte, error)) (katprep.CommitID, error) {
	lock, err := a.lock(ctx)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	p, err := pack.NewWriter(a.dir)
	if err != nil {
		return "", err
	}
	defer p.Abort()
	m.trailers = append([][2]string{{trailerKind, string(kind)}}, m.trailers...)
	h, err := a.append(ctx, p, change{kind: kind, message: m, tree: func(ctx context.Context, p *pack.Writer, parent object.Hash) (object.Hash, error) {
		return a.editTree(ctx, p, parent, path, edit)
	}})
	if errors.Is(err, errNothing) {
		tip, err := a.tip()
		return katprep.CommitID(tip.String()), err
	}
	return katprep.CommitID(h.String()), err
}

// editTree writes the tree of a commit with one file changed.
func (a *Archive) editTree(ctx context.Context, p *pack.Writer, parent object.Hash, path string, edit func(old []byte) ([]byte, error)) (object.Hash, error) {
	var root object.Hash
	if !parent.IsZero() {
		var err error
		if root, err = a.tree(ctx, parent); err != nil {
			return root, err
		}
	}
	return a.editIn(ctx, p, root, path, edit)
}

func (a *Archive) editIn(ctx context.Context, p *pack.Writer, tree object.Hash, path string, edit func(old []byte) ([]byte, error)) (h object.Hash, err error) {
	entries, err := a.listNew(ctx, p, tree)
	if err != nil {
		return h, err
	}
	name, rest := splitDir(path)
	var old object.Entry
	for _, e := range entries {
		if e.Name == name {
			old = e
		}
	}
	if rest != "" {
		sub := object.Hash{}
		if old.Dir {
			sub = old.Hash
		}
		h, err = a.editIn(ctx, p, sub, rest, edit)
	} else {
		h, err = a.editBlob(ctx, p, old, edit)
	}
	if err != nil {
		return h, err
	}
	entries = with(entries, object.Entry{Name: name, Dir: rest != "", Hash: h})
	return p.AddNow(ctx, object.TreeKind, object.EncodeTree(entries), object.Hash{})
}

// listNew is list for a tree that may be in the pack that is being written.
func (a *Archive) listNew(ctx context.Context, p *pack.Writer, tree object.Hash) ([]object.Entry, error) {
	data, found, err := p.Read(ctx, tree)
	if err != nil {
		return nil, err
	}
	if !found {
		return a.list(ctx, tree)
	}
	return object.DecodeTree(data)
}

func (a *Archive) editBlob(ctx context.Context, p *pack.Writer, old object.Entry, edit func(old []byte) ([]byte, error)) (h object.Hash, err error) {
	var was []byte
	if !old.Dir && !old.Hash.IsZero() {
		if was, err = a.read(ctx, old.Hash, object.BlobKind); err != nil {
			return h, err
		}
	}
	text, err := edit(was)
	if err != nil {
		return h, err
	}
	if text == nil || was != nil && string(text) == string(was) {
		return h, errNothing
	}
	return p.AddNow(ctx, object.BlobKind, text, object.Hash{})
}
