// Package acttest holds the contract suites that every backend of package act
// passes, and in-memory systems with faults to be injected, which pass them
// too.
package acttest
