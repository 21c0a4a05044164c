//go:build unix

package e2e

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	actdirect "github.com/stdevel/katprep/act/direct"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/direct"
	"github.com/stdevel/katprep/diff"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/render"
)

// patchDay is a landscape of lab hosts with an archive.
type patchDay struct {
	t       *testing.T
	dir     string
	arc     *archive.Archive
	dialer  *sshx.Dialer
	hosts   []inventory.Host
	actor   *actdirect.Direct
	commits []katprep.CommitID
}

func newPatchDay(t *testing.T, hosts ...*lab.Host) *patchDay {
	t.Helper()
	p := &patchDay{t: t, dir: filepath.Join(t.TempDir(), "archive.git")}
	var known string
	var keys []string
	ini := "[lab]\n"
	for _, h := range hosts {
		known += h.KnownLine()
		keys = append(keys, h.Key.File)
		ini += h.Name + " ansible_host=" + h.Host + " ansible_port=" + strconv.Itoa(h.Port) + "\n"
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	p.must(os.WriteFile(file, []byte(known), 0o600))
	p.dialer = sshx.New(sshx.Options{User: lab.User, Identity: keys, KnownHosts: []string{file}, Timeout: 10 * time.Second})
	var err error
	p.hosts, err = inventory.Parse("hosts.ini", []byte(ini))
	p.must(err)
	p.actor = actdirect.New(actdirect.Options{Dialer: p.dialer, Hosts: p.hosts, Sudo: true, Poll: 200 * time.Millisecond, RebootTime: time.Minute})
	p.must(archive.Init(p.dir))
	p.arc, err = archive.Open(p.dir, archive.Options{Author: archive.Person{Name: "Test", Email: "test@example.com"}})
	p.must(err)
	t.Cleanup(func() { p.arc.Close() })
	return p
}

func (p *patchDay) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// snapshot collects and commits.
func (p *patchDay) snapshot(phase katprep.Phase) katprep.Snapshot {
	p.t.Helper()
	ctx := p.t.Context()
	w, err := p.arc.Begin(ctx)
	p.must(err)
	defer w.Abort()
	source := collect.Source{Name: "dmz", Collector: direct.NewSSH(direct.SSHOptions{Options: direct.Options{Name: "dmz"}, Dialer: p.dialer, Hosts: p.hosts, Sudo: true})}
	s, err := collect.Run(ctx, []collect.Source{source}, katprep.Selection{}, w, collect.Options{Concurrency: 4, PerHost: time.Minute})
	p.must(err)
	s.Format, s.Run, s.Phase, s.Version = katprep.ArchiveFormat, "lab-2026-11", phase, "test"
	id, err := w.Commit(ctx, s)
	p.must(err)
	p.commits = append(p.commits, id)
	return s
}

// patch installs on the named hosts.
func (p *patchDay) patch(r act.PatchRequest, names ...string) {
	p.t.Helper()
	var ts []act.Target
	for _, n := range names {
		ts = append(ts, act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "dmz", ID: n}, Name: n}, Marker: r.Marker})
	}
	for i, res := range p.actor.Patch(p.t.Context(), ts, r, func(act.Job) {}) {
		if res.Err != nil {
			p.t.Fatalf("patch %s: %v\n%s", names[i], res.Err, res.Ref.Data["output"])
		}
	}
}

// report compares two of the commits, counted from 0.
func (p *patchDay) report(before, after int) katprep.Report {
	p.t.Helper()
	ctx := p.t.Context()
	ref := func(i int) katprep.SnapshotRef {
		s, err := p.arc.Snapshot(ctx, p.commits[i])
		p.must(err)
		return katprep.SnapshotRef{Commit: p.commits[i], Snapshot: s}
	}
	lookup := func(id string) (katprep.Erratum, bool) {
		e, err := p.arc.Erratum(ctx, p.commits[after], id)
		return e, err == nil
	}
	l, err := diff.New(ref(before), ref(after), lookup, diff.Options{})
	p.must(err)
	c, err := p.arc.Compare(ctx, p.commits[before], p.commits[after])
	p.must(err)
	for pair, err := range c.Pairs(ctx) {
		p.must(err)
		l.Add(pair.Before, pair.After)
	}
	l.Unchanged(c.Same)
	return l.Report()
}

