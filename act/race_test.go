//go:build race

package act_test

// The race detector is ten times as slow, and what it looks for is in each
// kill and each host: it gets a part of them.
const (
	killStride = 29
	manyHosts  = 2500
)
