package archive

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkRetain moves the first half of a simulated history into a bundle,
// and says what it is of the archive, before and after. It takes the time of
// a verification, of the bundle, and of a maintenance. It is done once.
func BenchmarkRetain(b *testing.B) {
	hosts, days, packages := benchYears(b)
	path := filepath.Join(b.TempDir(), "a.git")
	if err := Init(path); err != nil {
		b.Fatal(err)
	}
	start := time.Date(2023, 1, 1, 3, 0, 0, 0, time.UTC)
	now := start
	a := open(b, path)
	a.opts.Now = func() time.Time { return now }
	l := smallLandscape(hosts, packages)
	for day := range days {
		now = start.AddDate(0, 0, day)
		if err := writeChanged(b.Context(), a, l, day); err != nil {
			b.Fatal(err)
		}
	}
	a.opts.Now = time.Now
	if _, err := a.Maintain(b.Context(), ""); err != nil {
		b.Fatal(err)
	}
	before := bytesOf(b, path)
	b.ResetTimer()
	dir := b.TempDir()
	r, err := a.Retain(b.Context(), RetainOptions{Before: start.AddDate(0, 0, days/2), Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, r.Bundle))
	if err != nil {
		b.Fatal(err)
	}
	const mb = 1 << 20
	b.ReportMetric(float64(st.Size())/mb, "MB-bundle")
	b.ReportMetric(before/mb, "MB-before")
	b.ReportMetric(bytesOf(b, path)/mb, "MB-after")
	b.ReportMetric(float64(r.Snaps), "snapshots")
}
