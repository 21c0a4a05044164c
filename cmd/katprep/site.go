package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/publish"
)

type siteCmd struct {
	Build   siteBuildCmd   `cmd:"" help:"Turn the archive into a static folder."`
	Serve   siteServeCmd   `cmd:"" help:"Show the folder on this machine's loopback address."`
	Publish sitePublishCmd `cmd:"" help:"Build the site and bring it to where it is read."`

	Controls siteControlsCmd `cmd:"" help:"Print the references to standards that the site shows, to be edited."`
}

type siteControlsCmd struct{}

// Help adds to the command's help.
func (siteControlsCmd) Help() string {
	return `  katprep site controls >controls.yaml

Edit the file and name it in the configuration: site: {controls: controls.yaml}.`
}

// Run prints the built-in file.
func (siteControlsCmd) Run(a *app) error {
	text, err := site.BuiltinControls()
	if err != nil {
		return err
	}
	_, err = a.term.Out().Write(text)
	return err
}

type siteBuildCmd struct {
	Out     string   `short:"o" placeholder:"DIR" help:"Folder (default: as configured, or public)."`
	Full    bool     `help:"Make every page anew, even if nothing changed."`
	Compare []string `placeholder:"A..B" help:"Pages that compare these two snapshots as well, or with 'monthly' the first of each month with that of the next. May be repeated; each costs as much as a maintenance."`
}

// out is where the site is.
func (a *app) siteOut(flag string) (string, error) {
	cfg, err := a.config()
	if err != nil {
		return "", err
	}
	return firstOf(flag, cfg.Site.Out, "public"), nil
}

// Run builds the site.
func (c *siteBuildCmd) Run(a *app) error {
	out, err := a.siteOut(c.Out)
	if err != nil {
		return err
	}
	return a.buildSite(out, siteWish{full: c.Full, compare: c.Compare})
}

// A siteWish is what a command asks of a build.
type siteWish struct {
	full    bool
	compare []string // as on the command line
	keep    int      // versions of the folder
}

func (a *app) buildSite(out string, wish siteWish) error {
	o, err := a.siteOptions()
	if err != nil {
		return err
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	if err := a.compareAlso(arc, &o, wish.compare); err != nil {
		return err
	}
	o.Full, o.Keep = wish.full, wish.keep
	o.Progress = func(done int, what string) {
		if done%100 == 0 {
			a.term.Status("%d pages", done)
		}
	}
	stats, err := site.Build(a.ctx, newSiteSource(arc), out, o)
	a.term.Status("")
	if err != nil {
		return err
	}
	if a.term.JSON() {
		return a.emit("site", map[string]any{"folder": out, "pages": stats.Pages, "files": stats.Files, "unchanged": stats.Kept, "bytes": stats.Bytes})
	}
	a.term.Note("built %d pages in %s (%d of %d files unchanged)", stats.Pages, out, stats.Kept, stats.Files)
	return nil
}

// compareAlso adds the pairs of snapshots that the command or the
// configuration asks for.
func (a *app) compareAlso(arc *archive.Archive, o *site.Options, asked []string) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	for _, s := range slices.Concat(cfg.Site.Compare, asked) {
		if s == "monthly" {
			o.Monthly = true
			continue
		}
		before, after, ok := strings.Cut(s, "..")
		if !ok || before == "" || after == "" {
			return katprep.Errorf(katprep.Invalid, "compare %q: these are no two snapshots", s).WithHint("write 2026-01-01..latest, or monthly")
		}
		var c site.Comparison
		if c.Before, err = arc.Resolve(a.ctx, before); err != nil {
			return err
		}
		if c.After, err = arc.Resolve(a.ctx, after); err != nil {
			return err
		}
		o.Compare = append(o.Compare, c)
	}
	return nil
}

