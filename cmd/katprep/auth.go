package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

type authCmd struct {
	Credentials string          `placeholder:"FILE" help:"Credential file, instead of the configured one."`
	List        authListCmd     `cmd:"" help:"List the credentials, without any password."`
	Add         authAddCmd      `cmd:"" help:"Add or replace a credential."`
	Remove      authRemoveCmd   `cmd:"" help:"Remove credentials."`
	Password    authPasswordCmd `cmd:"" help:"Change the passphrase of the file, or encrypt it for keys."`
	Import      authImportCmd   `cmd:"" help:"Take over a credential container of katprep 0.x."`
}

// path is the credential file that is meant.
func (c *authCmd) path(a *app) (string, *config.Config, error) {
	cfg, err := a.config()
	if err != nil {
		return "", nil, err
	}
	path := cmp.Or(c.Credentials, a.credentialFile(cfg))
	if path == "" {
		err = katprep.Errorf(katprep.Invalid, "no credential file: neither --credentials nor a configuration nor HOME is set")
	}
	return path, cfg, err
}

// protectFlags say how a credential file is encrypted.
type protectFlags struct {
	Recipient []string `short:"r" placeholder:"KEY|FILE" help:"Encrypt for this public key (age1…, ssh-ed25519 …), or for those in this file."`
}

// protect encrypts a file for the recipients, or else with a new passphrase.
func (p protectFlags) protect(a *app, f *creds.File, passphrase creds.Secret) error {
	if len(p.Recipient) == 0 {
		return f.Protect(passphrase)
	}
	var keys []string
	for _, r := range p.Recipient {
		if b, err := os.ReadFile(r); err == nil {
			keys = append(keys, creds.ReadRecipients(string(b))...)
			continue
		}
		keys = append(keys, r)
	}
	return f.ProtectFor(keys)
}

// newPassphrase gets a passphrase for a new file: from the environment or,
// twice, from a person.
func (a *app) newPassphrase() (creds.Secret, error) {
	if p := a.env[creds.PassphraseVariable]; p != "" {
		return creds.NewSecret(p), nil
	}
	first, err := a.ask("New passphrase of the credential file: ", true)
	if err != nil {
		return creds.Secret{}, err
	}
	again, err := a.ask("The same again: ", true)
	if err == nil && first != again {
		err = katprep.Errorf(katprep.Invalid, "the passphrases differ")
	}
	return creds.NewSecret(first), err
}

// ask asks a person, if one is there.
func (a *app) ask(question string, secret bool) (string, error) {
	p := creds.Terminal(a.std.in, a.std.err)
	if p == nil {
		return "", katprep.Errorf(katprep.Invalid, "nobody is there to answer %q: standard input is no terminal", strings.TrimSpace(question)).
			WithHint("use --stdin, or set %s for the credential file's passphrase", creds.PassphraseVariable)
	}
	return p.Ask(a.ctx, question, secret)
}

// readSecret takes the first line of standard input.
func (a *app) readSecret() (creds.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(a.std.in, 1<<16)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return creds.Secret{}, fmt.Errorf("standard input: %w", err)
	}
	s := creds.NewSecret(strings.TrimRight(line, "\r\n"))
	if s.IsZero() {
		return s, katprep.Errorf(katprep.Invalid, "standard input holds no password")
	}
	return s, nil
}

type authListCmd struct {
	Check bool `help:"Look for every configured credential and say where it comes from."`
}

