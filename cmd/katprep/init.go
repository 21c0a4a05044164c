package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
)

type initCmd struct {
	NoConfig bool `help:"Make the archive only."`
	System   bool `help:"For the whole machine: configuration in /etc/katprep, archive in /var/lib/katprep."`
}

// Help adds to the command's help.
func (initCmd) Help() string {
	return `Makes an empty archive and a configuration in which every setting is explained,
both in the user's own folders, for root as for everybody. It asks nothing; what
exists already is left as it is. If this machine is registered with a Satellite
or Katello, the configuration has its address, still to be turned on.

  katprep init
  katprep init --system`
}

// systemArchive is where the archive of the whole machine is, as in the
// packages.
const systemArchive = "/var/lib/katprep/archive.git"

// Run makes what is missing.
func (c initCmd) Run(a *app) error {
	confPath := a.newConfigPath()
	if c.System && a.cli.Config == "" {
		confPath = filepath.Join(a.systemDir(), "katprep.yml")
		if _, err := os.Stat(confPath); errors.Is(err, fs.ErrNotExist) {
			a.cfg, a.cfgPath = &config.Config{Archive: config.Archive{Path: systemArchive}}, confPath
		} else {
			a.cli.Config = confPath
		}
	}
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
	server := a.registeredWith()
	_, err = f.WriteString(config.Example(archivePath, server))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	a.term.Note("wrote the configuration %s", path)
	if server != "" {
		a.term.Note("this machine is registered with %s: the configuration has it, take the '#' off to use it", server)
	}
	a.term.Note("next: katprep config check --connect, then katprep snapshot")
	return nil
}

// registeredWith is the server that this machine gets its content from, as
// subscription-manager keeps it; "" if there is none, or if it is Red Hat's own.
func (a *app) registeredWith() string {
	text, err := os.ReadFile(firstOf(a.env["KATPREP_RHSM"], "/etc/rhsm/rhsm.conf"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(name) != "hostname" {
			continue
		}
		host := strings.TrimSpace(value)
		if hostName.MatchString(host) && !strings.HasSuffix(host, ".redhat.com") {
			return host
		}
		return ""
	}
	return ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
