package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

// containerVariable holds the password of a container of katprep 0.x where
// nobody can type it.
const containerVariable = "KATPREP_CONTAINER_PASSWORD"

type authImportCmd struct {
	File    string            `arg:"" help:"Container of katprep 0.x, plain or encrypted."`
	Name    map[string]string `placeholder:"HOST=NAME" help:"Call the container's entry HOST so here; else it is called as the configured system with that address."`
	Replace bool              `help:"Replace credentials of the same name."`
	DryRun  bool              `short:"n" help:"Only say what would be imported."`
	protectFlags
}

// Help adds to the command's help.
func (authImportCmd) Help() string {
	return `The container's password is asked for, or taken from ` + containerVariable + `.
The container is only read. Remove it afterwards, and change passwords that
were in a file that others could read: its encryption has no salt.`
}

// Run imports all entries of the container, or none.
func (c *authImportCmd) Run(a *app, auth *authCmd) error {
	path, cfg, err := auth.path(a)
	if err != nil {
		return err
	}
	logins, err := c.read(a)
	if err != nil {
		return err
	}
	file, err := a.openCredentials(cfg, path)
	if err != nil {
		return err
	}
	named, err := c.rename(cfg, logins)
	if err != nil {
		return err
	}
	if err := c.fill(a, file, named); err != nil || c.DryRun {
		return err
	}
	if err := a.protectNew(file, c.protectFlags); err != nil {
		return err
	}
	return file.Save()
}

// read opens the container and decrypts it.
func (c *authImportCmd) read(a *app) (map[string]creds.Login, error) {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "container: %w", err)
	}
	if st, err := os.Stat(c.File); err == nil && st.Mode().Perm()&0o077 != 0 {
		a.term.Warn("others than its owner may read %s: change the passwords in it", c.File)
	}
	box, err := creds.ParseContainer(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	password := a.env[containerVariable]
	if box.Encrypted() && password == "" {
		if password, err = a.ask("Password of "+c.File+": ", true); err != nil {
			return nil, katprep.Errorf(katprep.Unlock, "%w", err).WithHint("set %s", containerVariable)
		}
	}
	logins, err := box.Logins(creds.NewSecret(password))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	return logins, nil
}

type containerEntry struct{ host, name string }

// rename decides what each entry is called.
func (c *authImportCmd) rename(cfg *config.Config, logins map[string]creds.Login) (map[containerEntry]creds.Login, error) {
	known := map[string]string{}
	for _, s := range configuredLogins(cfg) {
		known[creds.Place(s.url)] = s.credential
	}
	for host, name := range c.Name {
		if _, ok := logins[host]; !ok {
			return nil, katprep.Errorf(katprep.NotFound, "%s has no entry %q", c.File, host)
		}
		known[host] = name
	}
	named, taken := map[containerEntry]creds.Login{}, map[string]string{}
	for host, l := range logins {
		name := creds.NameFor(host, known)
		if other, ok := taken[name]; ok {
			first, second := min(host, other), max(host, other)
			return nil, katprep.Errorf(katprep.Conflict, "entries %q and %q would both be called %q", first, second, name).WithHint("--name %s=ANOTHER", second)
		}
		taken[name] = host
		named[containerEntry{host, name}] = l
	}
	return named, nil
}

// fill adds the entries to the file and says so.
func (c *authImportCmd) fill(a *app, file *creds.File, named map[containerEntry]creds.Login) error {
	t := a.term.NewTable("ENTRY", "CREDENTIAL", "USER", "RESULT")
	verb := map[bool]string{true: "would be ", false: ""}[c.DryRun]
	for _, e := range sortedImports(named) {
		l := named[e]
		result := verb + "added"
		if _, there := file.Get(e.name); there && !c.Replace {
			result = "kept as it is: use --replace"
		} else {
			file.Set(e.name, l)
			if there {
				result = verb + "replaced"
			}
		}
		if a.term.JSON() {
			if err := a.emit("credential", map[string]any{"entry": e.host, "name": e.name, "user": l.User, "result": result}); err != nil {
				return err
			}
			continue
		}
		t.Row(e.host, e.name, l.User, result)
		if strings.TrimSpace(l.Password.Reveal()) != l.Password.Reveal() {
			a.term.Warn("the password of %s begins or ends with white space", e.host)
		}
	}
	return t.Write(a.term.Out())
}

func sortedImports(named map[containerEntry]creds.Login) []containerEntry {
	return slices.SortedFunc(maps.Keys(named), func(a, b containerEntry) int { return cmp.Compare(a.host, b.host) })
}