// Run lists names, users and places.
func (c *authListCmd) Run(a *app, auth *authCmd) error {
	path, cfg, err := auth.path(a)
	if err != nil {
		return err
	}
	file, err := a.openCredentials(cfg, path)
	if err != nil {
		return err
	}
	names := file.Names()
	for _, s := range configuredLogins(cfg) {
		if !slices.Contains(names, s.credential) {
			names = append(names, s.credential)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		a.term.Note("no credential is kept or needed; add one with: katprep auth add NAME")
	}
	t, missing := a.term.NewTable("CREDENTIAL", "USER", "FROM"), 0
	for _, name := range names {
		user, from := c.where(a, cfg, file, name)
		if from == "" {
			missing++
		}
		if a.term.JSON() {
			if err := a.emit("credential", map[string]any{"name": name, "user": user, "from": from}); err != nil {
				return err
			}
			continue
		}
		t.Row(name, user, cmp.Or(from, "not found"))
	}
	if err := t.Write(a.term.Out()); err != nil {
		return err
	}
	if c.Check && missing > 0 {
		return katprep.Errorf(katprep.NotFound, "%d of %d credentials were not found", missing, len(names)).WithHint("katprep auth add NAME")
	}
	return nil
}

// where says whose a credential is and where it is; "" if nobody has it.
func (c *authListCmd) where(a *app, cfg *config.Config, file *creds.File, name string) (user, from string) {
	if c.Check {
		l, origin, err := a.finder(cfg).Lookup(a.ctx, credentialRequest(cfg, name))
		if err != nil {
			a.term.Warn("%v", err)
			return "", ""
		}
		return l.User, string(origin)
	}
	if l, ok := file.Get(name); ok {
		return l.User, "credential file"
	}
	return "", ""
}

type authAddCmd struct {
	Name    string `arg:"" help:"Name of the credential, as the configuration uses it."`
	User    string `short:"u" placeholder:"NAME" help:"User name."`
	Stdin   bool   `help:"Read the password from the first line of standard input."`
	Keyring bool   `help:"Store it in the keyring instead of the file."`
	protectFlags
}

// Help adds to the command's help.
func (authAddCmd) Help() string {
	return `A password or token is never given on the command line: it is asked for, or read
from standard input.

  katprep auth add satellite --user katprep
  pass show satellite | katprep auth add satellite --user katprep --stdin -r ~/.ssh/id_ed25519.pub`
}

// Run stores the credential.
func (c *authAddCmd) Run(a *app, auth *authCmd) error {
	path, cfg, err := auth.path(a)
	if err != nil {
		return err
	}
	if c.Keyring {
		return c.toKeyring(a, cfg)
	}
	file, err := a.openCredentials(cfg, path)
	if err != nil {
		return err
	}
	l, err := c.login(a)
	if err != nil {
		return err
	}
	if err := a.protectNew(file, c.protectFlags); err != nil {
		return err
	}
	_, was := file.Get(c.Name)
	file.Set(c.Name, l)
	if err := file.Save(); err != nil {
		return err
	}
	a.term.Note("%s credential %s in %s", map[bool]string{false: "added", true: "replaced"}[was], c.Name, file.Path())
	return nil
}

func (c *authAddCmd) toKeyring(a *app, cfg *config.Config) error {
	l, err := c.login(a)
	if err != nil {
		return err
	}
	if err := a.finder(cfg).SetKeyring(a.ctx, c.Name, l); err != nil {
		return err
	}
	a.term.Note("stored credential %s in the keyring", c.Name)
	return nil
}

// login asks for what was not given.
func (c *authAddCmd) login(a *app) (creds.Login, error) {
	l := creds.Login{User: c.User}
	var err error
	if l.User == "" {
		if l.User, err = a.ask("User: ", false); err != nil {
			return l, err
		}
	}
	if c.Stdin {
		l.Password, err = a.readSecret()
		return l, err
	}
	password, err := a.ask("Password of "+l.User+": ", true)
	l.Password = creds.NewSecret(password)
	if err == nil && password == "" {
		err = katprep.Errorf(katprep.Invalid, "an empty password is no password")
	}
	return l, err
}

// protectNew encrypts a file that is not there yet, and one for which new
// recipients are given.
func (a *app) protectNew(f *creds.File, p protectFlags) error {
	if !f.IsNew() && len(p.Recipient) == 0 {
		return nil
	}
	var passphrase creds.Secret
	if len(p.Recipient) == 0 {
		var err error
		if passphrase, err = a.newPassphrase(); err != nil {
			return err
		}
	}
	return p.protect(a, f, passphrase)
}

type authRemoveCmd struct {
	Names []string `arg:"" name:"name" help:"Names of the credentials."`
}

// Run removes the credentials, all or none.
func (c *authRemoveCmd) Run(a *app, auth *authCmd) error {
	path, cfg, err := auth.path(a)
	if err != nil {
		return err
	}
	file, err := a.openCredentials(cfg, path)
	if err != nil {
		return err
	}
	for _, name := range c.Names {
		if !file.Remove(name) {
			return katprep.Errorf(katprep.NotFound, "there is no credential %q in %s", name, path).WithHint("katprep auth list")
		}
	}
	if err := file.Save(); err != nil {
		return err
	}
	a.term.Note("removed %s from %s", strings.Join(c.Names, ", "), path)
	return nil
}

type authPasswordCmd struct {
	Stdin bool `help:"Read the new passphrase from the first line of standard input."`
	protectFlags
}

// Run encrypts the file anew.
func (c *authPasswordCmd) Run(a *app, auth *authCmd) error {
	path, cfg, err := auth.path(a)
	if err != nil {
		return err
	}
	file, err := a.finder(cfg).Open(a.ctx, path)
	if err != nil {
		return err
	}
	var passphrase creds.Secret
	switch {
	case len(c.Recipient) > 0:
	case c.Stdin:
		passphrase, err = a.readSecret()
	default:
		passphrase, err = a.typedTwice()
	}
	if err != nil {
		return err
	}
	if err := c.protect(a, file, passphrase); err != nil {
		return err
	}
	if err := file.Save(); err != nil {
		return err
	}
	a.term.Note("encrypted %s anew; copies and backups still open with what opened them before", path)
	return nil
}

// typedTwice is newPassphrase without the environment, which holds the old
// one.
func (a *app) typedTwice() (creds.Secret, error) {
	b := *a
	b.env = nil
	return b.newPassphrase()
}
