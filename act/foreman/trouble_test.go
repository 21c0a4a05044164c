package foreman_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/foreman"
	"github.com/stdevel/katprep/internal/landscape"
)

func patch(t *testing.T, a *foreman.Actor, ts []act.Target, r act.PatchRequest) ([]act.Result, []act.Job) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.Marker = orElse(r.Marker, "katprep-trouble-j1")
	var jobs []act.Job
	results := a.Patch(ctx, ts, r, func(j act.Job) { jobs = append(jobs, j) })
	if len(results) != len(ts) {
		t.Fatalf("%d results for %d hosts", len(results), len(ts))
	}
	return results, jobs
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// TestOneHostInTrouble: what is wrong with one host is its own result, and
// the others are patched.
func TestOneHostInTrouble(t *testing.T) {
	for name, tc := range map[string]struct {
		fault landscape.HostFault
		want  string
	}{
		"job leaves it out":   {landscape.HostFault{NotTargeted: true}, "does not target the host"},
		"job fails":           {landscape.HostFault{JobFails: true}, "Failed to download metadata"},
		"host is unreachable": {landscape.HostFault{Unreachable: true}, "Could not establish connection"},
		"hostile output":      {landscape.HostFault{JobFails: true, Output: "\x1b[31m{{.}}<script>"}, "job"},
	} {
		t.Run(name, func(t *testing.T) {
			l, a := serve(t, landscape.Options{Hosts: 60})
			ts, errata := rpmHosts(t, l, 3)
			l.SetHostFault(ts[1].Host.Name, tc.fault)
			results, jobs := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
			if results[0].Err != nil || results[2].Err != nil {
				t.Errorf("the others: %v, %v", results[0].Err, results[2].Err)
			}
			if err := results[1].Err; err == nil || !strings.Contains(err.Error(), tc.want) || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("error is %q", err)
			}
			if len(jobs) != 1 {
				t.Errorf("%d jobs", len(jobs))
			}
		})
	}
}

func TestFewerHostsTargeted(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 2)
	for _, x := range ts {
		l.SetHostFault(x.Host.Name, landscape.HostFault{NotTargeted: true})
	}
	results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	for i, r := range results {
		if r.Err == nil {
			t.Errorf("host %d counts as patched by a job without hosts", i)
		}
	}
}

func TestPausedTask(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 2)
	l.PauseNextJob(1)
	results, jobs := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	for _, r := range results {
		if katprep.KindOf(r.Err) != katprep.Conflict || !strings.Contains(r.Err.Error(), "paused") || !strings.Contains(katprep.HintOf(r.Err), "resume or cancel") {
			t.Errorf("error is %v, hint %q", r.Err, katprep.HintOf(r.Err))
		}
	}
	if len(jobs) != 1 {
		t.Errorf("%d jobs", len(jobs))
	}
}

// TestLostAnswer: the job was made, its answer got lost. It must be found and
// not be made again.
func TestLostAnswer(t *testing.T) {
	for name, fault := range map[string]landscape.Fault{
		"connection breaks": {Method: "POST", Path: "/api/job_invocations", Drop: true},
		"truncated":         {Method: "POST", Path: "/api/job_invocations", Truncate: 20},
	} {
		t.Run(name, func(t *testing.T) {
			l, a := serve(t, landscape.Options{Hosts: 60})
			ts, errata := rpmHosts(t, l, 2)
			l.Inject(fault)
			results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
			made := l.Stats().ByRoute["POST /api/job_invocations"]
			if made != 1 {
				t.Errorf("the job was sent %d times", made)
			}
			for _, r := range results {
				if r.Err != nil {
					t.Errorf("error is %v", r.Err)
				}
			}
		})
	}
}

// TestNeverMade: the server broke before it made the job: that is an error,
// and nothing is sent twice.
func TestNeverMade(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 2)
	l.Inject(landscape.Fault{Method: "POST", Path: "/api/job_invocations", Status: 503})
	results, jobs := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	for _, r := range results {
		if r.Err == nil || !strings.Contains(r.Err.Error(), "no job") {
			t.Errorf("error is %v", r.Err)
		}
	}
	if len(jobs) != 0 || l.Stats().ByRoute["POST /api/job_invocations"] != 0 { // the first did not reach the route
		t.Errorf("jobs %v, sent again %d times", jobs, l.Stats().ByRoute["POST /api/job_invocations"])
	}
}

