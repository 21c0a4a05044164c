package main

import (
	"os"
	"time"

	"github.com/stdevel/katprep"
)

type archiveKeysCmd struct {
	List   archiveKeysListCmd   `cmd:"" default:"1" help:"List the keys that may sign."`
	Add    archiveKeysAddCmd    `cmd:"" help:"Let another key sign from now on."`
	Retire archiveKeysRetireCmd `cmd:"" help:"End the time of a key; what it signed stays good."`
}

// Help adds to the command's help.
func (archiveKeysCmd) Help() string {
	return `The keys are kept in the archive, in policy/allowed_signers and
policy/openpgp.asc. The first signed commit brings its own key; each later one is
let in by a commit that an allowed key signed. To rotate a key:

  katprep archive keys add new.pub        signed with the old key
  (name the new key in archive.sign)
  katprep archive keys retire SHA256:…    signed with the new key`
}

type archiveKeysListCmd struct{}

// Run lists.
func (c *archiveKeysListCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	keys, err := arc.Keys(a.ctx)
	if err != nil {
		return err
	}
	tb := a.term.NewTable("KEY", "WHOSE", "FROM", "UNTIL")
	for _, k := range keys {
		if a.term.JSON() {
			if err := a.emit("key", k); err != nil {
				return err
			}
			continue
		}
		tb.Row(k.Fingerprint, k.Principal, day(k.From), day(k.Until))
	}
	if a.term.JSON() {
		return nil
	}
	return tb.Write(a.term.Out())
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

type archiveKeysAddCmd struct {
	File string `arg:"" type:"existingfile" help:"Public key: a line as in authorized_keys, or armored OpenPGP."`
	Name string `placeholder:"NAME" help:"Whose it is (default: the comment in the file, or who acts)."`
}

// Run adds.
func (c *archiveKeysAddCmd) Run(a *app) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "read the key: %w", err)
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name = a.author().Email
	}
	k, err := arc.AddKey(a.ctx, text, name)
	if err != nil {
		return err
	}
	a.term.Note("%s may sign from now on", k.Fingerprint)
	return nil
}

type archiveKeysRetireCmd struct {
	Fingerprint string `arg:"" help:"As listed."`
}

// Run retires.
func (c *archiveKeysRetireCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	if err := arc.RetireKey(a.ctx, c.Fingerprint); err != nil {
		return err
	}
	a.term.Note("%s may not sign any more", c.Fingerprint)
	return nil
}
