// Package peers finds the real programs that tests run against: git, sshd,
// dnf, a browser. A missing one skips the test, unless the environment says
// KATPREP_REQUIRE_SERVICES=1 (as CI does): then it fails.
package peers

import (
	"os"
	"os/exec"
	"testing"
)

// Need skips or fails the test unless every program is installed.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Missing(t, p+" is not installed")
		}
	}
}

// NeedRoot skips or fails the test unless it runs as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "needs root")
	}
}

// Missing skips the test with the reason, or fails it where all services are
// required.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("KATPREP_REQUIRE_SERVICES") == "1" {
		t.Fatal(why + ", and KATPREP_REQUIRE_SERVICES=1")
	}
	t.Skip(why)
}
