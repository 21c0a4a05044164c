// Package e2e holds the test of the whole on real parts: real RPM and Debian
// hosts behind a real sshd, patched by real dnf and apt, with real Git looking
// at the evidence.
package e2e
