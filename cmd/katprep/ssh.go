package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/sshsource"
	"github.com/stdevel/katprep/internal/sshx"
	"golang.org/x/crypto/ssh"
	xterm "golang.org/x/term"
)

// sshCmd holds what is about SSH itself.
type sshCmd struct {
	Trust trustCmd `cmd:"" help:"Show a host's key fingerprints and, if you agree, add the keys to known_hosts."`
}

// trustCmd is the only way in which katprep ever adds a host key.
type trustCmd struct {
	Host        string   `arg:"" help:"Host of a configured source, or [USER@]HOST[:PORT]."`
	Fingerprint []string `placeholder:"SHA256:…" help:"Add only keys with this fingerprint, without asking."`
	Yes         bool     `help:"Add what the host shows without comparing. Whoever answers now is trusted for ever."`
}

// Run scans, shows, asks and adds.
func (c *trustCmd) Run(a *app) error {
	h, dialer, err := a.sshHost(c.Host)
	if err != nil {
		return err
	}
	keys, err := dialer.ScanHostKeys(a.ctx, h)
	if err != nil {
		return err
	}
	for _, k := range keys.Keys {
		fmt.Fprintf(a.term.Out(), "%s %s %s\n", keys.Name, k.Type(), sshx.Fingerprint(k))
	}
	switch {
	case keys.Known:
		a.term.Note("%s is known already", keys.Name)
		return nil
	case keys.Changed:
		return sshx.Trust(keys, keys.File)
	}
	if keys.Keys, err = c.agreed(a, keys); err != nil {
		return err
	}
	if err := sshx.Trust(keys, keys.File); err != nil {
		return err
	}
	a.term.Note("added to %s", keys.File)
	return nil
}

// agreed returns the keys that the user wants.
func (c *trustCmd) agreed(a *app, keys sshx.HostKeys) ([]ssh.PublicKey, error) {
	if len(c.Fingerprint) > 0 {
		match := slices.DeleteFunc(slices.Clone(keys.Keys), func(k ssh.PublicKey) bool { return !slices.Contains(c.Fingerprint, sshx.Fingerprint(k)) })
		if len(match) == 0 {
			return nil, katprep.Errorf(katprep.Denied, "trust %s: none of its keys has the fingerprint that was given", keys.Name)
		}
		return match, nil
	}
	if c.Yes {
		return keys.Keys, nil
	}
	in, ok := a.std.in.(*os.File)
	if !ok || !xterm.IsTerminal(int(in.Fd())) {
		return nil, katprep.Errorf(katprep.Invalid, "trust %s: there is no terminal to ask at", keys.Name).
			WithHint("compare with 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' on the host, then give --fingerprint")
	}
	fmt.Fprintf(a.std.err, "Compare with the host's own console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub).\nAdd these keys? Type yes: ")
	line, _ := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(line) != "yes" {
		return nil, katprep.Errorf(katprep.Denied, "trust %s: not confirmed, nothing was added", keys.Name)
	}
	return keys.Keys, nil
}

// sshHost finds a host in the configured sources, or takes it as it is.
func (a *app) sshHost(name string) (sshx.Host, *sshx.Dialer, error) {
	cfg, err := a.config()
	if err != nil {
		return sshx.Host{}, nil, err
	}
	for _, s := range cfg.Sources {
		if s.Type != "ssh" {
			continue
		}
		hosts, dialer, err := sshsource.Open(s, a.sshOptions(), a.path)
		if err != nil {
			return sshx.Host{}, nil, katprep.Errorf(katprep.KindOf(err), "source %s: %w", s.Name, err)
		}
		if i := slices.IndexFunc(hosts, func(h inventory.Host) bool { return strings.EqualFold(h.Name, name) }); i >= 0 {
			return hosts[i].Host, dialer, nil
		}
	}
	h, err := sshx.ParseHost(name)
	return h, sshx.New(a.sshOptions()), err
}

// sshOptions are the user's surroundings.
func (a *app) sshOptions() sshx.Options {
	return sshx.Options{LocalUser: a.env["USER"], Home: a.env["HOME"], Agent: a.env["SSH_AUTH_SOCK"], SSH: sshx.FindSSH()}
}