func hostOf(r katprep.Report, name string) katprep.HostChange {
	i := slices.IndexFunc(r.Hosts, func(h katprep.HostChange) bool { return h.Name == name })
	if i < 0 {
		return katprep.HostChange{}
	}
	return r.Hosts[i]
}

// endings says how each erratum of a host ended.
func endings(h katprep.HostChange) map[string]katprep.Ending {
	m := map[string]katprep.Ending{}
	for _, e := range h.Errata {
		m[e.ID] = e.Ending
	}
	return m
}

func (p *patchDay) wantEndings(r katprep.Report, host string, want map[string]katprep.Ending) {
	p.t.Helper()
	if got := endings(hostOf(r, host)); !maps.Equal(got, want) {
		p.t.Errorf("%s: %v, want %v", host, got, want)
	}
}

// TestPatchDay takes two RPM hosts and a Debian host through a patch day, and
// leaves a third RPM host switched off.
func TestPatchDay(t *testing.T) {
	peers.Need(t, "git")
	repo, debs := lab.BuildRPMRepo(t), lab.BuildDebRepo(t)
	one, two, gone := repo.NewHost(t, "rpm01.example.com"), repo.NewHost(t, "rpm02.example.com"), repo.NewHost(t, "rpm03.example.com")
	deb := debs.NewHost(t, "deb01.example.com")
	p := newPatchDay(t, one, two, gone, deb)

	before := p.snapshot(katprep.Before)
	if before.Counts.Collected != 4 || before.Counts.HostErrata != 15 || before.Counts.RebootNeeded != 0 {
		t.Errorf("before: %+v, %+v", before.Counts, before.Gaps)
	}
	gone.PowerOff()
	p.patch(act.PatchRequest{Errata: []string{"RHSA-2026:0001"}, Marker: "katprep-lab-2026-11-j1"}, one.Name)
	p.patch(act.PatchRequest{All: true, Marker: "katprep-lab-2026-11-j2"}, two.Name)
	p.patch(act.PatchRequest{All: true, Security: true, Marker: "katprep-lab-2026-11-j3"}, deb.Name)

	after := p.snapshot(katprep.After)
	if after.Counts.Collected != 3 || after.Counts.Failed != 1 || len(after.Gaps) != 1 || after.Gaps[0].Name != gone.Name || after.Counts.RebootNeeded != 1 {
		t.Errorf("after: %+v, %+v", after.Counts, after.Gaps)
	}
	r := p.report(0, 1)
	p.checkPatched(r, one, two, gone, deb)
	p.checkRendered(r)

	two.OnBoot(func() { two.SetKernel(lab.NewKernel) })
	target := act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "dmz", ID: two.Name}, Name: two.Name}, Marker: "katprep-lab-2026-11"}
	if _, err := p.actor.Reboot(t.Context(), target, hostOf(r, two.Name).Boot.After); err != nil {
		t.Fatal(err)
	}
	p.snapshot("")
	p.checkRebooted(p.report(0, 2), two)
	p.fsck()
}