// TestResume: a process that was killed after it sent the job finds it, and
// a second Patch with the marker adopts it.
func TestResume(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60, Tick: time.Millisecond})
	ts, errata := rpmHosts(t, l, 2)
	ctx, cancel := context.WithCancel(t.Context())
	r := act.PatchRequest{Errata: errata[:1], Marker: "katprep-resume-j1"}
	for _, res := range a.Patch(ctx, ts, r, func(act.Job) { cancel() }) {
		if res.Err == nil {
			t.Error("a host counts as patched although nobody waited")
		}
	}
	ts[0].Marker = r.Marker
	job, found, err := a.FindPatch(t.Context(), ts[0])
	if err != nil || !found || len(job.Hosts) != 2 {
		t.Fatalf("%+v, %v, %v", job, found, err)
	}
	l.Advance(10 * time.Minute)
	results, jobs := patch(t, a, ts, r)
	if l.Stats().ByRoute["POST /api/job_invocations"] != 1 || len(jobs) != 1 || jobs[0].ID != job.ID {
		t.Errorf("jobs %v after %s, sent %d times", jobs, job.ID, l.Stats().ByRoute["POST /api/job_invocations"])
	}
	for _, res := range results {
		if res.Err != nil {
			t.Error(res.Err)
		}
	}
}

// TestInterruptedBetweenTwoJobs: errata were installed, the job for packages
// was never sent: that is not a patched host.
func TestInterruptedBetweenTwoJobs(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 1)
	r := act.PatchRequest{Errata: errata[:1], Packages: []string{"bash"}, Marker: "katprep-two-j1"}
	ctx, cancel := context.WithCancel(t.Context())
	a.Patch(ctx, ts, r, func(act.Job) { cancel() })
	l.Advance(10 * time.Minute)
	ts[0].Marker = r.Marker
	job, found, err := a.FindPatch(t.Context(), ts[0])
	if err != nil || !found {
		t.Fatal(job, found, err)
	}
	if _, err := a.AwaitPatch(t.Context(), ts[0], job); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "never sent") {
		t.Errorf("error is %v", err)
	}
	results, jobs := patch(t, a, ts, r) // goes on where it was interrupted
	l.Advance(10 * time.Minute)
	if results[0].Err != nil || len(jobs) != 2 || jobs[0].ID != job.ID {
		t.Fatalf("%+v, %v", results, jobs)
	}
	if _, err := a.AwaitPatch(t.Context(), ts[0], jobs[0]); err != nil {
		t.Error(err)
	}
}

// TestQuestionsShareAJob: many hosts that are asked at once cost few jobs.
func TestQuestionsShareAJob(t *testing.T) {
	l, _ := serve(t, landscape.Options{Hosts: 60})
	a := dial(t, l, func(o *foreman.Options) { o.Gather = 500 * time.Millisecond })
	down := l.Names()[3]
	l.SetHostFault(down, landscape.HostFault{Unreachable: true})
	var wg sync.WaitGroup
	for _, name := range l.Names() {
		h, _ := l.Truth(name)
		wg.Go(func() {
			b, err := a.BootOf(t.Context(), target(h))
			if (err != nil) != (name == down) || err == nil && b != h.Boot {
				t.Errorf("%s: %v, %v; really %v", name, b, err, h.Boot)
			}
		})
	}
	wg.Wait()
	if n := l.Stats().ByRoute["POST /api/job_invocations"]; n > 20 { // 1, unless this machine is very slow
		t.Errorf("%d jobs for %d hosts", n, len(l.Names()))
	}
}

func TestAskersThatLeave(t *testing.T) {
	l, _ := serve(t, landscape.Options{Hosts: 60, Tick: time.Nanosecond}) // nothing ever ends
	a := dial(t, l, func(*foreman.Options) {})
	ts, _ := rpmHosts(t, l, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, x := range ts {
		if _, err := a.BootOf(ctx, x); err == nil {
			t.Error("a boot was read from a job that does not end")
		}
	}
}

func TestCancelPatch(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60, Tick: time.Millisecond})
	ts, errata := rpmHosts(t, l, 2)
	ctx, cancel := context.WithCancel(t.Context())
	var job act.Job
	a.Patch(ctx, ts, act.PatchRequest{Errata: errata[:1], Marker: "katprep-cancel-j1"}, func(j act.Job) { job = j; cancel() })
	if err := a.CancelPatch(t.Context(), ts[0], job); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AwaitPatch(t.Context(), ts[0], job); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("error is %v", err)
	}
}

