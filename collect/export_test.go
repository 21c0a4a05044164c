package collect

import "time"

// WithGrace shortens the wait for collectors that do not heed deadlines.
func WithGrace(o Options, d time.Duration) Options {
	o.grace = d
	return o
}

// Glob is glob.
var Glob = glob
