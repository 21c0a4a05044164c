// Package lab makes real hosts for tests: package repositories with
// advisories, machines with their own package database, name and boot, and a
// real sshd in front of them, all in the test's own folder and gone with it.
package lab
