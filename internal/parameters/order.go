package parameters

import (
	"context"
	"iter"

	"github.com/stdevel/katprep"
)

// inOrder works on hosts in parallel, limit at once, and yields the results
// in the hosts' order.
func inOrder[T any](ctx context.Context, hosts iter.Seq2[katprep.State, error], limit int, work func(context.Context, katprep.State) T) iter.Seq2[T, error] {
	type slot struct {
		out chan T
		err error
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		queue := make(chan slot, limit-1) // with the one being waited for: limit hosts
		go func() {
			defer close(queue)
			for h, err := range hosts {
				s := slot{out: make(chan T, 1), err: err}
				select {
				case queue <- s:
				case <-ctx.Done():
					return
				}
				if err != nil {
					return
				}
				go func() { s.out <- work(ctx, h) }()
			}
		}()
		var zero T
		for s := range queue {
			if s.err != nil {
				yield(zero, s.err)
				return
			}
			if !yield(<-s.out, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(zero, err)
		}
	}
}
