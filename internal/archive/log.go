package archive

import (
	"container/heap"
	"context"
	"iter"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
)

// A Commit is one commit of the archive, without what it holds.
type Commit struct {
	ID        katprep.CommitID
	Parents   []katprep.CommitID
	Author    Person            // who did it
	Committer Person            // what wrote it
	When      time.Time         // the author's date: when it was done, UTC
	Written   time.Time         // the committer's date, UTC
	Subject   string            // first line of the message, untrusted
	Trailers  map[string]string // untrusted
	Kind      Kind              // as its trailers say
	Signed    bool              // a signature is there; whether it is good, see Verify
}

func describe(h object.Hash, c *object.Commit) Commit {
	subject, _, _ := strings.Cut(c.Message, "\n")
	out := Commit{
		ID:        katprep.CommitID(h.String()),
		Author:    Person{c.Author.Name, c.Author.Email},
		Committer: Person{c.Committer.Name, c.Committer.Email},
		When:      c.Author.When,
		Written:   c.Committer.When,
		Subject:   subject,
		Trailers:  trailers(c.Message),
		Signed:    c.Armor != "",
	}
	out.Kind = Kind(out.Trailers[trailerKind])
	for _, p := range c.Parents {
		out.Parents = append(out.Parents, katprep.CommitID(p.String()))
	}
	return out
}

// trailers reads the last paragraph of a message if all its lines are
// "Key: value".
func trailers(msg string) map[string]string {
	out := map[string]string{}
	msg = strings.TrimRight(msg, "\n")
	i := strings.LastIndex(msg, "\n\n")
	if i < 0 {
		return out
	}
	for line := range strings.SplitSeq(msg[i+2:], "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(key, " \t") {
			return map[string]string{}
		}
		out[key] = value
	}
	return out
}

// A visit is a commit that a walk has reached.
type visit struct {
	hash   object.Hash
	commit *object.Commit
	seq    int
}

// A queue orders visits: the newest commit first, then the one found first.
type queue []visit

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if a, b := q[i].commit.Committer.When, q[j].commit.Committer.When; !a.Equal(b) {
		return a.After(b)
	}
	return q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(visit)) }
func (q *queue) Pop() any {
	old := *q
	v := old[len(old)-1]
	*q = old[:len(old)-1]
	return v
}

// walk yields a commit and its ancestors, each once, the newest first.
func (a *Archive) walk(ctx context.Context, from object.Hash) iter.Seq2[visit, error] {
	return func(yield func(visit, error) bool) {
		seen := map[object.Hash]bool{}
		var q queue
		add := func(h object.Hash) error {
			if seen[h] {
				return nil
			}
			seen[h] = true
			c, err := a.commit(ctx, h)
			if err == nil {
				heap.Push(&q, visit{h, c, len(seen)})
			}
			return err
		}
		err := add(from)
		for err == nil && q.Len() > 0 {
			v := heap.Pop(&q).(visit)
			if !yield(v, nil) {
				return
			}
			for _, p := range v.commit.Parents {
				if err = add(p); err != nil {
					break
				}
			}
		}
		if err != nil {
			yield(visit{}, err)
		}
	}
}

// Log yields a commit and all before it, the newest first. An empty from
// means the tip of the archive; an empty archive yields nothing.
func (a *Archive) Log(ctx context.Context, from katprep.CommitID) iter.Seq2[Commit, error] {
	const op = "read the log"
	return func(yield func(Commit, error) bool) {
		h, err := a.start(from)
		if err != nil {
			yield(Commit{}, fail(op, err))
			return
		}
		if h.IsZero() {
			return
		}
		for v, err := range a.walk(ctx, h) {
			if err != nil {
				yield(Commit{}, fail(op, err))
				return
			}
			if !yield(describe(v.hash, v.commit), nil) {
				return
			}
		}
	}
}

// Describe returns one commit.
func (a *Archive) Describe(ctx context.Context, c katprep.CommitID) (Commit, error) {
	op := "read commit " + c.Short()
	h, err := hashOf(c)
	if err != nil {
		return Commit{}, fail(op, err)
	}
	commit, err := a.commit(ctx, h)
	if err != nil {
		return Commit{}, fail(op, err)
	}
	return describe(h, commit), nil
}

// start returns the commit that a walk begins with: the tip if c is empty,
// zero if there is none.
func (a *Archive) start(c katprep.CommitID) (object.Hash, error) {
	if c == "" {
		return a.tip()
	}
	return hashOf(c)
}
