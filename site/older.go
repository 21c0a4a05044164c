package site

import (
	"context"
	"time"
)

// An Elder is a Source whose older history was moved into bundles: the site
// says so, for nobody is to take its first snapshot for the first one.
type Elder interface {
	// Older returns the bundles, the oldest first; none if the history is whole.
	Older(ctx context.Context) ([]Older, error)
}

// Older is a bundle of older history.
type Older struct {
	Name      string    // of the file, untrusted text
	SHA256    string    // of the file, hexadecimal
	From, To  time.Time // dates of its first and last snapshots, UTC
	Snapshots int
}

func olderOf(ctx context.Context, src Source) ([]Older, error) {
	if e, ok := src.(Elder); ok {
		return e.Older(ctx)
	}
	return nil, nil
}
