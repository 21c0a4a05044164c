package foreman_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
)

// The benchmarks read a simulated Foreman in a process of its own, so that
// its memory is not counted as ours. Each request takes 20 ms there.

const benchServer = "KATPREP_BENCH_LANDSCAPE"

// TestServeLandscape is that process; by itself it does nothing.
func TestServeLandscape(t *testing.T) {
	spec := os.Getenv(benchServer)
	if spec == "" {
		t.Skip("serves the benchmarks only")
	}
	hosts, err := strconv.Atoi(spec)
	if err != nil {
		t.Fatal(err)
	}
	o := landscape.Options{Hosts: hosts, Packages: 400, Errata: 20, Latency: 20 * time.Millisecond, NoSelf: true, Seed: 1}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("serving http://%s\n", l.Addr())
	srv := &http.Server{Handler: &busy{next: landscape.New(o)}, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the benchmark
		srv.Close()
	}()
	_ = srv.Serve(l)
}

// busy adds up the time in which the server had requests to answer.
type busy struct {
	next  http.Handler
	spent atomic.Int64
	count atomic.Int64
}

func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/busy" {
		fmt.Fprintf(w, "%d %d", b.spent.Swap(0), b.count.Swap(0))
		return
	}
	begun := time.Now()
	b.next.ServeHTTP(w, r)
	b.spent.Add(int64(time.Since(begun)))
	b.count.Add(1)
}

func benchLandscape(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeLandscape$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), benchServer+"="+strconv.Itoa(benchHosts()))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	for sc := bufio.NewScanner(stdout); sc.Scan(); {
		if url, ok := strings.CutPrefix(sc.Text(), "serving "); ok {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return url
		}
	}
	b.Fatal("the landscape does not serve")
	return ""
}

// spent asks the server how long it was busy since the last time.
func spent(b *testing.B, url string) (busy time.Duration, requests int) {
	b.Helper()
	resp, err := http.Get(url + "/busy")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := fmt.Fscan(resp.Body, &busy, &requests); err != nil {
		b.Fatal(err)
	}
	return busy, requests
}

// counter is a sink that keeps nothing.
type counter struct{ hosts, errata, packages, pairs int }

func (c *counter) Put(_ context.Context, s katprep.State) error {
	c.hosts++
	c.packages += len(s.Packages)
	c.pairs += len(s.Errata)
	return nil
}

func (c *counter) PutErratum(context.Context, katprep.Erratum) error { c.errata++; return nil }

func benchHosts() int {
	if n, err := strconv.Atoi(os.Getenv("KATPREP_BENCH_HOSTS")); err == nil {
		return n
	}
	return 10_000
}

// BenchmarkSnapshot reads 10,000 hosts (KATPREP_BENCH_HOSTS) with 20 errata
// and 400 packages each.
func BenchmarkSnapshot(b *testing.B) {
	url := benchLandscape(b)
	o := foreman.Options{Name: "satellite", URL: url, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}}
	for _, packages := range []bool{false, true} {
		name := "without packages"
		if packages {
			name = "with packages"
		}
		b.Run(name, func(b *testing.B) {
			o.Packages = packages
			for b.Loop() {
				benchRead(b, url, o)
			}
		})
	}
	b.Run("the predecessor's way", func(b *testing.B) { benchPredecessor(b, url) })
}

func benchRead(b *testing.B, url string, o foreman.Options) {
	c := open(b, o)
	runtime.GC()
	spent(b, url)
	stop := watchMemory()
	begun := time.Now()
	var n counter
	snap, err := collect.Run(b.Context(), []collect.Source{{Name: "satellite", Collector: c}}, katprep.Selection{}, &n, collect.Options{Concurrency: 2 * 4})
	took, peak := time.Since(begun), stop()
	if err != nil || snap.Sources[0].Problem != "" || snap.Counts.Incomplete+snap.Counts.Failed > 0 {
		b.Fatalf("%v, %+v, %+v", err, snap.Counts, snap.Sources)
	}
	busy, requests := spent(b, url)
	limit := n.hosts/250 + n.errata/100 + 50
	ideal := busy / 4
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(float64(requests), "requests")
	b.ReportMetric(took.Seconds()/ideal.Seconds(), "x-server-busy")
	b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
	b.Logf("%d hosts, %d errata in %d pairs, %d packages: %v; %d requests (limit without packages %d); server busy %v of 4 workers = %.2f; peak %d MiB",
		n.hosts, n.errata, n.pairs, n.packages, took.Round(time.Millisecond), requests, limit, ideal.Round(time.Millisecond), took.Seconds()/ideal.Seconds(), peak>>20)
	if !o.Packages && requests > limit {
		b.Errorf("%d requests, at most %d are allowed", requests, limit)
	}
}

// watchMemory returns a function that ends the watch and tells the largest
// heap in use and stacks that were seen.
func watchMemory() func() uint64 {
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse+m.StackInuse)
			select {
			case <-tick.C:
			case <-done:
				peak <- most
				return
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-peak
	}
}

// benchPredecessor reads as the predecessor does: the list in one page, then
// host, owner and errata of each host, one request after the other. It does
// so for 100 hosts and tells what 10,000 would take.
func benchPredecessor(b *testing.B, url string) {
	const sample = 100
	get := func(path string) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.SetBasicAuth("admin", "changeme")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		begun := time.Now()
		for i := range sample {
			id := strconv.Itoa(i + 1)
			get("/api/hosts/" + id)
			get("/api/users/4")
			get("/api/hosts/" + id + "/errata?page=1&per_page=1337")
		}
		per := time.Since(begun) / sample
		b.ReportMetric((per * time.Duration(benchHosts())).Seconds(), "s-for-all-hosts")
		b.Logf("%v for each host", per)
	}
}
