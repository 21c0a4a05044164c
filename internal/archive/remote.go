package archive

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/refs"
	"github.com/stdevel/katprep/internal/creds"
)

// A Remote is a repository elsewhere that keeps a copy of the archive.
type Remote struct {
	Name   string // in the configuration
	URL    string // ssh://, https://, file:// or a path
	Branch string // its branch for this archive; "" means main. Each machine that feeds a remote has its own

	User       string       // "" means as in the URL, "git" for SSH
	Password   creds.Secret // of HTTPS: a password or token
	SSHKey     string       // private key file; "" means the agent
	KnownHosts string       // file; "" means the user's and the system's
	CAFile     string       // of HTTPS: certificates to trust, beside the system's
	Timeout    time.Duration
}

// remoteTimeout bounds a push or pull when Remote.Timeout does not.
const remoteTimeout = 30 * time.Minute

func (r Remote) branch() string {
	if r.Branch == "" {
		return "main"
	}
	return r.Branch
}

// tracking is the reference that remembers what the remote had.
func (r Remote) tracking() string { return "refs/remotes/" + r.Name + "/" + r.branch() }

// String returns name and address, without what could be a password.
func (r Remote) String() string {
	u, err := url.Parse(r.URL)
	if err == nil && u.User != nil {
		u.User = url.User(u.User.Username())
		return fmt.Sprintf("%s (%s)", r.Name, u)
	}
	return fmt.Sprintf("%s (%s)", r.Name, r.URL)
}

func (r Remote) check() error {
	if !katprep.RunID(r.Name).Valid() || !validTag(r.branch()) {
		return katprep.Errorf(katprep.Invalid, "remote %q, branch %q: letters, digits, '.', '_' and '-' only", r.Name, r.branch())
	}
	if r.URL == "" {
		return katprep.Errorf(katprep.Invalid, "remote %q has no URL", r.Name)
	}
	return nil
}

// Transferred says what a push or pull did.
type Transferred struct {
	Remote string           `json:"remote"`
	From   katprep.CommitID `json:"from,omitempty"` // where it was before
	To     katprep.CommitID `json:"to,omitempty"`
	Tags   int              `json:"tags"` // new ones
}

// Push sends the history and the tags of runs to a remote. Nothing there is
// ever overwritten: if its branch holds commits that this archive does not,
// the error is of kind Conflict and says what happened. The history here does
// not change; that a push failed is kept for PushState.
func (a *Archive) Push(ctx context.Context, r Remote) (Transferred, error) {
	out, err := a.pushTo(ctx, r)
	return out, errors.Join(err, fail("note the push", a.notePush(r, err)))
}

func (a *Archive) pushTo(ctx context.Context, r Remote) (Transferred, error) {
	op := "push to " + r.String()
	out := Transferred{Remote: r.Name}
	c, cancel, err := a.connect(ctx, r)
	if err != nil {
		return out, fail(op, err)
	}
	defer cancel()
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return out, fail(op, err)
	}
	if err := c.mayPush(tip); err != nil {
		return out, fail(op, err)
	}
	out.From, out.To = idOf(c.there), idOf(tip)
	specs, err := c.tagSpecs()
	if err != nil {
		return out, fail(op, err)
	}
	out.Tags = len(specs)
	if c.there != tip {
		specs = append(specs, config.RefSpec(branch+":refs/heads/"+r.branch()))
	}
	stamps, stampsErr := c.stampSpecs() // must not keep the history back
	specs = append(specs, stamps...)
	if len(specs) > 0 {
		if err := c.push(specs); err != nil {
			return out, fail(op, err)
		}
	}
	return out, fail(op, errors.Join(a.remember(ctx, r, tip), stampsErr))
}

func idOf(h object.Hash) katprep.CommitID {
	if h.IsZero() {
		return ""
	}
	return katprep.CommitID(h.String())
}

// remember notes what the remote has now.
func (a *Archive) remember(ctx context.Context, r Remote, h object.Hash) error {
	old, err := a.refs.Read(r.tracking())
	if err != nil || old == h {
		return err
	}
	return a.refs.Apply(ctx, refs.Update{Name: r.tracking(), Old: old, New: h}, refWait)
}

// Unpushed counts the commits that the remote did not have when it was last
// asked.
func (a *Archive) Unpushed(ctx context.Context, r Remote) (int, error) {
	op := "compare with " + r.String()
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return 0, fail(op, err)
	}
	there, err := a.refs.Read(r.tracking())
	if err != nil {
		return 0, fail(op, err)
	}
	n := 0
	for v, err := range a.walk(ctx, tip) {
		if err != nil {
			return 0, fail(op, err)
		}
		if v.hash == there {
			break
		}
		n++
	}
	return n, nil
}

