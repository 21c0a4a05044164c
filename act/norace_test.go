//go:build !race

package act_test

const (
	killStride = 1
	manyHosts  = 5000
)
