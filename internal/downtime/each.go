package downtime

import (
	"strings"

	"golang.org/x/sync/errgroup"
)

// Each calls do for 0 to n-1, at most limit at once, and returns the errors
// in order.
func Each(n, limit int, do func(i int) error) []error {
	errs := make([]error, n)
	var g errgroup.Group
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error { errs[i] = do(i); return nil })
	}
	_ = g.Wait()
	return errs
}

// FirstLine is the first line of a check's output.
func FirstLine(output string) string {
	first, _, _ := strings.Cut(output, "\n")
	return strings.TrimRight(first, "\r")
}
