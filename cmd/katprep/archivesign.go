package main

import (
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/archive/mask"
	signing "github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/config"
)

// protect sets what protects the archive: the masking of secrets, and the
// key for signing if one is configured.
func (a *app) protect(c config.Archive, o *archive.Options) {
	o.Mask = &mask.Rules{Names: c.Mask}
	if c.Sign.SSHKey != "" || c.Sign.OpenPGPKey != "" {
		o.Sign = signing.Defer(a.signOptions(c.Sign))
	}
}

func (a *app) signOptions(s config.Sign) signing.Options {
	o := signing.Options{Agent: a.env["SSH_AUTH_SOCK"], Passphrase: func(file string) ([]byte, error) {
		pass, err := a.ask("Passphrase of "+file+": ", true)
		return []byte(pass), err
	}}
	if s.SSHKey != "" {
		o.SSHKey = a.path(s.SSHKey)
	}
	if s.OpenPGPKey != "" {
		o.OpenPGPKey = a.path(s.OpenPGPKey)
	}
	return o
}