// TestEveryVersion: the fallbacks of old servers do the same.
func TestEveryVersion(t *testing.T) {
	for _, v := range [][2]string{{"1.20.1", "3.10.0"}, {"2.3.0", "3.18.0"}, {"3.1.0", "4.3.0"}, {"3.12.0", "4.14.0"}, {"3.16.0", "4.18.0"}} {
		t.Run(v[1], func(t *testing.T) {
			l, a := serve(t, landscape.Options{Hosts: 60, Foreman: v[0], Katello: v[1]})
			ts, errata := rpmHosts(t, l, 2)
			results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1], Packages: []string{"bash"}})
			for i, r := range results {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				if h, _ := l.Truth(ts[i].Host.Name); slices.Contains(h.Applicable, errata[0]) {
					t.Errorf("%s still needs %s", h.Name, errata[0])
				}
				if strings.Count(r.Ref.ID, ",") != 1 {
					t.Errorf("jobs are %s", r.Ref.ID)
				}
			}
			before, err := a.BootOf(t.Context(), ts[0])
			if err != nil {
				t.Fatal(err)
			}
			ref, err := a.Reboot(t.Context(), ts[0], before)
			if h, _ := l.Truth(ts[0].Host.Name); err != nil || ref.Data[act.DataBootID] != h.Boot.ID {
				t.Errorf("%+v, %v", ref, err)
			}
		})
	}
}

func TestAgent(t *testing.T) {
	for _, tc := range []struct {
		foreman, katello string
		fails            bool
	}{{"2.3.0", "3.18.0", false}, {"3.8.0", "4.10.0", true}} {
		l, _ := serve(t, landscape.Options{Hosts: 60, Foreman: tc.foreman, Katello: tc.katello})
		a := agent(t, l)
		ts, errata := rpmHosts(t, l, 2)
		results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
		for i, r := range results {
			if (r.Err != nil) != tc.fails {
				t.Errorf("Katello %s: %v", tc.katello, r.Err)
			}
			if h, _ := l.Truth(ts[i].Host.Name); slices.Contains(h.Applicable, errata[0]) != tc.fails {
				t.Errorf("Katello %s: %s is not as said", tc.katello, h.Name)
			}
		}
	}
}

func TestPartsThatAreMissing(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60, Plugins: []string{"katello"}})
	ts, errata := rpmHosts(t, l, 1)
	results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	if err := results[0].Err; err == nil || !strings.Contains(fmt.Sprint(err, katprep.HintOf(err)), "foreman_remote_execution") {
		t.Errorf("error %v, hint %q", err, katprep.HintOf(err))
	}
	l, a = serve(t, landscape.Options{Hosts: 60, Users: []landscape.User{{Login: "admin", Password: "changeme", Permissions: []string{"view_hosts", "view_job_invocations", "view_remote_execution_features"}}}})
	ts, errata = rpmHosts(t, l, 1)
	results, _ = patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	if err := results[0].Err; katprep.KindOf(err) != katprep.Denied || !strings.Contains(katprep.HintOf(err), "create_job_invocations") {
		t.Errorf("error %v, hint %q", err, katprep.HintOf(err))
	}
}

func TestHostWasMadeAnew(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 1)
	ts[0].Host.ID = "4711"
	results, jobs := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	if katprep.KindOf(results[0].Err) != katprep.Conflict || len(jobs) != 0 {
		t.Errorf("error %v, jobs %v", results[0].Err, jobs)
	}
}

