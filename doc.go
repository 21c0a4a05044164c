// Package katprep holds the words of a patch day as types: what a host, its
// state, an erratum, a snapshot, a change, a plan and a run are.
//
// It imports the standard library only and does no I/O. Every other package
// of the program speaks in these types; reading this package is reading the
// design.
//
// Four rules outrank every feature, and the types are shaped to keep them:
// a host that was not collected is unknown, never patched; what no system
// confirmed is not done; what katprep did not create it does not remove; and
// the same archive gives the same bytes.
//
// Times are UTC and durations time.Duration; a Date is a day as 2026-11-12.
// An empty list of a State means "none" only if State.Knows says that its
// aspect was read. What comes from other systems is untrusted text. Errors
// that a person can do something about are *Error with a Kind and a Hint.
//
// Collectors are in collect and below it, what acts on other systems in act;
// diff and policy compute, render and site write. docs/compatibility.md says
// what is kept from version to version.
package katprep
