// Package creds finds credentials: one look-up order over files, environment,
// commands, the service manager, the keyring and, last, a prompt.
package creds

import "github.com/stdevel/katprep"

// Secret and Login are the root's: programs that use the backends as a library
// need them, too.
type (
	// Secret is a password or token that does not show itself.
	Secret = katprep.Secret
	// Login is who we are to one system.
	Login = katprep.Login
)

// NewSecret wraps s.
func NewSecret(s string) Secret { return katprep.NewSecret(s) }