func TestHostDoesNotComeBack(t *testing.T) {
	l, _ := serve(t, landscape.Options{Hosts: 60})
	a := impatient(t, l)
	ts, _ := rpmHosts(t, l, 1)
	l.SetHostFault(ts[0].Host.Name, landscape.HostFault{NoBoot: true})
	before, err := a.BootOf(t.Context(), ts[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err = a.Reboot(t.Context(), ts[0], before); katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "another boot") {
		t.Errorf("error is %v", err)
	}
	l.Advance(5 * time.Minute)
	if h, _ := l.Truth(ts[0].Host.Name); !h.Down {
		t.Error("the host was never rebooted")
	}
}

// TestRebootIsNotAskedTwice: after a crash between the job and the boot, the
// same reboot is waited for.
func TestRebootIsNotAskedTwice(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, _ := rpmHosts(t, l, 1)
	before, err := a.BootOf(t.Context(), ts[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := a.Reboot(t.Context(), ts[0], before); err != nil {
			t.Fatal(err)
		}
	}
	if h, _ := l.Truth(ts[0].Host.Name); h.Boots != 1 && h.Boots != 2 {
		t.Errorf("the host was booted %d times", h.Boots)
	}
}

func TestRefresh(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 2)
	l.SetHostFault(ts[1].Host.Name, landscape.HostFault{SkipsErrata: true})
	since := time.Now()
	results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	if results[0].Err != nil || results[1].Err != nil {
		t.Fatal(results)
	}
	if _, err := a.Refresh(t.Context(), ts[0], since); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := a.Refresh(ctx, ts[1], since); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("errata of a host on which nothing was installed count as computed again: %v", err)
	}
}

func TestRebootNeeded(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	for _, name := range l.Names() {
		h, _ := l.Truth(name)
		got, err := a.RebootNeeded(t.Context(), target(h))
		if err != nil {
			t.Fatal(err)
		}
		if got.Need != katprep.NeedUnknown && (got.Need == katprep.Needed) != h.NeedsReboot {
			t.Errorf("%s: %v, really %v", name, got.Need, h.NeedsReboot)
		}
	}
}

// TestOldServerTellsNoHostStatus: then a host's output says how it ended.
func TestOldServerTellsNoHostStatus(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60, Foreman: "1.20.1", Katello: "3.10.0"})
	ts, errata := rpmHosts(t, l, 3)
	l.SetHostFault(ts[1].Host.Name, landscape.HostFault{JobFails: true})
	results, _ := patch(t, a, ts, act.PatchRequest{Errata: errata[:1]})
	for i, r := range results {
		if (r.Err != nil) != (i == 1) {
			t.Errorf("host %d: %v", i, r.Err)
		}
	}
}

// TestJobForOtherHosts: a server that targets a host nobody asked for. The
// job is cancelled, and no host counts as patched. (The answers are made up:
// no server is known to do this.)
func TestJobForOtherHosts(t *testing.T) {
	var cancelled atomic.Int64
	job := `{"id":7,"status":3,"description":"katprep-trouble-j1 errata","targeting":{"hosts":[{"id":1,"name":"web01.example.com"},{"id":2,"name":"db01.example.com"}]}}`
	answers := map[string]string{
		"GET /api/status":                    `{"version":"3.12.0"}`,
		"GET /api/plugins":                   `{"results":[{"name":"katello","version":"4.14.0"},{"name":"foreman_remote_execution","version":"13.0"}]}`,
		"GET /api/hosts":                     `{"total":1,"subtotal":1,"results":[{"id":1,"name":"web01.example.com"}]}`,
		"GET /api/remote_execution_features": `[{"id":1,"label":"katello_errata_install","job_template_id":192}]`,
		"GET /api/job_invocations":           `{"total":0,"subtotal":0,"results":[]}`,
		"POST /api/job_invocations":          job,
		"POST /api/job_invocations/7/cancel": `{"cancelled":true}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Method + " " + r.URL.Path
		if strings.HasSuffix(key, "cancel") {
			cancelled.Add(1)
		}
		_, _ = io.WriteString(w, answers[key])
	}))
	defer srv.Close()
	a, err := foreman.New(foreman.Options{Name: "satellite", URL: srv.URL, Pause: 1, Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	web := act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "1"}, Name: "web01.example.com"}}
	results, jobs := patch(t, a, []act.Target{web}, act.PatchRequest{Errata: []string{"RHSA-2026:0001"}})
	if err := results[0].Err; katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "db01.example.com") {
		t.Errorf("error is %v", err)
	}
	if cancelled.Load() != 1 || len(jobs) != 0 {
		t.Errorf("cancelled %d times, jobs %v", cancelled.Load(), jobs)
	}
}

// TestSecurityBySearch: the server chooses the errata. (The simulated one
// understands advisory IDs only and installs nothing; what is sent counts.)
func TestSecurityBySearch(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60, Katello: "4.14.0", Foreman: "3.12.0"})
	ts, _ := rpmHosts(t, l, 1)
	results, jobs := patch(t, a, ts, act.PatchRequest{All: true, Security: true})
	if results[0].Err != nil || len(jobs) != 1 || results[0].Ref.Data["job_errata"] == "" {
		t.Errorf("%+v, %v", results, jobs)
	}
	l, a = serve(t, landscape.Options{Hosts: 60, Katello: "4.1.0", Foreman: "2.5.0"})
	ts, _ = rpmHosts(t, l, 1)
	if results, _ = patch(t, a, ts, act.PatchRequest{All: true, Security: true}); results[0].Ref.Data["job_script"] == "" {
		t.Errorf("without the feature: %+v", results)
	}
}

// TestScriptedPatches: what Katello's templates cannot do is a script whose
// words come from the request only in quotes.
func TestScriptedPatches(t *testing.T) {
	var got string
	l, a := serve(t, landscape.Options{Hosts: 60, Command: func(_, command string) (string, int, bool) {
		got = command
		return "Complete!\n", 0, true
	}})
	ts, errata := rpmHosts(t, l, 1)
	for name, tc := range map[string]struct {
		r    act.PatchRequest
		want []string
	}{
		"exclude":  {act.PatchRequest{Errata: errata[:1], Exclude: []string{"kernel*"}}, []string{`--exclude=kernel*'`, `'--advisory=` + errata[0] + `'`}},
		"security": {act.PatchRequest{All: true, Security: true, Exclude: []string{"kernel"}}, []string{"--security update", "zypper cannot leave packages out"}},
		"download": {act.PatchRequest{All: true, Download: true}, []string{"--downloadonly", "--download-only upgrade"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.r.Marker = act.Marker("katprep-scripted-" + name)
			results, _ := patch(t, a, ts, tc.r)
			if results[0].Err != nil {
				t.Fatal(results[0].Err)
			}
			for _, w := range tc.want {
				if !strings.Contains(got, w) {
					t.Errorf("%q is not in\n%s", w, got)
				}
			}
			if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", got).CombinedOutput(); err != nil {
				t.Errorf("no shell reads it: %v %s", err, out)
			}
		})
	}
}

