package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/term"
)

type doctorCmd struct {
	Offline bool `help:"Ask no other system."`
}

// Help adds to the command's help.
func (doctorCmd) Help() string {
	return `Collects what a bug report needs: versions, where configuration and archive are
and who may read them, and what each system answers. Nothing is changed, and
passwords are not read out of where they are kept into the output. Addresses and
host names are in it: look through it before you post it.

  katprep doctor >report.txt`
}

// A finding is one line of the doctor's report.
type finding struct {
	What  string `json:"what"`
	Is    string `json:"is"`
	Wrong bool   `json:"wrong"`
	Hint  string `json:"hint,omitempty"`
}

// Run collects and reports. It fails if something is wrong.
func (c *doctorCmd) Run(a *app) error {
	wrong := 0
	say := func(fs ...finding) error {
		for _, f := range fs {
			if f.Wrong {
				wrong++
			}
			if err := sayFinding(a, f); err != nil {
				return err
			}
		}
		return nil
	}
	cfg, found := doctorConfig(a)
	if err := say(append(doctorProgram(a), found...)...); err != nil {
		return err
	}
	if err := say(doctorArchive(a)...); err != nil {
		return err
	}
	if cfg != nil && !c.Offline {
		if err := checkConnections(a, cfg); err != nil {
			if !errors.Is(err, fs.ErrNotExist) && katprep.KindOf(err) != katprep.Unreachable {
				return err
			}
			wrong++
		}
	}
	if wrong > 0 {
		return katprep.Errorf(katprep.Partial, "%s", plural(wrong, "thing is wrong", "things are wrong"))
	}
	return nil
}

func sayFinding(a *app, f finding) error {
	if a.term.JSON() {
		return a.emit("finding", f)
	}
	sign := a.term.Styled(term.Green, "✓")
	if f.Wrong {
		sign = a.term.Styled(term.Red, "✗")
	}
	_, err := fmt.Fprintf(a.term.Out(), "%s %s: %s\n", sign, f.What, term.Clean(f.Is))
	if f.Hint != "" && err == nil {
		_, err = fmt.Fprintf(a.term.Out(), "  hint: %s\n", term.Clean(f.Hint))
	}
	return err
}

// failure is a finding of what went wrong.
func failure(what string, err error) finding {
	return finding{What: what, Is: err.Error(), Wrong: true, Hint: katprep.HintOf(err)}
}

func doctorProgram(a *app) []finding {
	var set []string
	for name := range a.env {
		if strings.HasPrefix(name, "KATPREP_") {
			set = append(set, name)
		}
	}
	return []finding{
		{What: "katprep", Is: fmt.Sprintf("%s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)},
		{What: "system", Is: systemName()},
		{What: "environment", Is: plural(len(set), "variable of katprep is set", "variables of katprep are set")},
	}
}

// systemName is what /etc/os-release calls this machine.
func systemName() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "unknown"
}

// doctorConfig reads the configuration; nil if it cannot be used.
func doctorConfig(a *app) (*config.Config, []finding) {
	cfg, err := a.config()
	if err != nil {
		return nil, []finding{failure("configuration", err)}
	}
	if a.cfgPath == "" {
		return cfg, []finding{{What: "configuration", Is: "none: the source is this machine"}}
	}
	found := []finding{{What: "configuration", Is: fmt.Sprintf("%s, %s, %s, %s, %s", a.cfgPath, mode(a.cfgPath), plural(len(cfg.Sources), "source", "sources"),
		plural(len(cfg.Monitoring), "monitoring system", "monitoring systems"), plural(len(cfg.Hypervisors), "hypervisor", "hypervisors"))}}
	if info, err := os.Stat(a.cfgPath); err == nil && info.Mode().Perm()&0o022 != 0 {
		found = append(found, finding{What: "configuration", Is: "others can change it, and with it which commands are run", Wrong: true, Hint: "chmod go-w " + a.cfgPath})
	}
	if f := cfg.Credentials.File; f != "" {
		found = append(found, privateFile("credential file", a.path(f)))
	}
	if f := cfg.Archive.Sign.SSHKey; f != "" && !strings.HasSuffix(f, ".pub") {
		found = append(found, privateFile("signing key", a.path(f)))
	}
	return cfg, found
}

// privateFile looks whether a file is its owner's alone.
func privateFile(what, path string) finding {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return failure(what, err)
	case info.Mode().Perm()&0o077 != 0:
		return finding{What: what, Is: path + ", " + mode(path) + ": others can read it", Wrong: true, Hint: "chmod 600 " + path}
	}
	return finding{What: what, Is: path + ", " + mode(path)}
}

func mode(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("mode %04o", info.Mode().Perm())
}

// doctorArchive looks at the archive without making one.
func doctorArchive(a *app) []finding {
	path, _, err := a.archivePath()
	if err != nil {
		return []finding{failure("archive", err)}
	}
	arc, err := a.archive()
	if katprep.KindOf(err) == katprep.NoArchive {
		return []finding{{What: "archive", Is: "none yet at " + path, Hint: "katprep init"}}
	}
	if err != nil {
		return []finding{failure("archive", err)}
	}
	found := []finding{{What: "archive", Is: path + ", " + mode(path) + ", " + lastSnapshot(a, arc)}}
	w, err := arc.Begin(a.ctx) // takes the lock and writes nothing
	if err == nil {
		err = w.Abort()
	}
	if err != nil {
		return append(found, failure("writing to the archive", err))
	}
	return append(found, finding{What: "writing to the archive", Is: "possible"})
}

func lastSnapshot(a *app, arc *archive.Archive) string {
	head, err := arc.Resolve(a.ctx, "latest")
	if err != nil {
		return "no snapshot"
	}
	s, err := arc.Snapshot(a.ctx, head)
	if err != nil {
		return "its last snapshot cannot be read: " + err.Error()
	}
	return fmt.Sprintf("last snapshot %s of %s, %d not wholly collected", s.Finished.UTC().Format("2006-01-02 15:04"),
		plural(s.Counts.Hosts, "host", "hosts"), s.Counts.Incomplete+s.Counts.Failed)
}
