package main

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/rfc3161"
)

type archiveStampCmd struct {
	All bool `help:"A stamp for every commit that has none of its own, not only for the last one."`
}

// Help adds to the command's help.
func (archiveStampCmd) Help() string {
	return `Asks the service of archive.stamp (RFC 3161) to witness that the last commit exists
now. A commit names its parents, so the stamp is one of the whole history before
it. After snapshots, stages and decisions this is done by itself; the command is
for what the service missed. The stamps are Git notes, refs/notes/rfc3161/main.

  katprep archive stamp`
}

// Run asks for what is missing.
func (c *archiveStampCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if cfg.Archive.Stamp.URL == "" {
		return katprep.Errorf(katprep.Invalid, "no time-stamp service is configured").
			WithHint("name it in archive.stamp.url in the configuration")
	}
	done, err := a.stamp(cfg, c.All)
	switch {
	case a.term.JSON():
		if e := a.emit("stamped", map[string]any{"commits": done, "service": cfg.Archive.Stamp.URL}); err == nil {
			err = e
		}
	case len(done) > 0:
		a.term.Note("stamped %s, the last one is %s", plural(len(done), "commit", "commits"), done[len(done)-1].Short())
	case err == nil:
		a.term.Note("there is nothing to stamp")
	}
	return err
}

// stampConfigured has the last commit stamped if a service is configured. One
// that cannot be reached never undoes a commit; whether the command fails is
// configured.
func (a *app) stampConfigured() {
	cfg, err := a.config()
	if err != nil || cfg.Archive.Stamp.URL == "" {
		return
	}
	if _, err = a.stamp(cfg, false); err == nil {
		a.late = nil
		return
	}
	err = fmt.Errorf("the commit has no time stamp, the next one will cover it: %w", err)
	if cfg.Archive.Stamp.OnFailure == "fail" {
		a.late = katprep.Errorf(katprep.Partial, "%w", err).WithHint("katprep archive stamp")
		return
	}
	a.warn(err)
}

func (a *app) stamp(cfg *config.Config, all bool) ([]katprep.CommitID, error) {
	arc, err := a.archive()
	if err != nil {
		return nil, err
	}
	c := cfg.Archive.Stamp
	s := &rfc3161.Service{URL: c.URL, CAFile: a.path(c.CAFile), Timeout: time.Duration(c.Timeout)}
	if c.Credential != "" {
		l, _, err := a.finder(cfg).Lookup(a.ctx, creds.Request{Name: c.Credential, For: "time-stamp service"})
		if err != nil {
			return nil, err
		}
		s.User, s.Password = l.User, l.Password
	}
	a.term.Status("asking for a time stamp")
	defer a.term.Status("")
	return arc.Stamp(a.ctx, s, all)
}

// stampRoots reads who must have issued the certificates of time stamps: the
// file, or the configured one; nil if there is none.
func (a *app) stampRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		cfg, err := a.config()
		if err != nil || cfg.Archive.Stamp.CAFile == "" {
			return nil, err
		}
		file = a.path(cfg.Archive.Stamp.CAFile)
	}
	return rfc3161.Roots(file)
}

// stampText says what time stamps prove.
func stampText(s *archive.StampSummary) string {
	text := plural(s.Count, "time stamp", "time stamps")
	if s.Count == 0 {
		return text
	}
	text += ", the last of " + s.Last.Format(time.RFC3339)
	switch s.Unstamped {
	case 0:
		text += "; every commit is covered"
	default:
		text += fmt.Sprintf("; %s since", plural(s.Unstamped, "commit", "commits"))
	}
	return text + fmt.Sprintf("; none was stamped later than %s after its date", time.Duration(s.Delay)*time.Second)
}
