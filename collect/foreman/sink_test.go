package foreman_test

import (
	"context"

	"github.com/stdevel/katprep"
)

// A recorder keeps what a run stores, by host name and erratum ID.
type recorder struct {
	states map[string]katprep.State
	errata map[string]katprep.Erratum
	times  int // PutErratum was called
}

func (r *recorder) Put(_ context.Context, s katprep.State) error {
	r.states[s.Name] = s
	return nil
}

func (r *recorder) PutErratum(_ context.Context, e katprep.Erratum) error {
	r.times++
	if have, ok := r.errata[e.ID]; ok {
		e = have.Merge(e)
	}
	r.errata[e.ID] = e
	return nil
}
