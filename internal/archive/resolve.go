package archive

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
)

// Resolve finds the commit that a person means:
//
//	latest               the last snapshot
//	2026-11-12           the last snapshot of that day (UTC) or before it
//	2026-11-12T20:00:00Z the last snapshot at that time or before it
//	run/ID/before        a tag
//	3f9c2a61             the beginning of a commit's name, at least 4 digits
//	main                 the tip, whatever it is
//
// and with ~N behind it the N-th snapshot before that. Commits that are no
// snapshots do not count. The error is of kind NotFound if there is none, and
// Invalid if several are meant.
func (a *Archive) Resolve(ctx context.Context, rev string) (katprep.CommitID, error) {
	op := fmt.Sprintf("find snapshot %q", rev)
	name, back, err := splitBack(rev)
	if err != nil {
		return "", fail(op, err)
	}
	h, err := a.resolve(ctx, name)
	if err == nil && back > 0 {
		h, err = a.before(ctx, h, back)
	}
	if err != nil {
		return "", fail(op, a.elsewhere(ctx, err))
	}
	return katprep.CommitID(h.String()), nil
}

func splitBack(rev string) (name string, back int, err error) {
	name, n, ok := strings.Cut(rev, "~")
	if !ok {
		return rev, 0, nil
	}
	if n == "" {
		return name, 1, nil
	}
	if back, err = strconv.Atoi(n); err != nil || back < 0 {
		return "", 0, katprep.Errorf(katprep.Invalid, "a number must follow the ~")
	}
	return name, back, nil
}

func notFound(format string, args ...any) error {
	return katprep.Errorf(katprep.NotFound, format, args...).WithHint("see what there is with: katprep log")
}

func (a *Archive) resolve(ctx context.Context, name string) (object.Hash, error) {
	tip, err := a.tip()
	if err != nil {
		return tip, err
	}
	if tip.IsZero() {
		return tip, katprep.Errorf(katprep.NotFound, "the archive holds no snapshot yet").
			WithHint("make one with: katprep snapshot")
	}
	switch name {
	case "latest":
		return a.lastSnapshot(ctx, tip, func(Commit) bool { return true })
	case "main", "HEAD":
		return tip, nil
	}
	if at, ok := parseTime(name); ok {
		return a.lastBy(ctx, tip, at)
	}
	if h, ok, err := a.tagged(ctx, name); ok || err != nil {
		return h, err
	}
	return a.byPrefix(ctx, name)
}

// parseTime reads a day (its last second) or a time.
func parseTime(s string) (time.Time, bool) {
	if d, err := time.Parse(time.DateOnly, s); err == nil {
		return d.Add(24*time.Hour - time.Second), true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

func (a *Archive) lastSnapshot(ctx context.Context, from object.Hash, want func(Commit) bool) (object.Hash, error) {
	for v, err := range a.walk(ctx, from) {
		if err != nil {
			return object.Hash{}, err
		}
		if c := describe(v.hash, v.commit); c.Kind == KindSnapshot && want(c) {
			return v.hash, nil
		}
	}
	return object.Hash{}, katprep.Errorf(katprep.NotFound, "the archive holds no snapshot yet").
		WithHint("make one with: katprep snapshot")
}

// lastBy returns the snapshot with the latest time that is not after at.
// Imported snapshots are older than the commits around them, so all count.
func (a *Archive) lastBy(ctx context.Context, from object.Hash, at time.Time) (best object.Hash, err error) {
	var when time.Time
	for v, err := range a.walk(ctx, from) {
		if err != nil {
			return best, err
		}
		c := describe(v.hash, v.commit)
		if c.Kind == KindSnapshot && !c.When.After(at) && (best.IsZero() || c.When.After(when)) {
			best, when = v.hash, c.When
		}
	}
	if best.IsZero() {
		return best, notFound("there is none at %s or before", at.UTC().Format(time.RFC3339))
	}
	return best, nil
}

// before goes back n snapshots from a commit.
func (a *Archive) before(ctx context.Context, from object.Hash, n int) (object.Hash, error) {
	seen := 0
	for v, err := range a.walk(ctx, from) {
		if err != nil {
			return object.Hash{}, err
		}
		if v.hash == from || describe(v.hash, v.commit).Kind != KindSnapshot {
			continue
		}
		if seen++; seen == n {
			return v.hash, nil
		}
	}
	return object.Hash{}, notFound("there are only %d snapshots before it", seen)
}

// tagged looks a tag up, annotated or not.
func (a *Archive) tagged(ctx context.Context, name string) (object.Hash, bool, error) {
	if !validTag(name) {
		return object.Hash{}, false, nil
	}
	h, err := a.refs.Read("refs/tags/" + name)
	if err != nil || h.IsZero() {
		return h, false, err
	}
	kind, data, err := a.store.Read(ctx, h)
	if err != nil {
		return h, false, err
	}
	if kind == object.TagKind {
		t, ok := object.DecodeTag(data)
		if !ok {
			return h, false, katprep.Errorf(katprep.Corrupt, "the tag names no commit")
		}
		return t.Target, true, nil
	}
	if kind != object.CommitKind {
		return h, false, katprep.Errorf(katprep.Corrupt, "the tag names no commit")
	}
	return h, true, nil
}

// validTag keeps names that could leave the folder of the tags out.
func validTag(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if !katprep.RunID(part).Valid() {
			return false
		}
	}
	return true
}

func (a *Archive) byPrefix(ctx context.Context, name string) (object.Hash, error) {
	prefix := strings.ToLower(name)
	if len(prefix) < 4 || len(prefix) > 2*object.Size || strings.Trim(prefix, "0123456789abcdef") != "" {
		return object.Hash{}, notFound("there is none")
	}
	all, err := a.store.Prefix(prefix)
	if err != nil {
		return object.Hash{}, err
	}
	var found []object.Hash
	for _, h := range all {
		kind, _, err := a.store.Read(ctx, h)
		if err != nil {
			return h, err
		}
		if kind == object.CommitKind {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return object.Hash{}, notFound("no commit begins with it")
	case 1:
		return found[0], nil
	}
	return object.Hash{}, katprep.Errorf(katprep.Invalid, "%d commits begin with it", len(found)).
		WithHint("give more digits")
}
