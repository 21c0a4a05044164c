//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/lab"
)

// TestCommandLine takes real hosts through a maintenance with the commands
// that a user types.
func TestCommandLine(t *testing.T) {
	rpm := lab.BuildRPMRepo(t).NewHost(t, "rpm01.example.com")
	deb := lab.BuildDebRepo(t).NewHost(t, "deb01.example.com")
	dir := t.TempDir()
	program := filepath.Join(dir, "katprep")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/stdevel/katprep/cmd/katprep").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var hosts, known string
	for _, h := range []*lab.Host{rpm, deb} {
		known += h.KnownLine()
		hosts += fmt.Sprintf("%s ansible_host=%s ansible_port=%d ansible_ssh_private_key_file=%s\n", h.Name, h.Host, h.Port, h.Key.File)
	}
	for name, text := range map[string]string{
		"known_hosts": known, "hosts.ini": hosts,
		"katprep.yml": "archive: {path: archive.git}\nsources:\n  - {name: lab, type: ssh, inventory: hosts.ini, user: katprep, sudo: true, known_hosts: known_hosts}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rpm.OnBoot(func() { rpm.SetKernel(lab.NewKernel) })
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "USER=tester", "NO_COLOR=1"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("katprep %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("init", "--no-config")
	run("snapshot", "--before", "lab-1")
	run("maintenance", "plan", "lab-1")
	run("maintenance", "execute", "lab-1")
	run("snapshot", "--after", "lab-1")
	var r katprep.Report
	if err := json.Unmarshal([]byte(run("report", "--run", "lab-1", "--format", "json")), &r); err != nil {
		t.Fatal(err)
	}
	h := hostOf(r, rpm.Name)
	for id, ending := range endings(h) {
		if ending != katprep.Installed {
			t.Errorf("%s is %s", id, ending)
		}
	}
	if len(h.Errata) != 5 || h.Boot.Rebooted != katprep.Yes || h.Kernel.After != lab.NewKernel || h.Reboot.Need != katprep.NotNeeded {
		t.Errorf("%d errata, %+v, %+v, %+v", len(h.Errata), h.Boot, h.Kernel, h.Reboot)
	}
	if d := hostOf(r, deb.Name); d.Boot.Rebooted != katprep.No || !strings.Contains(deb.Run("dpkg-query -W demo-ssl"), "3.0.11-1~deb12u3") {
		t.Errorf("%s: %+v", deb.Name, d.Boot)
	}
}
