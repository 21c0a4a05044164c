package vsphere_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/vim25/mo"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/vsphere"
)

// BenchmarkThousandVMs lists a thousand VMs in one pass, finds all of them in
// the list, and snapshots a hundred, eight at once. In the same run some are
// looked up by name one after the other, as a naive tool does; the ratio is
// that of finding one VM.
func BenchmarkThousandVMs(b *testing.B) {
	const all, chosen, naive = 1000, 100, 5
	_, c, other := sim(b, all)
	if _, err := c.Identify(b.Context()); err != nil { // logs in
		b.Fatal(err)
	}
	for b.Loop() {
		begun := time.Now()
		findAll(b, c, all)
		found := time.Since(begun) / all
		begun = time.Now()
		snapshotMany(b, c, chosen, 8)
		made := time.Since(begun) / chosen
		removeMany(b, c, chosen, 8)
		begun = time.Now()
		lookUp(b, other, naive)
		lookup := time.Since(begun) / naive
		b.ReportMetric(float64(found.Microseconds())/1000, "ms/found")
		b.ReportMetric(float64(made.Microseconds())/1000, "ms/snapshot")
		b.ReportMetric(float64(lookup.Microseconds())/1000, "ms/looked-up")
		b.ReportMetric(float64(lookup)/float64(found), "x-faster")
	}
}

func findAll(b *testing.B, c *vsphere.Client, n int) {
	if _, err := c.Objects(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if _, err := c.Find(b.Context(), target(fmt.Sprint("DC0_H0_VM", i))); err != nil {
			b.Fatal(err)
		}
	}
}

func lookUp(b *testing.B, other *govmomi.Client, n int) {
	finder := find.NewFinder(other.Client)
	dc, err := finder.DefaultDatacenter(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	finder.SetDatacenter(dc)
	for i := range n {
		m, err := finder.VirtualMachine(b.Context(), fmt.Sprint("DC0_H0_VM", i*199))
		if err != nil {
			b.Fatal(err)
		}
		var props mo.VirtualMachine
		if err := m.Properties(b.Context(), m.Reference(), []string{"name", "snapshot", "runtime"}, &props); err != nil {
			b.Fatal(err)
		}
	}
}

func snapshotMany(b *testing.B, c act.Snapshotter, n, workers int) {
	many(n, workers, func(i int) {
		if _, err := c.CreateSnapshot(b.Context(), target(fmt.Sprint("DC0_H0_VM", i)), act.SnapshotOptions{}); err != nil {
			b.Error(err)
		}
	})
}

func removeMany(b *testing.B, c act.Snapshotter, n, workers int) {
	many(n, workers, func(i int) {
		if err := c.RemoveSnapshot(b.Context(), target(fmt.Sprint("DC0_H0_VM", i))); err != nil {
			b.Error(err)
		}
	})
}

func many(n, workers int, f func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
