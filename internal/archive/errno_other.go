//go:build !unix

package archive

// Elsewhere the system's own message must do.
func isReadOnly(error) bool { return false }
func isFull(error) bool     { return false }
