package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

type siteCmd struct {
	Build siteBuildCmd `cmd:"" help:"Turn the archive into a static folder."`
	Serve siteServeCmd `cmd:"" help:"Show the folder on this machine's loopback address."`
}

type siteBuildCmd struct {
	Out string `short:"o" placeholder:"DIR" help:"Folder (default: as configured, or public)."`
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
	arc, err := a.archive()
	if err != nil {
		return err
	}
	stats, err := site.Build(a.ctx, newSiteSource(arc), out, site.Options{Title: a.cfg.Site.Title, Version: version()})
	if err != nil {
		return err
	}
	a.term.Note("built %d pages in %s", stats.Pages, out)
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
