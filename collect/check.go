package collect

import (
	"context"
	"time"

	"github.com/stdevel/katprep"
)

// A Check is what a source answered when it was asked whether it can be read
// with all that katprep needs.
type Check struct {
	Source      katprep.Source
	Missing     []string      // permissions or plugins that are missing, and what that costs
	Untried     []string      // permissions that the configuration needs and whose lack shows only when something is written
	CertExpires time.Time     // of the server's certificate; zero without TLS
	ClockSkew   time.Duration // the server's clock minus ours, if known
}

// A Checker is a Collector that can say more of its source than its name,
// for "katprep config check --connect".
type Checker interface {
	// Check logs in and looks; it changes nothing. An error means that the
	// source cannot be read.
	Check(ctx context.Context) (Check, error)
}
