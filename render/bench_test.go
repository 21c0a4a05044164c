package render

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

// landscape500 is a report of 500 hosts with 20 errata each, 15 of them
// installed with a proof, and descriptions as long as vendors' are.
func landscape500() *katprep.Report {
	r := sample()
	r.Hosts, r.Errata = nil, nil
	for i := range 20 {
		r.Errata = append(r.Errata, katprep.Erratum{ID: fmt.Sprintf("RHSA-2026:%04d", i), Title: "package security update", Type: katprep.Security, Severity: katprep.Important, Issued: "2026-11-03",
			CVEs: []string{fmt.Sprintf("CVE-2026-%04d", i)}, Description: string(bytes.Repeat([]byte("A flaw was found in the way it handled input. "), 12))})
	}
	for n := range 500 {
		h := katprep.HostChange{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: fmt.Sprint(n)}, Name: fmt.Sprintf("host%03d.example.com", n)}, Presence: katprep.InBoth, Before: katprep.Collected, After: katprep.Collected, Boot: katprep.BootChange{Rebooted: katprep.Yes}}
		for i, e := range r.Errata {
			c := katprep.ErratumChange{ID: e.ID, Ending: katprep.Installed, Type: e.Type, Severity: e.Severity, Issued: e.Issued, Title: e.Title, CVEs: e.CVEs}
			if i < 15 {
				k := katprep.PackageKey{Name: fmt.Sprintf("package%d", i), Arch: "x86_64"}
				c.Proof = []katprep.Proof{{Package: k, Before: "3.0.7-24.el9", Fixed: "3.0.7-27.el9", After: "3.0.7-27.el9"}}
				h.Packages = append(h.Packages, katprep.PackageChange{PackageKey: k, Kind: katprep.Upgraded, Before: []katprep.EVR{"3.0.7-24.el9"}, After: []katprep.EVR{"3.0.7-27.el9"}, Errata: []string{e.ID}})
			} else {
				c.Ending = katprep.Pending
			}
			h.Errata = append(h.Errata, c)
		}
		r.Hosts = append(r.Hosts, h)
	}
	return r
}

// BenchmarkReports writes 500 hosts' HTML reports, and lets one pandoc make
// each of ten, which is how the predecessor did it. Both are compared by wall
// time, one after the other, and by processor time, which does not count what
// starting a program of 150 MB costs besides.
func BenchmarkReports(b *testing.B) {
	peers.Need(b, "pandoc")
	r := landscape500()
	var ours, oursWall time.Duration
	for b.Loop() {
		begin := time.Now()
		start := cpu(unix.RUSAGE_SELF)
		for i := range r.Hosts {
			if err := Host(io.Discard, HTML, r, &r.Hosts[i], Options{}); err != nil {
				b.Fatal(err)
			}
		}
		ours += cpu(unix.RUSAGE_SELF) - start
		oursWall += time.Since(begin)
	}
	md := b.TempDir() + "/host.md"
	var buf bytes.Buffer
	if err := Host(&buf, Markdown, r, &r.Hosts[0], Options{}); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(md, buf.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	const runs = 10
	begin := time.Now()
	start := cpu(unix.RUSAGE_CHILDREN)
	for range runs {
		if out, err := exec.Command("pandoc", "--standalone", "--metadata", "title=x", "-f", "gfm", "-t", "html", "-o", md+".html", md).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	theirs := (cpu(unix.RUSAGE_CHILDREN) - start) / runs * 500
	theirsWall := time.Since(begin) / runs * 500
	eachWall := oursWall / time.Duration(b.N)
	each := ours / time.Duration(b.N)
	b.ReportMetric(float64(each.Microseconds())/500, "µs-cpu/host")
	b.ReportMetric(theirs.Seconds()*1000/500, "ms-cpu/host-pandoc")
	b.ReportMetric(eachWall.Seconds()*1000/500, "ms/host")
	b.ReportMetric(theirsWall.Seconds()*1000/500, "ms/host-pandoc")
	b.ReportMetric(float64(theirs)/float64(each), "x-pandoc-cpu")
	b.ReportMetric(float64(theirsWall)/float64(eachWall), "x-pandoc")
}

func cpu(who int) time.Duration {
	var u unix.Rusage
	if unix.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
