package sshx

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// resolve decides where a host is and how to log in: what the caller says,
// else what the user's ssh configuration says, else what ssh does.
func (d *Dialer) resolve(ctx context.Context, h Host) (route, error) {
	if h.User == "" {
		h.User = d.o.User
	}
	if h.Port == 0 {
		h.Port = d.o.Port
	}
	r, configured, err := d.single(ctx, h)
	if err != nil {
		return route{}, err
	}
	jump := first(h.Jump, d.o.Jump, configured)
	if jump == "" || strings.EqualFold(jump, "none") {
		return r, nil
	}
	for part := range strings.SplitSeq(jump, ",") {
		j, err := ParseHost(strings.TrimPrefix(strings.TrimSpace(part), "ssh://"))
		if err != nil {
			return route{}, katprep.Errorf(katprep.Invalid, "jump host of %s: %w", h.Name, err)
		}
		hop, _, err := d.single(ctx, j)
		if err != nil {
			return route{}, err
		}
		r.jumps = append(r.jumps, hop)
	}
	return r, nil
}

// single resolves one host; jump is what the ssh configuration says of its
// jump hosts.
func (d *Dialer) single(ctx context.Context, h Host) (r route, jump string, err error) {
	if err := CheckName(h.Name); err != nil {
		return route{}, "", err
	}
	conf, err := d.userConfig(ctx, h.Name, h.User, h.Port)
	if err != nil {
		return route{}, "", err
	}
	if r = d.route(h, conf); h.Address != "" {
		r.host = h.Address
	}
	for _, err := range []error{CheckName(r.host), CheckUser(r.user)} {
		if err != nil {
			return route{}, "", katprep.Errorf(katprep.Invalid, "host %s: %w", h.Name, err)
		}
	}
	return r, conf.get("proxyjump"), conf.check(h.Name)
}

// route joins what the caller and the configuration say.
func (d *Dialer) route(h Host, conf sshConfig) route {
	r := route{name: h.Name, host: first(conf.get("hostname"), h.Name), user: conf.get("user"), alias: conf.get("hostkeyalias"), agent: true}
	r.port, _ = strconv.Atoi(conf.get("port"))
	if r.port == 0 {
		r.port = 22
	}
	r.only = conf.get("identitiesonly") == "yes"
	if strings.EqualFold(conf.get("identityagent"), "none") {
		r.agent = false
	}
	for _, list := range [][]string{h.Identity, d.o.Identity, conf["identityfile"]} {
		for _, f := range list {
			r.identity = append(r.identity, expand(f, d.o.Home))
		}
	}
	for _, f := range conf["certificatefile"] {
		r.certs = append(r.certs, expand(f, d.o.Home))
	}
	if r.knownHosts = d.o.KnownHosts; len(r.knownHosts) == 0 {
		for _, k := range []string{"userknownhostsfile", "globalknownhostsfile"} {
			for f := range strings.FieldsSeq(conf.get(k)) {
				r.knownHosts = append(r.knownHosts, expand(f, d.o.Home))
			}
		}
	}
	return r
}

// sshConfig is the effective configuration for one host, by lower-case key.
type sshConfig map[string][]string

func (c sshConfig) get(k string) string {
	if v := c[k]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// check refuses what would silently connect in another way than ssh does.
func (c sshConfig) check(name string) error {
	if p := c.get("proxycommand"); p != "" && p != "none" {
		return katprep.Errorf(katprep.Invalid, "host %s: the ssh configuration wants a ProxyCommand, which katprep does not run", name).
			WithHint("use ProxyJump, or run katprep on the other side")
	}
	return nil
}

// userConfig asks the ssh program for the configuration of a host, or knows
// ssh's defaults if there is no such program.
func (d *Dialer) userConfig(ctx context.Context, name, user string, port int) (sshConfig, error) {
	if d.o.SSH == "" {
		return d.defaults(user, port), nil
	}
	if !d.sameForAll() {
		return d.askSSH(ctx, name, user, port)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := user + " " + strconv.Itoa(port)
	c := d.configs[id]
	if c == nil {
		var err error
		if c, err = d.askSSH(ctx, name, user, port); err != nil {
			return nil, err
		}
		delete(c, "hostname") // the one thing that differs
		d.configs[id] = c
	}
	return c, nil
}

// sameForAll reports whether the ssh configuration has nothing for particular
// hosts, so that asking once is enough.
func (d *Dialer) sameForAll() bool {
	d.once.Do(func() {
		if d.o.ConfigFile != "" {
			return
		}
		files, _ := filepath.Glob("/etc/ssh/ssh_config.d/*")
		files = append(files, "/etc/ssh/ssh_config")
		if d.o.Home != "" {
			files = append(files, filepath.Join(d.o.Home, ".ssh/config"))
		}
		d.same = !slices.ContainsFunc(files, namesHosts)
	})
	return d.same
}

// namesHosts reports whether a configuration file may say something about
// particular hosts: by a Host or Match block, by a %-token, or by including
// more files than the system's own.
func namesHosts(file string) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(strings.Replace(strings.ToLower(line), "=", " ", 1))
		switch {
		case len(f) == 0 || f[0][0] == '#':
		case f[0] == "host" && len(f) == 2 && f[1] == "*":
		case f[0] == "include" && len(f) == 2 && f[1] == "/etc/ssh/ssh_config.d/*.conf":
		case f[0] == "host", f[0] == "match", f[0] == "include", strings.Contains(line, "%"):
			return true
		}
	}
	return false
}

// askSSH runs "ssh -G".
func (d *Dialer) askSSH(ctx context.Context, name, user string, port int) (sshConfig, error) {
	args := []string{"-G"}
	if d.o.ConfigFile != "" {
		args = append(args, "-F", d.o.ConfigFile)
	}
	if user != "" {
		args = append(args, "-l", user)
	}
	if port != 0 {
		args = append(args, "-p", strconv.Itoa(port))
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.o.SSH, append(args, "--", name)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read the ssh configuration of %s: %s: %w", name, bytes.TrimSpace(complaints.Bytes()), err)
	}
	return parseConfig(out), nil
}

// parseConfig reads what "ssh -G" prints: "key value" lines.
func parseConfig(out []byte) sshConfig {
	c := sshConfig{}
	in := bufio.NewScanner(bytes.NewReader(out))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if k, v, ok := strings.Cut(in.Text(), " "); ok {
			k = strings.ToLower(k)
			c[k] = append(c[k], strings.TrimSpace(v))
		}
	}
	return c
}

// defaults are what ssh does without any configuration.
func (d *Dialer) defaults(user string, port int) sshConfig {
	c := sshConfig{"user": {first(user, d.o.LocalUser)}, "globalknownhostsfile": {"/etc/ssh/ssh_known_hosts"}}
	if port != 0 {
		c["port"] = []string{strconv.Itoa(port)}
	}
	if d.o.Home != "" {
		c["userknownhostsfile"] = []string{filepath.Join(d.o.Home, ".ssh/known_hosts")}
		for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
			c["identityfile"] = append(c["identityfile"], filepath.Join(d.o.Home, ".ssh/id_"+kind))
		}
	}
	return c
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// FindSSH returns the ssh program of the system, or "".
func FindSSH() string {
	for _, p := range []string{"/usr/bin/ssh", "/usr/local/bin/ssh", "/bin/ssh"} {
		if i, err := os.Stat(p); err == nil && i.Mode().IsRegular() {
			return p
		}
	}
	p, _ := exec.LookPath("ssh")
	return p
}
