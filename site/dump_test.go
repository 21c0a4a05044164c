//go:build unix

package site_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stdevel/katprep/site"
)

// TestDump builds the sample site into the folder that KATPREP_SITE_DUMP
// names, for looking at it; or the one of the benchmarks, if
// KATPREP_BENCH_SITE says how large.
func TestDump(t *testing.T) {
	dir := os.Getenv("KATPREP_SITE_DUMP")
	if dir == "" {
		t.Skip("KATPREP_SITE_DUMP names no folder")
	}
	var src site.Source = sample()
	var hosts, maintenances int
	if n, _ := fmt.Sscanf(os.Getenv("KATPREP_BENCH_SITE"), "%dx%d", &hosts, &maintenances); n == 2 {
		src = newMonths(hosts, maintenances)
	}
	if _, err := site.Build(t.Context(), src, dir, site.Options{Version: "1.0.0", Policy: rules}); err != nil {
		t.Fatal(err)
	}
}
