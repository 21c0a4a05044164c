//go:build race

package act_test

// killStride is how many kills are left out between two: the race detector
// is ten times as slow, and what it looks for is in each of them.
const killStride = 13
