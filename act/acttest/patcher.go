package acttest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A PatcherFixture is a system under test that patches at least two hosts.
type PatcherFixture struct {
	Patcher act.Patcher
	Targets []act.Target // at least two hosts
	Unknown act.Target   // names a host that the system does not have
	// Request is something that is pending on all targets. The suite sets
	// the marker.
	Request act.PatchRequest
	// Installed says whether the host has what was asked for.
	Installed func(t *testing.T, target act.Target) bool
	// Timeout bounds each call; zero is 60 s.
	Timeout time.Duration
}

// Patcher tests that a backend keeps the contract of [act.Patcher].
func Patcher(t *testing.T, f PatcherFixture) {
	if len(f.Targets) < 2 || f.Installed == nil {
		t.Fatal("the fixture needs two hosts and a look at them")
	}
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	t.Run("Identify", func(t *testing.T) { identify(t, f.Patcher, f.Timeout) })
	t.Run("NothingSent", func(t *testing.T) { patchRefused(t, f) })
	t.Run("Cancelled", func(t *testing.T) { patchCancelled(t, f) })
	t.Run("Patch", func(t *testing.T) { patchHosts(t, f) })
	t.Run("UnknownHost", func(t *testing.T) { patchUnknown(t, f) })
}

func markAll(ts []act.Target, m act.Marker) []act.Target {
	ts = slices.Clone(ts)
	for i := range ts {
		ts[i].Marker = m
	}
	return ts
}

func noJob(t *testing.T, f PatcherFixture, m act.Marker) {
	t.Helper()
	if job, found, err := f.Patcher.FindPatch(bounded(t, f.Timeout), with(f.Targets[0], m)); err != nil || found {
		t.Errorf("FindPatch(%s) = %+v, found %v, error %v; want none", m, job, found, err)
	}
}

func patchRefused(t *testing.T, f PatcherFixture) {
	for name, r := range map[string]act.PatchRequest{
		"nothing":          {},
		"option":           {Errata: []string{"--releasever=/etc"}},
		"shell in erratum": {Errata: []string{"RHSA-2026:1;reboot"}},
		"shell in package": {Packages: []string{"bash$(reboot)"}},
		"list in erratum":  {Errata: []string{"RHSA-2026:1,RHSA-2026:2"}},
		"blank":            {Packages: []string{"bash zsh"}},
		"newline":          {Packages: []string{"bash\nzsh"}},
		"empty name":       {Packages: []string{""}},
	} {
		r.Marker = "katprep-contract-9-j1"
		results := f.Patcher.Patch(bounded(t, f.Timeout), markAll(f.Targets, r.Marker), r, func(j act.Job) {
			t.Errorf("%s: job %+v was sent", name, j)
		})
		if len(results) != len(f.Targets) {
			t.Fatalf("%s: %d results for %d hosts", name, len(results), len(f.Targets))
		}
		for _, result := range results {
			if katprep.KindOf(result.Err) != katprep.Invalid || result.Err == nil {
				t.Errorf("%s: error %v, want one of kind Invalid", name, result.Err)
			}
		}
		noJob(t, f, r.Marker)
	}
}

func patchCancelled(t *testing.T, f PatcherFixture) {
	ctx, cancel := context.WithCancel(bounded(t, f.Timeout))
	cancel()
	r := f.Request
	r.Marker = "katprep-contract-9-j2"
	results := f.Patcher.Patch(ctx, markAll(f.Targets, r.Marker), r, func(j act.Job) { t.Errorf("job %+v was sent", j) })
	for _, result := range results {
		if result.Err == nil {
			t.Error("Patch with an ended context: a result without error")
		}
	}
	if len(results) != len(f.Targets) {
		t.Errorf("%d results for %d hosts", len(results), len(f.Targets))
	}
	noJob(t, f, r.Marker)
}

func patchHosts(t *testing.T, f PatcherFixture) {
	r := f.Request
	r.Marker = "katprep-contract-9-j3"
	ts := markAll(f.Targets, r.Marker)
	for _, target := range ts {
		if f.Installed(t, target) {
			t.Fatal("the fixture's request is installed already")
		}
	}
	var reached []katprep.HostID
	var jobs []act.Job
	results := f.Patcher.Patch(bounded(t, f.Timeout), ts, r, func(j act.Job) {
		jobs, reached = append(jobs, j), append(reached, j.Hosts...)
	})
	if len(results) != len(ts) {
		t.Fatalf("%d results for %d hosts", len(results), len(ts))
	}
	for i, target := range ts {
		if results[i].Err != nil || results[i].Ref.ID == "" {
			t.Fatalf("host %d: %+v", i, results[i])
		}
		if !f.Installed(t, target) {
			t.Errorf("host %d is said to be patched and is not", i)
		}
		if !slices.Contains(reached, target.Host.HostID) {
			t.Errorf("no job named host %v: %+v", target.Host.HostID, jobs)
		}
		findAgain(t, f, target)
	}
	noJob(t, f, "katprep-contract-9-j33")
	noJob(t, f, "katprep-contract-9-j")
}

