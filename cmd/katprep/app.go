package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act/all"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/term"
)

// An app is what commands work with. Configuration and archive are opened
// when a command asks for them: "katprep version" touches nothing.
type app struct {
	ctx  context.Context
	cli  *cli
	term *term.Terminal
	std  streams
	env  map[string]string

	cfg     *config.Config
	cfgPath string // "" if there is no file
	arc     *archive.Archive
	creds   *creds.Finder
	acting  *all.Systems
	pace    *demoPace // nil: that of real hosts
	late    error     // what went wrong beside a command that succeeded
}

func newApp(ctx context.Context, c *cli, tm *term.Terminal, s streams, env map[string]string) *app {
	return &app{ctx: ctx, cli: c, term: tm, std: s, env: env}
}

func (a *app) close() {
	if a.arc != nil {
		a.arc.Close()
	}
}

// finish tells the user how a command ended and returns the exit code.
func (a *app) finish(err error) int {
	a.term.Status("")
	if err == nil {
		err = a.late
	}
	code := exitCode(a.ctx, err)
	if err == nil {
		return code
	}
	if code == exitInterrupted {
		err = katprep.Errorf(katprep.Partial, "interrupted: %w", err)
	}
	if a.term.JSON() {
		a.emit("error", map[string]any{"message": term.Clean(err.Error()), "hint": katprep.HintOf(err), "code": code})
	}
	a.term.Error(err, katprep.HintOf(err))
	return code
}

// emit writes one line of the JSON stream: an object with its type.
func (a *app) emit(typ string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line := append([]byte(`{"type":"`+typ+`",`), b[1:]...)
	if string(b) == "{}" {
		line = []byte(`{"type":"` + typ + `"}`)
	}
	_, err = a.term.Out().Write(append(line, '\n'))
	return err
}

// configPaths are where a configuration is looked for, the first that exists.
func (a *app) configPaths() []string {
	if a.cli.Config != "" {
		return []string{a.cli.Config}
	}
	paths := []string{"katprep.yml"}
	if d := a.xdg("XDG_CONFIG_HOME", ".config"); d != "" {
		paths = append(paths, filepath.Join(d, "katprep", "katprep.yml"))
	}
	return append(paths, filepath.Join(a.systemDir(), "katprep.yml"))
}

// systemDir is where the system's configuration is.
func (a *app) systemDir() string { return firstOf(a.env["KATPREP_ETC"], "/etc/katprep") }

// xdg is a base directory of the user, "" without a home.
func (a *app) xdg(variable, fallback string) string {
	if d := a.env[variable]; filepath.IsAbs(d) {
		return d
	}
	if home := a.env["HOME"]; home != "" {
		return filepath.Join(home, fallback)
	}
	return ""
}

// config reads the configuration once. Without any file it is the zero one.
func (a *app) config() (*config.Config, error) {
	if a.cfg != nil {
		return a.cfg, nil
	}
	for _, p := range a.configPaths() {
		if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) && a.cli.Config == "" {
			continue
		}
		c, err := config.Load(p)
		if err != nil {
			return nil, err
		}
		a.cfg, a.cfgPath = c, p
		return c, nil
	}
	a.cfg = &config.Config{}
	return a.cfg, nil
}

// archivePath says where the archive is, and whether somebody chose that.
func (a *app) archivePath() (path string, chosen bool, err error) {
	if a.cli.Archive != "" {
		return a.cli.Archive, true, nil
	}
	cfg, err := a.config()
	if err != nil {
		return "", false, err
	}
	if p := cfg.Archive.Path; p != "" {
		return a.path(p), true, nil
	}
	d := a.xdg("XDG_DATA_HOME", ".local/share")
	if d == "" {
		return "", false, katprep.Errorf(katprep.NoArchive, "no archive: neither --archive nor a configuration nor HOME is set").WithHint("katprep --archive DIR init")
	}
	return filepath.Join(d, "katprep", "archive.git"), false, nil
}

// archive opens the archive once.
func (a *app) archive() (*archive.Archive, error) {
	if a.arc != nil {
		return a.arc, nil
	}
	path, _, err := a.archivePath()
	if err != nil {
		return nil, err
	}
	o, err := a.archiveOptions()
	if err != nil {
		return nil, err
	}
	a.arc, err = archive.Open(path, o)
	return a.arc, err
}

// archiveForWriting opens the archive and makes the user's own one if it is
// not there yet; one that was named must exist.
func (a *app) archiveForWriting() (*archive.Archive, error) {
	path, chosen, err := a.archivePath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !chosen {
		if err := archive.Init(path); err != nil {
			return nil, err
		}
		a.term.Note("made the archive %s", path)
	}
	return a.archive()
}

func (a *app) archiveOptions() (archive.Options, error) {
	cfg, err := a.config()
	if err != nil {
		return archive.Options{}, err
	}
	o := archive.Options{
		Author:    a.author(),
		Committer: a.writer(),
		Now:       time.Now,
		LockWait:  cfg.Archive.LockWait.Or(10 * time.Second),
	}
	a.protect(cfg.Archive, &o)
	return o, nil
}