// buildOf returns what tells programs of a version apart: nothing for a
// release or a commit, the hash of the program while it is being developed.
func buildOf(version string) (string, error) {
	if version != "devel" && !strings.HasSuffix(version, "+dirty") {
		return "", nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// siteOptions takes what the configuration says of the site.
func (a *app) siteOptions() (o site.Options, err error) {
	cfg, err := a.config()
	if err != nil {
		return o, err
	}
	o = site.Options{Title: cfg.Site.Title, Version: version(), CommitURL: cfg.Site.Commit, Policy: sitePolicy(cfg.Policy)}
	if o.Build, err = buildOf(o.Version); err != nil {
		return o, err
	}
	if cfg.Site.Controls != "" {
		o.Controls, err = site.LoadControls(cfg.Site.Controls)
	}
	return o, err
}

// sitePolicy is the configured policy in the words of package policy.
func sitePolicy(p config.Policy) policy.Policy {
	deadlines := func(in map[katprep.Severity]config.Duration) map[katprep.Severity]time.Duration {
		out := make(map[katprep.Severity]time.Duration, len(in))
		for s, d := range in {
			out[s] = d.Std()
		}
		return out
	}
	out := policy.Policy{Deadlines: deadlines(p.Deadlines), Criticality: p.Criticality}
	for _, g := range p.Groups {
		out.Groups = append(out.Groups, policy.Group{Hosts: g.Hosts, HostGroups: g.HostGroups, Criticality: g.Criticality, Deadlines: deadlines(g.Deadlines)})
	}
	return out
}

type sitePublishCmd struct {
	Out    string   `short:"o" placeholder:"DIR" help:"Folder to build in (default: as configured, or public)."`
	Dir    string   `placeholder:"DIR" xor:"to" help:"Bring it to this folder: at no time is the folder empty or half new."`
	Git    string   `placeholder:"REPOSITORY" xor:"to" help:"Commit it to a branch of this Git repository (path or URL) and push."`
	Branch string   `default:"pages" placeholder:"BRANCH" help:"With --git: the branch, which holds nothing else."`
	Run_   bool     `name:"run" xor:"to" help:"Call the command after '--' with the folder as its last argument."`
	Keep   int      `default:"0" placeholder:"N" help:"With --dir: keep the N sites before this one in DIR.versions."`
	Args   []string `arg:"" optional:"" passthrough:"" help:"Command and arguments, with --run."`
}

// Help adds to the command's help.
func (sitePublishCmd) Help() string {
	return `  katprep site publish --dir /srv/www/patches
  katprep site publish --dir /srv/www/patches --keep 5
  katprep site publish --git git@git.example.com:ops/patches.git --branch gh-pages
  katprep site publish --run -- rsync -a --delete-after`
}

// Run builds and publishes.
func (c *sitePublishCmd) Run(a *app) error {
	if c.Dir == "" && c.Git == "" && !c.Run_ {
		return katprep.Errorf(katprep.Invalid, "publish to where?").WithHint("give --dir, --git, or --run")
	}
	if c.Keep < 0 || c.Keep > 0 && c.Dir == "" {
		return katprep.Errorf(katprep.Invalid, "--keep is for --dir").WithHint("a branch keeps what was on it: git log; a command does as it likes")
	}
	if c.Dir != "" {
		return a.buildSite(c.Dir, siteWish{keep: c.Keep})
	}
	out, err := a.siteOut(c.Out)
	if err != nil {
		return err
	}
	if err := a.buildSite(out, siteWish{}); err != nil {
		return err
	}
	if c.Run_ {
		return publish.Command(a.ctx, out, c.Args)
	}
	commit, err := publish.Git(a.ctx, out, c.Git, c.Branch, "site: "+version())
	if err != nil {
		return err
	}
	a.term.Note("pushed %s to %s of %s", commit.Short(), c.Branch, c.Git)
	return nil
}

type siteServeCmd struct {
	Out    string `short:"o" placeholder:"DIR" help:"Folder (default: as configured, or public)."`
	Listen string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Loopback address and port; port 0 takes a free one."`
}

// Run serves the folder until it is interrupted.
func (c *siteServeCmd) Run(a *app) error {
	out, err := a.siteOut(c.Out)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return katprep.Errorf(katprep.Invalid, "address %q is not on loopback: the site may hold what not everybody may read", c.Listen).
			WithHint("copy the folder to a web server with access control")
	}
	ln, err := (&net.ListenConfig{}).Listen(a.ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("serve %s: %w", out, err)
	}
	srv := &http.Server{Handler: http.FileServer(http.Dir(out)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-a.ctx.Done()
		srv.Close()
	}()
	fmt.Fprintf(a.term.Out(), "http://%s/\n", ln.Addr())
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