// TestRebootAfterCrash: the process was killed after it asked for the reboot
// and before the host went down. The next process waits for that reboot.
func TestRebootAfterCrash(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60, Start: time.Now()})
	ts, _ := rpmHosts(t, l, 2)
	before, err := a.BootOf(t.Context(), ts[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	first := dial(t, l, func(o *foreman.Options) { o.BootDelay = time.Minute })
	sent := l.Stats().ByRoute["POST /api/job_invocations"]
	go func() {
		for l.Stats().ByRoute["POST /api/job_invocations"] < sent+2 { // a look at the boot, and the reboot
			time.Sleep(time.Millisecond)
		}
		l.Advance(30 * time.Second) // the job has ended, the host is still up
		kill()
	}()
	if _, err := first.Reboot(ctx, ts[0], before); err == nil {
		t.Fatal("the first process was not killed")
	}
	second := dial(t, l, func(o *foreman.Options) { o.BootWait = 20 * time.Second })
	if _, err := second.Reboot(t.Context(), ts[0], before); err != nil {
		t.Fatal(err)
	}
	l.Advance(10 * time.Minute)
	if h, _ := l.Truth(ts[0].Host.Name); h.Boots != 1 {
		t.Errorf("the host was rebooted %d times", h.Boots)
	}
}

// TestRebootsShareAJob: and one host that fails does not hold the others.
func TestRebootsShareAJob(t *testing.T) {
	l, _ := serve(t, landscape.Options{Hosts: 60})
	a := dial(t, l, func(o *foreman.Options) { o.Gather = 500 * time.Millisecond; o.BootWait = 15 * time.Second })
	ts, _ := rpmHosts(t, l, 8)
	var wg sync.WaitGroup
	for _, x := range ts {
		wg.Go(func() {
			before, err := a.BootOf(t.Context(), x)
			if err == nil {
				_, err = a.Reboot(t.Context(), x, before)
			}
			if err != nil {
				t.Errorf("%s: %v", x.Host.Name, err)
			}
		})
	}
	wg.Wait()
	for _, x := range ts {
		if h, _ := l.Truth(x.Host.Name); h.Boots != 1 {
			t.Errorf("%s was booted %d times", h.Name, h.Boots)
		}
	}
	t.Logf("%d jobs", l.Stats().ByRoute["POST /api/job_invocations"])
}
