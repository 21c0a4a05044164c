package sitetest

import (
	"context"
	"iter"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

// Chained is a Memory that knows its commits.
type Chained struct {
	*Memory
	Commits []site.Link // oldest first
	Tags    map[string]site.Signature
	Check   *site.Verification
}

// Links is part of site.Chain.
func (c *Chained) Links(context.Context) iter.Seq2[site.Link, error] {
	links := slices.Clone(c.Commits)
	slices.Reverse(links)
	return seq(links)
}

// TagSignature is part of site.Chain.
func (c *Chained) TagSignature(_ context.Context, run katprep.RunID, ph katprep.Phase) (site.Signature, bool, error) {
	s, ok := c.Tags["run/"+string(run)+"/"+string(ph)]
	return s, ok, nil
}

// Verified is part of site.Chain.
func (c *Chained) Verified(context.Context) (*site.Verification, error) { return c.Check, nil }
