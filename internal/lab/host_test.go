//go:build unix

package lab

import (
	"strings"
	"testing"
)

// TestHosts checks the lab itself: what a host shows is its own, and nothing
// of it reaches the real machine.
func TestHosts(t *testing.T) {
	rpm := BuildRPMRepo(t).NewHost(t, "rpm01.example.com")
	deb := BuildDebRepo(t).NewHost(t, "deb01.example.com")
	for _, c := range []struct {
		h            *Host
		script, want string
	}{
		{rpm, "rpm -q demo-openssl; hostname; uname -r", "demo-openssl-3.0.7-24.el9." + Arch() + "\nrpm01.example.com\n" + OldKernel + "\n"},
		{rpm, "dnf -q -C updateinfo list | cut -d' ' -f1 | sort | tr '\\n' ' '", "RHBA-2026:0030 RHEA-2026:0040 RHSA-2026:0001 RHSA-2026:0009 RHSA-2026:0020 "},
		{deb, "dpkg-query -W -f '${Package} ' ; hostname", "demo-ssl demo-tools demo-web libdemo1 linux-image-" + DebKernel + " deb01.example.com\n"},
		{deb, "apt-get -s -qq dist-upgrade | grep -c ^Inst", "3\n"},
		{rpm, "systemctl --lab; reboot --lab", "lab\nlab\n"},
		{deb, "systemctl --lab; shutdown --lab", "lab\nlab\n"},
	} {
		if got := c.h.Run(c.script); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.h.Name, c.script, got, c.want)
		}
	}
	if a, b := rpm.Run("cat /proc/sys/kernel/random/boot_id"), deb.Run("cat /proc/sys/kernel/random/boot_id"); a == b || len(strings.TrimSpace(a)) != 36 {
		t.Errorf("boot IDs %q and %q", a, b)
	}
}
