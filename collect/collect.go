// Package collect says what a collector is, and runs collectors: bounded,
// cancellable, and so that a host that cannot be read becomes a gap in the
// snapshot and never stops the others.
//
// Collectors only read. They return values; whoever runs them stores them.
package collect

import (
	"context"
	"iter"

	"github.com/stdevel/katprep"
)

// A Collector reads hosts from one source and never changes anything there.
type Collector interface {
	// Source says what the source is and which version it runs, for the
	// record. It is called first, and its error means that the source cannot
	// be read at all (unreachable, credentials refused).
	Source(ctx context.Context) (katprep.Source, error)

	// Targets yields each selected host that the source knows once, in a
	// stable order. An error ends the sequence and means that the list is
	// not complete; targets yielded before it are still read and stored.
	// The selection may be applied by the source as far as it can; the
	// runner applies it again to the states. A name in the selection that
	// the source does not know is an error of kind katprep.NotFound.
	Targets(ctx context.Context, sel katprep.Selection) iter.Seq2[Target, error]
}

// A Target is one host that can be read.
type Target struct {
	Host katprep.Host

	// Read returns the host's state and the errata whose details came with
	// it (each at least once over all targets, any number of times). It is
	// called at most once, from any goroutine. A host that can be read in
	// part is a Reading with status Incomplete and the Problems; an error
	// means that nothing is known and becomes a state with status Failed.
	Read func(ctx context.Context) (Reading, error)
}

// A Reading is what was read of one host.
type Reading struct {
	State  katprep.State
	Errata []katprep.Erratum
}

// A Sink takes readings as they come. The runner calls it from one goroutine
// at a time.
type Sink interface {
	// Put stores one host's state. It may still read the state's lists after
	// it has returned: nobody changes them.
	Put(ctx context.Context, s katprep.State) error
	// PutErratum stores an erratum; details of the same ID are merged.
	PutErratum(ctx context.Context, e katprep.Erratum) error
}
