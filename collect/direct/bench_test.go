//go:build unix

package direct

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/sshx"
)

// cpu is the processor time of this process, or of its ended children.
func cpu(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// manyHosts is one lab host under many names.
func manyHosts(b *testing.B, h *lab.Host, n int) SSHOptions {
	file := filepath.Join(b.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(h.KnownLine()), 0o600); err != nil {
		b.Fatal(err)
	}
	o := SSHOptions{Options: Options{Name: "bench"}, Dialer: sshx.New(sshx.Options{SSH: sshx.FindSSH(), User: "root", Identity: []string{h.Key.File}, KnownHosts: []string{file}, Timeout: time.Minute})}
	for i := range n {
		o.Hosts = append(o.Hosts, inventory.Host{Host: sshx.Host{Name: fmt.Sprintf("host%03d.example.com", i), Address: h.Host, Port: h.Port}})
	}
	return o
}

// readAll reads all hosts, at most 16 at once.
func readAll(b *testing.B, o SSHOptions) {
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for target, err := range NewSSH(o).Targets(b.Context(), katprep.Selection{}) {
		if err != nil {
			b.Fatal(err)
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r, err := target.Read(context.Background())
			if err != nil || !r.State.Knows(katprep.AspectPackages) {
				b.Errorf("%v, %+v", err, r.State.Problems)
			}
		})
	}
	wg.Wait()
}

// BenchmarkSSH reads many hosts over a real sshd and reports the controller's
// processor time for each, and, where ansible-playbook is installed, that of
// Ansible for facts and packages of the same hosts: pipelining, 50 forks.
//
//	go test -run - -bench SSH -benchtime 1x ./collect/direct
func BenchmarkSSH(b *testing.B) {
	const n = 50
	h := lab.BuildDebRepo(b).NewHost(b, "deb01.example.com")
	o := manyHosts(b, h, n)
	readAll(b, SSHOptions{Options: o.Options, Dialer: o.Dialer, Hosts: o.Hosts[:1]}) // the host's own caches
	var ours, wall time.Duration
	var peak uint64
	for b.Loop() {
		begun, before := time.Now(), cpu(syscall.RUSAGE_SELF)
		readAll(b, o)
		ours += cpu(syscall.RUSAGE_SELF) - before
		wall += time.Since(begun)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.Sys)
	}
	b.ReportMetric(float64(ours.Microseconds())/1000/float64(n*b.N), "cpu-ms/host")
	b.ReportMetric(wall.Seconds()/float64(b.N), "wall-s")
	b.ReportMetric(float64(peak)/1e6, "mem-MB")
	playbook, err := exec.LookPath("ansible-playbook")
	if err != nil {
		b.Log("ansible-playbook is not installed: nothing to compare with")
		return
	}
	theirs, theirWall := ansible(b, playbook, h, n)
	b.ReportMetric(float64(theirs.Microseconds())/1000/n, "ansible-cpu-ms/host")
	b.ReportMetric(theirWall.Seconds(), "ansible-wall-s")
	b.ReportMetric(float64(theirs)/float64(ours)*float64(b.N), "cpu-ratio")
}

// ansible collects facts and packages of the same hosts.
func ansible(b *testing.B, playbook string, h *lab.Host, n int) (used, wall time.Duration) {
	dir := b.TempDir()
	inv := "[all]\n"
	for i := range n {
		inv += fmt.Sprintf("host%03d ansible_host=%s ansible_port=%d\n", i, h.Host, h.Port)
	}
	known := filepath.Join(dir, "known_hosts")
	for name, text := range map[string]string{
		"hosts": inv, "known_hosts": h.KnownLine(),
		"play.yml":    "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.setup:\n    - ansible.builtin.package_facts:\n",
		"ansible.cfg": "[defaults]\nforks = 50\ninterpreter_python = /usr/bin/python3\n[ssh_connection]\npipelining = True\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command(playbook, "-i", "hosts", "-u", "root", "--private-key", h.Key.File, "--ssh-common-args", "-o UserKnownHostsFile="+known, "play.yml")
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"ANSIBLE_CONFIG=" + filepath.Join(dir, "ansible.cfg"), "HOME=" + dir})
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("ansible: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), time.Since(begun)
}

// BenchmarkProbeRPM reports the processor time that the probe takes on an RPM
// host with 1,500 packages, 300 updates and 3,000 advisories.
//
//	go test -run - -bench ProbeRPM -benchtime 3x ./collect/direct
func BenchmarkProbeRPM(b *testing.B) {
	h := lab.BuildLargeRPMRepo(b, 1500, 3000).NewHost(b, "rpm01.example.com")
	o := Options{Root: h.Root, Command: append(h.Enter(), "/bin/sh", "-s")}
	read := func() {
		for target := range NewLocal(o, "").Targets(b.Context(), katprep.Selection{}) {
			r, err := target.Read(b.Context())
			if err != nil || len(r.State.Packages) < 1500 || len(r.State.Updates) != 300 || len(r.State.Errata) != 600 {
				b.Fatalf("%v: %d packages, %d updates, %d errata, %+v", err, len(r.State.Packages), len(r.State.Updates), len(r.State.Errata), r.State.Problems)
			}
		}
	}
	read()
	begun := cpu(syscall.RUSAGE_CHILDREN)
	for b.Loop() {
		read()
	}
	b.ReportMetric(float64((cpu(syscall.RUSAGE_CHILDREN)-begun).Milliseconds())/float64(b.N), "target-cpu-ms")
}
