package foreman

import (
	"context"
	"time"

	"github.com/stdevel/katprep/collect"
)

var _ collect.Checker = (*Collector)(nil)

// Check logs in and says what the server is, what the user may not read, when
// its certificate ends and how its clock differs.
func (c *Collector) Check(ctx context.Context) (collect.Check, error) {
	src, err := c.Source(ctx)
	if err != nil {
		return collect.Check{}, err
	}
	id, err := c.api.IdentifyReader(ctx)
	if err != nil {
		return collect.Check{Source: src}, err
	}
	return collect.Check{
		Source: src, Missing: id.Missing, CertExpires: id.CertExpires,
		ClockSkew: id.ClockSkew.Round(time.Second),
	}, nil
}