// Pull brings what a remote's branch is ahead into the archive. A history
// that went different ways is never joined: that is an error of kind
// Conflict.
func (a *Archive) Pull(ctx context.Context, r Remote) (Transferred, error) {
	op := "pull from " + r.String()
	out := Transferred{Remote: r.Name}
	c, cancel, err := a.connect(ctx, r)
	if err != nil {
		return out, fail(op, err)
	}
	defer cancel()
	if c.there.IsZero() {
		return out, katprep.Errorf(katprep.NotFound, "%s: it has no branch %s", op, r.branch())
	}
	lock, err := a.lock(ctx)
	if err != nil {
		return out, fail(op, err)
	}
	defer lock.Close()
	if err := c.fetch(); err != nil {
		return out, fail(op, err)
	}
	tip, err := a.tip()
	if err != nil {
		return out, fail(op, err)
	}
	out.From, out.To = idOf(tip), idOf(tip)
	switch rel, err := c.relation(tip); {
	case err != nil:
		return out, fail(op, err)
	case rel == diverged:
		return out, fail(op, c.conflict(tip))
	case rel == ahead: // there
		ch := change{message: message{subject: "pull from " + r.Name}}
		if err := a.move(ctx, branch, tip, c.there, ch); err != nil {
			return out, fail(op, err)
		}
		out.To = idOf(c.there)
	}
	if out.Tags, err = c.takeTags(ctx); err != nil {
		return out, fail(op, err)
	}
	if err := c.takeStamps(); err != nil {
		return out, fail(op, err)
	}
	return out, fail(op, a.remember(ctx, r, c.there))
}

// A connection is a remote that was asked for its references.
type connection struct {
	a      *Archive
	ctx    context.Context // of this one push or pull
	r      Remote
	auth   transport.AuthMethod
	ca     []byte
	remote *gogit.Remote
	refs   map[string]object.Hash // all of the remote's
	there  object.Hash            // its branch; zero if it has none
	seen   object.Hash            // what the branch was when it was last seen
}

func (a *Archive) connect(ctx context.Context, r Remote) (*connection, context.CancelFunc, error) {
	if err := r.check(); err != nil {
		return nil, nil, err
	}
	timeout := r.Timeout
	if timeout == 0 {
		timeout = remoteTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	c := &connection{a: a, ctx: ctx, r: r, refs: map[string]object.Hash{}}
	if err := c.list(); err != nil {
		cancel()
		return nil, nil, err
	}
	return c, cancel, nil
}

// list asks the remote for its references.
func (c *connection) list() (err error) {
	if c.auth, err = authOf(c.r); err != nil {
		return err
	}
	if c.r.CAFile != "" {
		if c.ca, err = os.ReadFile(c.r.CAFile); err != nil {
			return katprep.Errorf(katprep.Invalid, "certificates: %w", err)
		}
	}
	storer, err := newStorer(c.a)
	if err != nil {
		return err
	}
	c.remote = gogit.NewRemote(storer, &config.RemoteConfig{Name: c.r.Name, URLs: []string{c.r.URL}})
	list, err := c.remote.ListContext(c.ctx, &gogit.ListOptions{Auth: c.auth, CABundle: c.ca})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return remoteError(err)
	}
	for _, ref := range list {
		if ref.Type() == plumbing.HashReference {
			c.refs[ref.Name().String()] = object.Hash(ref.Hash())
		}
	}
	c.there = c.refs["refs/heads/"+c.r.branch()]
	c.seen, err = c.a.refs.Read(c.r.tracking())
	return err
}

// mayPush explains why the remote's branch must not be moved to the tip.
func (c *connection) mayPush(tip object.Hash) error {
	if c.there.IsZero() {
		if c.seen.IsZero() {
			return c.mayFill()
		}
		return katprep.Errorf(katprep.Conflict, "the remote was rewritten: its branch %s is gone, it was at %s", c.r.branch(), idOf(c.seen).Short()).
			WithHint("find out who removed it; to push it again: git update-ref -d %s", c.r.tracking())
	}
	if c.there == tip {
		return nil
	}
	if _, err := c.a.commit(c.ctx, c.there); err != nil {
		if err := c.fetch(); err != nil {
			return err
		}
	}
	rel, err := c.relation(tip)
	switch {
	case err != nil:
		return err
	case rel == behind:
		return nil
	case rel == ahead:
		return katprep.Errorf(katprep.Conflict, "the remote is ahead: its branch %s holds commits that this archive does not", c.r.branch()).
			WithHint("katprep archive pull %s", c.r.Name)
	}
	return c.conflict(tip)
}

// mayFill refuses to fill an empty branch with a history that was cut: the
// older commits are not here.
func (c *connection) mayFill() error {
	if len(c.a.cuts()) == 0 {
		return nil
	}
	return katprep.Errorf(katprep.Conflict, "the remote has no branch %s yet, and older history is not here but in bundles", c.r.branch()).
		WithHint("push the whole history there first: docs/howto-protect.md says how to join it")
}

// How the remote's branch stands to ours.
type relation int

const (
	same relation = iota
	behind
	ahead
	diverged
)