func (p *patchDay) checkPatched(r katprep.Report, one, two, gone, deb *lab.Host) {
	t := p.t
	p.wantEndings(r, one.Name, map[string]katprep.Ending{"RHSA-2026:0001": katprep.Installed, "RHSA-2026:0009": katprep.Pending,
		"RHSA-2026:0020": katprep.Pending, "RHBA-2026:0030": katprep.Pending, "RHEA-2026:0040": katprep.Pending})
	p.wantEndings(r, two.Name, map[string]katprep.Ending{"RHSA-2026:0001": katprep.Installed, "RHSA-2026:0009": katprep.Installed,
		"RHSA-2026:0020": katprep.RebootPending, "RHBA-2026:0030": katprep.Installed, "RHEA-2026:0040": katprep.Installed})
	p.wantEndings(r, gone.Name, map[string]katprep.Ending{"RHSA-2026:0001": katprep.Unknown, "RHSA-2026:0009": katprep.Unknown,
		"RHSA-2026:0020": katprep.Unknown, "RHBA-2026:0030": katprep.Unknown, "RHEA-2026:0040": katprep.Unknown})
	if h := hostOf(r, gone.Name); h.Presence != katprep.NotCollected || h.Boot.Rebooted == katprep.Yes {
		t.Errorf("the host that is off: %s, %+v", h.Presence, h.Boot)
	}
	if h := hostOf(r, two.Name); h.Boot.Rebooted != katprep.No || h.Reboot.Need != katprep.Needed {
		t.Errorf("%s: %+v, %+v", two.Name, h.Boot, h.Reboot)
	}
	h := hostOf(r, deb.Name)
	ended := map[string]katprep.Ending{}
	for _, u := range h.Updates {
		ended[u.Name] = u.Ending
	}
	if want := map[string]katprep.Ending{"demo-ssl": katprep.Installed, "libdemo1": katprep.Installed, "demo-tools": katprep.Pending}; !maps.Equal(ended, want) || len(h.Errata) > 0 {
		t.Errorf("%s: %v, errata %v", deb.Name, ended, h.Errata)
	}
	if r.Totals.Unknown != 1 || r.Totals.Errata[katprep.Installed] != 5 || r.Totals.Errata[katprep.RebootPending] != 1 || r.Totals.Errata[katprep.Unknown] != 5 {
		t.Errorf("totals %+v", r.Totals)
	}
}

// checkRendered reads the reports as a person does.
func (p *patchDay) checkRendered(r katprep.Report) {
	for _, f := range []render.Format{render.Markdown, render.HTML} {
		var all bytes.Buffer
		p.must(render.Landscape(&all, f, &r, render.Options{}))
		p.names(f, all.String(), "RHSA-2026:0001", "RHSA-2026:0020", "3.0.7-25.el9_4", "3.0.7-27.el9_4", "5.14.0-427.20.1.el9_4", "rpm03.example.com")
		var one bytes.Buffer
		h := hostOf(r, "deb01.example.com")
		p.must(render.Host(&one, f, &r, &h, render.Options{}))
		p.names(f, one.String(), "demo-ssl", "3.0.11-1~deb12u3", "1.0-1+deb12u1")
	}
}

func (p *patchDay) names(f render.Format, text string, want ...string) {
	p.t.Helper()
	text = strings.NewReplacer(`\`, "", "<ins>", "", "</ins>", "", "<b>", "", "</b>", "", "&#43;", "+").Replace(text)
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.t.Errorf("the %s report does not name %s", f, w)
		}
	}
}

func (p *patchDay) checkRebooted(r katprep.Report, two *lab.Host) {
	p.wantEndings(r, two.Name, map[string]katprep.Ending{"RHSA-2026:0001": katprep.Installed, "RHSA-2026:0009": katprep.Installed,
		"RHSA-2026:0020": katprep.Installed, "RHBA-2026:0030": katprep.Installed, "RHEA-2026:0040": katprep.Installed})
	h := hostOf(r, two.Name)
	if h.Boot.Rebooted != katprep.Yes || h.Kernel != (katprep.KernelChange{Before: lab.OldKernel, After: lab.NewKernel}) || h.Reboot.Need != katprep.NotNeeded {
		p.t.Errorf("%s after the reboot: %+v, %+v, %+v", two.Name, h.Boot, h.Kernel, h.Reboot)
	}
}

// fsck lets Git judge the archive.
func (p *patchDay) fsck() {
	if out, err := exec.Command("git", "-C", p.dir, "fsck", "--strict", "--no-dangling").CombinedOutput(); err != nil {
		p.t.Errorf("git fsck: %v\n%s", err, out)
	}
	out, err := exec.Command("git", "-C", p.dir, "log", "-p", "--format=%s", "main", "--", "hosts/example.com").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("3.0.7-25.el9_4")) {
		p.t.Errorf("git log does not show what was installed: %v\n%.2000s", err, out)
	}
}
