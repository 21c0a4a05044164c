package site_test

import (
	"os"
	"testing"

	"github.com/stdevel/katprep/site"
)

// TestDump builds the sample site into the folder that KATPREP_SITE_DUMP
// names, for looking at it.
func TestDump(t *testing.T) {
	dir := os.Getenv("KATPREP_SITE_DUMP")
	if dir == "" {
		t.Skip("KATPREP_SITE_DUMP names no folder")
	}
	if _, err := site.Build(t.Context(), sample(), dir, site.Options{Version: "1.0.0", Policy: rules}); err != nil {
		t.Fatal(err)
	}
}
