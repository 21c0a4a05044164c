package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/term"
)

type archiveVerifyCmd struct {
	Since   string   `placeholder:"REV" help:"Take this snapshot and all before it as verified: quick enough for every run of a CI job."`
	Anchor  string   `placeholder:"FINGERPRINT" help:"The key that must have signed first, e.g. 'SHA256:…'."`
	Record  bool     `help:"Put what was found on record in the archive: who verified, when, up to which commit. The site shows it."`
	Bundles string   `placeholder:"DIR" help:"Verify the whole history, with what was moved into the bundles in this folder."`
	Report  []string `type:"existingfile" placeholder:"FILE" help:"Compute this report.json of an export again, and compare."`
	TSACA   string   `name:"tsa-ca" placeholder:"FILE" help:"Certificates that must have issued the time-stamp service's (default: archive.stamp.ca_file)."`
	State   string   `placeholder:"FILE" help:"Where the last verified head and tags are kept (default: in the user's state directory)."`
}

// Help adds to the command's help.
func (archiveVerifyCmd) Help() string {
	return `Checks every object against its hash, every file against its schema, every
signature by the keys that were allowed at its time, that plans stay frozen and
journals only grow, that numbers are what the hosts say, that tags are where
they belong, and that time stamps are of their commits. What was verified is kept outside of the archive: a history that was
rewritten since, or a tag that was moved, is found the next time. With --record
the archive says, too, that somebody looked and what was found.

Exit code 3: a link of the chain is broken; the first one is named.

What was signed off is computed again. With --report, so is a report that was
handed over.

  katprep archive verify --anchor SHA256:TkV4…
  katprep --output json archive verify --since latest~30`
}

// A verified is what is kept outside of an archive.
type verified struct {
	Head katprep.CommitID  `json:"head"`
	Tags map[string]string `json:"tags"`

	Stamps katprep.CommitID `json:"stamps,omitempty"` // what held the time stamps
}

// Run verifies and says what was found.
func (c *archiveVerifyCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	file, err := c.stateFile(a, arc)
	if err != nil {
		return err
	}
	o, err := c.options(a, arc, file)
	if err != nil {
		return err
	}
	whole := arc
	if c.Bundles != "" {
		all, done, err := a.joined(arc, c.Bundles)
		if err != nil {
			return err
		}
		defer done()
		whole = all
	}
	v, err := whole.Verify(a.ctx, o)
	if err != nil {
		return err
	}
	if err := a.verifyClaims(whole, v, o.Since); err != nil {
		return err
	}
	for _, file := range c.Report {
		if err := a.verifyReport(whole, v, file); err != nil {
			return err
		}
	}
	if err := c.say(a, v); err != nil {
		return err
	}
	if c.Record && v.Tip != "" {
		commit, err := arc.PutVerified(a.ctx, v, o.Since, version())
		if err != nil {
			return err
		}
		a.term.Note("recorded in commit %s", commit.Short())
	}
	if broken := v.Broken(); broken != nil {
		return katprep.Errorf(katprep.Partial, "the archive does not hold: %s", broken)
	}
	return writeVerified(file, verifiedOf(v))
}

func verifiedOf(v *archive.Verification) verified {
	now := verified{Head: v.Tip, Tags: v.Tags}
	if v.Stamps != nil {
		now.Stamps = v.Stamps.Head
	}
	return now
}

// options are what the command says, and what was verified the last time.
func (c *archiveVerifyCmd) options(a *app, arc *archive.Archive, file string) (o archive.VerifyOptions, err error) {
	o.Anchor = c.Anchor
	if c.Since != "" {
		if o.Since, err = arc.Resolve(a.ctx, c.Since); err != nil {
			return o, err
		}
	}
	known, err := readVerified(file)
	if err != nil {
		return o, err
	}
	o.Head, o.Tags, o.Stamps = known.Head, known.Tags, known.Stamps
	o.StampRoots, err = a.stampRoots(c.TSACA)
	return o, err
}

func (c *archiveVerifyCmd) say(a *app, v *archive.Verification) error {
	if a.term.JSON() {
		return a.emit("verification", v)
	}
	return writeVerification(a.term.Out(), v)
}

// writeVerification says what was found, in text.
func writeVerification(w io.Writer, v *archive.Verification) error {
	var out strings.Builder
	for _, f := range v.Findings {
		word := "broken"
		if f.Warning {
			word = "note"
		}
		fmt.Fprintf(&out, "%s: %s\n", word, term.Clean(f.String()))
	}
	fmt.Fprintf(&out, "%d commits (%d snapshots), %d files, %d signed, %d not signed, %d tags\n",
		v.Commits, v.Snapshots, v.Files, v.Signed, v.Unsigned, len(v.Tags))
	if s := v.Stamps; s != nil {
		fmt.Fprintln(&out, stampText(s))
	}
	if v.Anchor != "" {
		fmt.Fprintf(&out, "the chain begins with key %s\n", v.Anchor)
	}
	if r := v.Cut; r != nil {
		fmt.Fprintf(&out, "it continues %s, which ends with commit %s\n", term.Clean(r.Bundle), r.Last.Short())
	}
	if v.Tip != "" {
		fmt.Fprintf(&out, "tip %s\n", v.Tip)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// stateFile names the file that remembers what was verified of an archive.
func (c *archiveVerifyCmd) stateFile(a *app, arc *archive.Archive) (string, error) {
	if c.State != "" {
		return c.State, nil
	}
	dir := a.xdg("XDG_STATE_HOME", ".local/state")
	if dir == "" {
		return "", nil
	}
	full, err := filepath.Abs(arc.Path())
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "katprep", "verified", archive.FileName(full)), nil
}

func readVerified(file string) (v verified, err error) {
	if file == "" {
		return v, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return v, fmt.Errorf("read what was verified: %w", err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, katprep.Errorf(katprep.Corrupt, "read what was verified: %s: %w", file, err)
	}
	return v, nil
}

func writeVerified(file string, v verified) error {
	if file == "" || v.Head == "" {
		return nil
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keep what was verified: %w", err)
	}
	tmp := file + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep what was verified: %w", err)
	}
	return os.Rename(tmp, file)
}

type archiveScanCmd struct{}

// Help adds to the command's help.
func (archiveScanCmd) Help() string {
	return `Looks through all snapshots for values that would be masked today, such as
passwords in parameters. Secrets themselves are not printed. Exit code 3 if there
are any: change those passwords, for a history cannot be unwritten.`
}

// Run scans and lists.
func (c *archiveScanCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	tb := a.term.NewTable("SINCE", "FILE", "WHERE", "WHY")
	n := 0
	for leak, err := range arc.Scan(a.ctx) {
		if err != nil {
			return err
		}
		n++
		if a.term.JSON() {
			if err := a.emit("leak", leak); err != nil {
				return err
			}
			continue
		}
		tb.Row(leak.Commit.Short(), leak.Path, leak.Field, leak.Why)
	}
	if n == 0 {
		a.term.Note("no secrets found")
		return nil
	}
	if !a.term.JSON() {
		if err := tb.Write(a.term.Out()); err != nil {
			return err
		}
	}
	return katprep.Errorf(katprep.Partial, "the archive holds %d secrets", n).
		WithHint("change them where they are used; add names to archive.mask in the configuration if needed")
}
