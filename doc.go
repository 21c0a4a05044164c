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
package katprep