// relation compares the remote's branch, which was fetched, with ours.
func (c *connection) relation(tip object.Hash) (relation, error) {
	if c.there == tip {
		return same, nil
	}
	if !c.seen.IsZero() && c.seen != c.there {
		if ok, err := c.a.ancestor(c.ctx, c.seen, c.there); err != nil || !ok {
			return diverged, err
		}
	}
	if tip.IsZero() {
		return ahead, nil
	}
	if ok, err := c.a.ancestor(c.ctx, c.there, tip); err != nil || ok {
		return behind, err
	}
	if ok, err := c.a.ancestor(c.ctx, tip, c.there); err != nil || ok {
		return ahead, err
	}
	return diverged, nil
}

// conflict says why two histories do not fit.
func (c *connection) conflict(tip object.Hash) error {
	if !c.seen.IsZero() {
		if ok, err := c.a.ancestor(c.ctx, c.seen, c.there); err != nil || !ok {
			return katprep.Errorf(katprep.Conflict, "the remote was rewritten: its branch %s was at %s, which is not in its history any more", c.r.branch(), idOf(c.seen).Short()).
				WithHint("find out who did it; nothing was overwritten, here or there")
		}
	}
	return katprep.Errorf(katprep.Conflict, "the histories went different ways: branch %s of the remote is at %s, this archive at %s", c.r.branch(), idOf(c.there).Short(), idOf(tip).Short()).
		WithHint("another machine feeds that branch; give each machine its own: archive.branch in the configuration")
}

// ancestor reports whether one commit is in the history of another, or the
// same.
func (a *Archive) ancestor(ctx context.Context, old, of object.Hash) (bool, error) {
	for v, err := range a.walk(ctx, of) {
		if err != nil {
			return false, err
		}
		if v.hash == old {
			return true, nil
		}
	}
	return false, nil
}

// tagSpecs names the tags that the remote does not have. One that it has
// with another value is never moved.
func (c *connection) tagSpecs() ([]config.RefSpec, error) {
	list, err := c.a.refs.List("refs/tags/run/")
	if err != nil {
		return nil, err
	}
	var out []config.RefSpec
	for _, ref := range list {
		switch there, ok := c.refs[ref.Name]; {
		case !ok:
			out = append(out, config.RefSpec(ref.Name+":"+ref.Name))
		case there != ref.Hash:
			return nil, c.otherTag(ref.Name)
		}
	}
	return out, nil
}

func (c *connection) otherTag(name string) error {
	return katprep.Errorf(katprep.Conflict, "the remote has another tag %s: it was moved, or two machines had a run of the same ID", strings.TrimPrefix(name, "refs/tags/")).
		WithHint("compare both with: git ls-remote; nothing was overwritten")
}

func (c *connection) push(specs []config.RefSpec) error {
	err := c.remote.PushContext(c.ctx, &gogit.PushOptions{
		RemoteName: c.r.Name, RefSpecs: specs, Auth: c.auth, CABundle: c.ca, Atomic: false,
	})
	if errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return nil
	}
	return remoteError(err)
}

// fetch brings the objects of the remote's branch and tags, synced, without
// touching any reference.
func (c *connection) fetch() error {
	before, err := filepath.Glob(filepath.Join(c.a.dir, "objects", "pack", "*.pack"))
	if err != nil {
		return err
	}
	specs := []config.RefSpec{config.RefSpec("+refs/heads/" + c.r.branch() + ":refs/katprep/fetched")}
	tags, err := c.tagsToFetch()
	if err != nil {
		return err
	}
	specs = append(specs, tags...)
	if !c.stampsThere().IsZero() {
		specs = append(specs, config.RefSpec("+"+c.r.stamps()+":refs/katprep/stamps"))
	}
	err = c.remote.FetchContext(c.ctx, &gogit.FetchOptions{
		RemoteName: c.r.Name, Auth: c.auth, CABundle: c.ca, Tags: gogit.NoTags, RefSpecs: specs,
	})
	if err != nil && !errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return remoteError(err)
	}
	if err := pack.SyncNew(c.a.dir, before); err != nil {
		return err
	}
	return c.a.store.Refresh()
}

// takeTags creates the tags of runs that only the remote has.
func (c *connection) takeTags(ctx context.Context) (n int, err error) {
	cut, err := c.a.cutTags(ctx)
	if err != nil {
		return 0, err
	}
	for name, h := range c.refs {
		if !strings.HasPrefix(name, "refs/tags/run/") || !validTag(strings.TrimPrefix(name, "refs/tags/")) {
			continue
		}
		switch mine, err := c.a.refs.Read(name); {
		case err != nil:
			return n, err
		case mine.IsZero() && cut[name] == h:
			continue // it is in a bundle
		case mine.IsZero() && !cut[name].IsZero():
			return n, c.otherTag(name)
		case mine == h:
			continue
		case !mine.IsZero():
			return n, c.otherTag(name)
		}
		if _, _, err := c.a.store.Read(ctx, h); err != nil {
			return n, err
		}
		if err := c.a.refs.Apply(ctx, refs.Update{Name: name, New: h}, refWait); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
