package main

import (
	"context"

	"github.com/stdevel/katprep/site"
)

var _ site.Elder = siteSource{}

// Older implements site.Elder.
func (s siteSource) Older(ctx context.Context) ([]site.Older, error) {
	list, cut, err := s.arc.Retained(ctx)
	if err != nil || !cut {
		return nil, err
	}
	var out []site.Older
	for _, r := range list {
		out = append(out, site.Older{Name: r.Bundle, SHA256: r.SHA256, From: r.From, To: r.To, Snapshots: r.Snaps})
	}
	return out, nil
}
