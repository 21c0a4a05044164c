package evidence

import (
	"fmt"
	"io"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/rfc3161"
)

// A stamp is a time stamp that is handed over as a file.
type stamp struct {
	of katprep.CommitID // the snapshot that it is for
	at katprep.CommitID // the commit that was stamped: this one or a later one
	rfc3161.Stamp
}

// addStamps writes the stamps that cover the snapshots of the run.
func (e *exporter) addStamps() error {
	written := map[katprep.CommitID]bool{}
	for _, c := range []katprep.CommitID{e.o.Before, e.o.After} {
		at, der, ok, err := e.a.StampOf(e.ctx, c)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		digest, err := e.a.StampDigest(e.ctx, at)
		if err != nil {
			return err
		}
		s, err := rfc3161.Check(der, digest, nil)
		if err != nil {
			return fmt.Errorf("time stamp of %s: %w", at.Short(), err)
		}
		e.stamps = append(e.stamps, stamp{c, at, s})
		if written[at] {
			continue
		}
		written[at] = true
		if err := e.text("stamps/"+string(at)+".tsr", der); err != nil {
			return err
		}
	}
	if len(e.stamps) > 0 && len(e.o.StampCA) > 0 {
		return e.text("keys/time-stamps.pem", e.o.StampCA)
	}
	return nil
}

func (e *exporter) openssl() string {
	if len(e.stamps) > 0 {
		return ", and openssl for the time stamps"
	}
	return ""
}

// stampSteps say how to check the stamps. What is stamped is the commit as
// "git cat-file commit" prints it.
func (e *exporter) stampSteps(step func(title string, commands ...string)) {
	for _, s := range e.stamps {
		title := fmt.Sprintf("A service witnessed at %s that snapshot %s existed\n   (%s; if the clock of openssl is not in question, leave -attime out):", s.Time.Format(time.RFC3339), s.of.Short(), printable(s.Service))
		if s.at != s.of {
			title = fmt.Sprintf("A service witnessed at %s that commit %s existed,\n   which snapshot %s is part of (%s):", s.Time.Format(time.RFC3339), s.at.Short(), s.of.Short(), printable(s.Service))
		}
		file := "stamps/" + string(s.at) + ".tsr"
		commands := []string{
			fmt.Sprintf("git -C history.git merge-base --is-ancestor %s %s", s.of, s.at),
			fmt.Sprintf("openssl ts -reply -in %s -text", file),
		}
		if len(e.o.StampCA) > 0 {
			commands = append(commands, fmt.Sprintf("git -C history.git cat-file commit %s | openssl ts -verify -data /dev/stdin -in %s -CAfile keys/time-stamps.pem -attime %d", s.at, file, s.Time.Unix()))
		} else {
			commands = append(commands, "    # with the service's own certificates in FILE:",
				fmt.Sprintf("    # git -C history.git cat-file commit %s | openssl ts -verify -data /dev/stdin -in %s -CAfile FILE", s.at, file))
		}
		step(title, commands...)
	}
}

// printable keeps what a certificate says from leaving its line.
func printable(s string) string {
	out := []rune{}
	for _, r := range s {
		if r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			out = append(out, r)
		}
	}
	return string(out)
}

// boundary tells Git, in a file, where the history begins if older years are
// in bundles.
func (e *exporter) boundary() error {
	list, cut, err := e.a.Retained(e.ctx)
	if err != nil || !cut {
		return err
	}
	e.older = list
	return e.write("shallow", func(w io.Writer) error {
		_, err := fmt.Fprintln(w, list[len(list)-1].Boundary)
		return err
	})
}

// unpack are the commands that make a repository of the bundle.
func (e *exporter) unpack() []string {
	if len(e.older) == 0 {
		return []string{"git clone --mirror history.bundle history.git"}
	}
	return []string{
		"git -c init.defaultBranch=main init --bare history.git", "cp shallow history.git/shallow",
		"git -C history.git fetch ../history.bundle 'refs/*:refs/*'",
	}
}
