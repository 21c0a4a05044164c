package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

type archivePushCmd struct {
	Remote []string `arg:"" optional:"" help:"Names of configured remotes (default: those of archive.push, or all)."`
}

// Help adds to the command's help.
func (archivePushCmd) Help() string {
	return `Sends the history and the tags of runs to the remotes of archive.remotes. Nothing
there is ever overwritten: a remote that was rewritten, or that another machine
feeds, is left as it is and the reason is said.

  katprep archive push
  katprep archive push origin`
}

// Run pushes to each remote; one that fails does not stop the others.
func (c *archivePushCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	list := c.Remote
	if len(list) == 0 {
		list = cfg.Archive.Push
	}
	if len(list) == 0 {
		list = slices.Sorted(maps.Keys(cfg.Archive.Remotes))
	}
	if len(list) == 0 {
		return katprep.Errorf(katprep.Invalid, "no remote is configured").WithHint("name it in archive.remotes in the configuration")
	}
	return a.push(list)
}

// pushConfigured has the archive stamped and pushes to the remotes of
// archive.push, after something was committed. A remote that cannot be reached
// is a warning: the archive here is whole, and the next push brings all.
func (a *app) pushConfigured() {
	a.stampConfigured()
	cfg, err := a.config()
	if err == nil && len(cfg.Archive.Push) > 0 {
		err = a.push(cfg.Archive.Push)
	}
	if err != nil {
		a.warn(err)
	}
}

// warn shows an error that does not end the command.
func (a *app) warn(err error) {
	a.term.Warn("%v", err)
	if hint := katprep.HintOf(err); hint != "" {
		a.term.Warn("hint: %s", hint)
	}
}

func (a *app) push(names []string) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		r, err := a.remote(name)
		if err == nil {
			var done archive.Transferred
			if done, err = arc.Push(a.ctx, r); err == nil {
				a.sayTransferred("pushed to", done)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (a *app) sayTransferred(what string, d archive.Transferred) {
	switch {
	case a.term.JSON():
		a.emit("transfer", d)
	case d.From == d.To && d.Tags == 0:
		a.term.Note("%s %s: nothing new", what, d.Remote)
	default:
		a.term.Note("%s %s: now at %s", what, d.Remote, d.To.Short())
	}
}

// remote makes a remote of the configuration. The credential of an https
// remote is found under the remote's name.
func (a *app) remote(name string) (archive.Remote, error) {
	cfg, err := a.config()
	if err != nil {
		return archive.Remote{}, err
	}
	url, ok := cfg.Archive.Remotes[name]
	if !ok {
		return archive.Remote{}, katprep.Errorf(katprep.NotFound, "remote %q is not configured", name).
			WithHint("the remotes are archive.remotes in the configuration")
	}
	r := archive.Remote{Name: name, URL: url, Branch: cfg.Archive.Branch, Timeout: 10 * time.Minute}
	if k := cfg.Archive.PushKey; k != "" {
		r.SSHKey = a.path(k)
	}
	if f := cfg.Archive.PushCA; f != "" {
		r.CAFile = a.path(f)
	}
	if !strings.Contains(url, ":") {
		r.URL = a.path(url)
	}
	if isHTTPS(url) {
		l, err := a.remoteLogin(cfg, name)
		if err != nil {
			return r, err
		}
		r.User, r.Password = l.User, l.Password
	}
	return r, nil
}

func isHTTPS(url string) bool { return strings.HasPrefix(url, "https://") }

func (a *app) remoteLogin(cfg *config.Config, name string) (creds.Login, error) {
	l, _, err := a.finder(cfg).Lookup(a.ctx, creds.Request{Name: name, For: "remote " + name})
	if katprep.KindOf(err) == katprep.NotFound {
		return creds.Login{}, nil // some remotes need none
	}
	return l, err
}

type archivePullCmd struct {
	Remote string `arg:"" optional:"" help:"Name of a configured remote (default: the first of archive.push)."`
}

// Help adds to the command's help.
func (archivePullCmd) Help() string {
	return `Brings into the archive what a remote's branch is ahead, such as after the archive
was restored from an older backup. Histories that went different ways are never
joined.`
}

// Run pulls.
func (c *archivePullCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	name := c.Remote
	if name == "" && len(cfg.Archive.Push) > 0 {
		name = cfg.Archive.Push[0]
	}
	if name == "" {
		return katprep.Errorf(katprep.Invalid, "which remote?").WithHint("katprep archive pull NAME")
	}
	r, err := a.remote(name)
	if err != nil {
		return err
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	done, err := arc.Pull(a.ctx, r)
	if err != nil {
		return err
	}
	a.sayTransferred("pulled from", done)
	return nil
}