// findAgain does what a process does that was killed after it sent the job.
func findAgain(t *testing.T, f PatcherFixture, target act.Target) {
	t.Helper()
	job, found, err := f.Patcher.FindPatch(bounded(t, f.Timeout), target)
	if err != nil || !found || job.ID == "" {
		t.Fatalf("FindPatch = %+v, found %v, error %v; want the job", job, found, err)
	}
	if !slices.Contains(job.Hosts, target.Host.HostID) {
		t.Errorf("FindPatch: job %+v does not name host %v", job, target.Host.HostID)
	}
	if ref, err := f.Patcher.AwaitPatch(bounded(t, f.Timeout), target, job); err != nil || ref.ID == "" {
		t.Errorf("AwaitPatch = %+v, error %v", ref, err)
	}
}

func patchUnknown(t *testing.T, f PatcherFixture) {
	r := f.Request
	r.Marker = "katprep-contract-9-j4"
	ts := markAll([]act.Target{f.Targets[0], f.Unknown}, r.Marker)
	results := f.Patcher.Patch(bounded(t, f.Timeout), ts, r, func(act.Job) {})
	if len(results) != 2 || results[1].Err == nil {
		t.Fatalf("results %+v: want an error for the unknown host", results)
	}
	if results[0].Err != nil {
		t.Errorf("the unknown host spoiled the other one: %v", results[0].Err)
	}
}

// A RebooterFixture is a system under test that reboots one host.
type RebooterFixture struct {
	Rebooter act.Rebooter
	Target   act.Target
	Unknown  act.Target    // names a host that the system does not have
	Timeout  time.Duration // of each call; zero is 60 s
}

// Rebooter tests that a backend keeps the contract of [act.Rebooter].
func Rebooter(t *testing.T, f RebooterFixture) {
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	bootOf := func(t *testing.T) katprep.Boot {
		t.Helper()
		b, err := f.Rebooter.BootOf(bounded(t, f.Timeout), f.Target)
		if err != nil || b.ID == "" && b.Time.IsZero() {
			t.Fatalf("BootOf = %+v, error %v", b, err)
		}
		return b
	}
	target := with(f.Target, markerA)
	t.Run("Reboot", func(t *testing.T) {
		before := bootOf(t)
		ref, err := f.Rebooter.Reboot(bounded(t, f.Timeout), target, before)
		if err != nil {
			t.Fatalf("Reboot: %v", err)
		}
		after := bootOf(t)
		if after == before {
			t.Errorf("Reboot returned, and the boot is still %+v", before)
		}
		if ref.Data[act.DataBootID] != after.ID || ref.Data[act.DataOldID] != before.ID {
			t.Errorf("Ref.Data = %v: want the boot IDs %q and %q", ref.Data, before.ID, after.ID)
		}
		if _, err := f.Rebooter.Reboot(bounded(t, f.Timeout), target, before); err != nil {
			t.Fatalf("Reboot of what was rebooted: %v", err)
		}
		if again := bootOf(t); again != after {
			t.Errorf("the host was rebooted twice: %+v, %+v", after, again)
		}
	})
	t.Run("UnknownHost", func(t *testing.T) {
		if b, err := f.Rebooter.BootOf(bounded(t, f.Timeout), f.Unknown); err == nil {
			t.Errorf("BootOf of an unknown host = %+v", b)
		}
		if _, err := f.Rebooter.Reboot(bounded(t, f.Timeout), with(f.Unknown, markerA), katprep.Boot{ID: "x"}); err == nil {
			t.Error("Reboot of an unknown host: no error")
		}
	})
	t.Run("Cancelled", func(t *testing.T) {
		before := bootOf(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Rebooter.Reboot(ctx, target, before); err == nil {
			t.Error("Reboot with an ended context: no error")
		}
		if after := bootOf(t); after != before {
			t.Error("Reboot with an ended context rebooted the host")
		}
	})
}
