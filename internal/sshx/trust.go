package sshx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/skeema/knownhosts"
	"github.com/stdevel/katprep"
	"golang.org/x/crypto/ssh"
)

// HostKeys are the keys a host shows, and what known_hosts says of them.
type HostKeys struct {
	Name    string // as it is looked up in known_hosts
	Keys    []ssh.PublicKey
	Known   bool   // all keys are known already
	Changed bool   // known_hosts holds other keys for this name
	File    string // where new keys belong
}

// kinds are the kinds of host key that are asked for, the preferred first.
var kinds = [...][]string{
	{ssh.KeyAlgoED25519},
	{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

// ScanHostKeys asks a host for its keys without logging in. It proves
// nothing: a person must compare the fingerprints with the host's own.
func (d *Dialer) ScanHostKeys(ctx context.Context, h Host) (HostKeys, error) {
	r, err := d.resolve(ctx, h)
	if err != nil {
		return HostKeys{}, err
	}
	hk := HostKeys{Name: r.checkedName()}
	if len(r.knownHosts) > 0 {
		hk.File = r.knownHosts[0]
	}
	var last error
	for _, algos := range kinds {
		key, err := d.scan(ctx, r, algos)
		switch {
		case key != nil:
			hk.Keys = append(hk.Keys, key)
		case katprep.KindOf(err) == katprep.Unreachable && len(hk.Keys) == 0:
			return HostKeys{}, err
		default:
			last = err
		}
	}
	if len(hk.Keys) == 0 {
		return HostKeys{}, last
	}
	db, err := d.knownHosts(r)
	if err != nil {
		return HostKeys{}, err
	}
	hk.judge(db, r)
	return hk, nil
}

// judge compares the keys with what is known.
func (hk *HostKeys) judge(db *knownhosts.HostKeyDB, r route) {
	check := db.HostKeyCallback()
	hk.Known = true
	var missing []ssh.PublicKey
	for _, k := range hk.Keys {
		err := check(r.checkedAs(), &net.TCPAddr{IP: net.IPv4zero, Port: r.port}, k)
		if err == nil {
			continue
		}
		hk.Known = false
		missing = append(missing, k)
		sameKind := func(o knownhosts.PublicKey) bool { return !o.Cert && o.Type() == k.Type() }
		if knownhosts.IsHostKeyChanged(err) && slices.ContainsFunc(db.HostKeys(r.checkedAs()), sameKind) {
			hk.Changed = true
		}
	}
	if !hk.Known {
		hk.Keys = missing
	}
}

var errSeen = errors.New("key seen")

func (d *Dialer) scan(ctx context.Context, r route, algos []string) (ssh.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	conn, jump, err := d.transport(ctx, r, 0)
	if err != nil {
		return nil, err
	}
	if jump != nil {
		defer jump.Close()
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var seen ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(conn, r.checkedAs(), &ssh.ClientConfig{
		User: r.user, HostKeyAlgorithms: algos, ClientVersion: "SSH-2.0-katprep",
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error { seen = k; return errSeen },
	})
	if seen == nil {
		return nil, katprep.Errorf(katprep.Denied, "ask %s for its host key: %w", r.name, err)
	}
	return seen, nil
}

// Trust adds a host's keys to a known_hosts file. It refuses keys of a host
// that is known with others.
func Trust(hk HostKeys, file string) error {
	if hk.Changed {
		return katprep.Errorf(katprep.Conflict, "trust %s: %s holds another key for it", hk.Name, file).
			WithHint("if you know why it changed: ssh-keygen -f %s -R '%s'", file, hk.Name)
	}
	if file == "" {
		return katprep.Errorf(katprep.Invalid, "trust %s: there is no known_hosts file", hk.Name)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("trust %s: %w", hk.Name, err)
	}
	text := ""
	for _, k := range hk.Keys {
		text += knownhosts.Line([]string{hk.Name}, k) + "\n"
	}
	return appendLine(file, text)
}

// appendLine adds whole lines, also to a file whose last line has no end.
func appendLine(file, text string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if i, err := f.Stat(); err == nil && i.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, i.Size()-1); err == nil && last[0] != '\n' {
			text = "\n" + text
		}
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Fingerprint returns "SHA256:…", as ssh-keygen -l prints it.
func Fingerprint(k ssh.PublicKey) string { return ssh.FingerprintSHA256(k) }
