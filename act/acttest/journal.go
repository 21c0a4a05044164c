package acttest

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/stdevel/katprep"
)

// ErrKilled is what a [Journal] returns after its death.
var ErrKilled = errors.New("the process was killed")

// A Journal keeps entries in memory, and can die after or while writing one,
// as a journal does whose process is killed.
type Journal struct {
	// Die is called before each entry is kept, with how many there will be.
	// keep says whether the entry still gets into the journal.
	Die func(n int) (die, keep bool)

	mu      sync.Mutex
	entries []katprep.Entry
	dead    bool
}

// Append keeps the contract of act.Journal.
func (j *Journal) Append(es ...katprep.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range es {
		if j.dead {
			return ErrKilled
		}
		keep := true
		if j.Die != nil {
			j.dead, keep = j.Die(len(j.entries) + 1)
		}
		if keep {
			e.Seq = len(j.entries) + 1
			if e.At.IsZero() {
				e.At = time.Now()
			}
			e.At = e.At.UTC()
			j.entries = append(j.entries, e)
		}
		if j.dead {
			return ErrKilled
		}
	}
	return nil
}

// Entries keeps the contract of act.Journal.
func (j *Journal) Entries() iter.Seq2[katprep.Entry, error] {
	return func(yield func(katprep.Entry, error) bool) {
		for _, e := range j.All() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// All returns the entries so far.
func (j *Journal) All() []katprep.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// Revive lets a dead journal be written again, as the next process does.
func (j *Journal) Revive() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead, j.Die = false, nil
}
