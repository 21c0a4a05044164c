package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
)

type initCmd struct {
	NoConfig bool `help:"Make the archive only."`
}

// Help adds to the command's help.
func (initCmd) Help() string {
	return `Makes an empty archive and a configuration in which every setting is explained.
What exists already is left as it is.

  katprep init
  katprep --archive /var/lib/katprep/archive.git --config /etc/katprep/katprep.yml init`
}

// Run makes what is missing.
func (c initCmd) Run(a *app) error {
	confPath := a.newConfigPath()
	path, err := a.initArchivePath(confPath)
	if err != nil {
		return err
	}
	if err := initArchive(a, path); err != nil || c.NoConfig {
		return err
	}
	return writeConfig(a, confPath, path)
}

// initArchivePath is where init makes the archive; a configuration that does
// not exist yet has no say.
func (a *app) initArchivePath(confPath string) (string, error) {
	if _, err := os.Stat(confPath); errors.Is(err, fs.ErrNotExist) && a.cli.Config != "" {
		a.cfg, a.cfgPath = &config.Config{}, confPath
	}
	path, _, err := a.archivePath()
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func initArchive(a *app, path string) error {
	arc, err := archive.Open(path, archive.Options{})
	if err == nil {
		a.term.Note("the archive %s is there already", path)
		return arc.Close()
	}
	if katprep.KindOf(err) != katprep.NoArchive {
		return err
	}
	if err := archive.Init(path); err != nil {
		return err
	}
	a.term.Note("made the archive %s", path)
	return nil
}

// newConfigPath is where init writes the configuration.
func (a *app) newConfigPath() string {
	if a.cli.Config != "" {
		return a.cli.Config
	}
	for _, p := range a.configPaths() {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	if os.Geteuid() == 0 {
		return filepath.Join(a.systemDir(), "katprep.yml")
	}
	if d := a.xdg("XDG_CONFIG_HOME", ".config"); d != "" {
		return filepath.Join(d, "katprep", "katprep.yml")
	}
	return "katprep.yml"
}

func writeConfig(a *app, path, archivePath string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return katprep.Errorf(katprep.Invalid, "make the configuration's directory: %w", err).WithHint("katprep init --config FILE, or --no-config")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		a.term.Note("the configuration %s is there already", path)
		return nil
	}
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "write the configuration: %w", err).WithHint("katprep init --config FILE, or --no-config")
	}
	_, err = f.WriteString(config.Example(archivePath))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	a.term.Note("wrote the configuration %s", path)
	a.term.Note("next: katprep config check, then katprep snapshot")
	return nil
}
