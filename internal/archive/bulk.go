package archive

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// batch is how many states are read at a time: enough for reading in the
// order of the pack to pay, few enough to hold.
const batch = 64

// A reading is one state of a batch.
type reading struct {
	state *katprep.State
	err   error
}

// bulk reads many host files: batch by batch in the order of the list, each
// batch in the order of the pack and on several cores.
func (a *Archive) bulk(ctx context.Context, list []located) iter.Seq2[*katprep.State, error] {
	return func(yield func(*katprep.State, error) bool) {
		for part := range slices.Chunk(list, batch) {
			for _, r := range a.readBatch(ctx, part) {
				if !yield(r.state, r.err) || r.err != nil {
					return
				}
			}
		}
	}
}

func (a *Archive) readBatch(ctx context.Context, part []located) []reading {
	order := make([]int, len(part))
	places := make([]pack.Place, len(part))
	for i := range part {
		order[i], places[i] = i, a.store.Place(part[i].hash)
	}
	slices.SortFunc(order, func(x, y int) int { return places[x].Compare(places[y]) })
	out := make([]reading, len(part))
	workers := max(1, min(4, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	share := (len(order) + workers - 1) / workers
	for mine := range slices.Chunk(order, max(1, share)) {
		wg.Go(func() {
			d, _ := a.decoders.Get().(*canon.Decoder)
			if d == nil {
				d = &canon.Decoder{}
			}
			defer a.decoders.Put(d)
			for _, i := range mine {
				out[i].state, out[i].err = a.stateBy(ctx, d, part[i].hash, part[i].path)
			}
		})
	}
	wg.Wait()
	return out
}
