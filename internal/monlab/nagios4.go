//go:build unix

package monlab

import (
	"bufio"
	"context"
	_ "embed" // configuration files
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/peers"
)

//go:embed nagios4.cfg
var nagios4Conf string

//go:embed nagios4-objects.cfg
var nagios4Objects string

//go:embed nagios4-apache.conf
var nagios4Apache string

// A Nagios4 is a running Nagios Core 4 with its CGIs behind Apache.
//
// Users, each with the password "NAME-secret": nagiosadmin (all), readonly,
// webteam (contact of web01 only), stranger (no contact).
type Nagios4 struct {
	URL string // http://127.0.0.1:PORT/nagios4

	dir    string
	as     account
	env    []string
	core   *process
	apache *process
}

// Nagios4Options are the settings that change how commands must be sent.
type Nagios4Options struct {
	DateFormat string // us, euro, iso8601, strict-iso8601; "": us
	TZ         string // "": UTC
	Digest     bool   // digest instead of basic authentication
}

var nagiosUsers = []string{"nagiosadmin", "readonly", "webteam", "stranger"}

// Nagios4 starts a Nagios, or returns the one that runs with these options.
func (l *Lab) Nagios4(t testing.TB, o Nagios4Options) *Nagios4 {
	t.Helper()
	for _, p := range []string{"/usr/sbin/nagios4", "/usr/sbin/apache2", "/usr/lib/cgi-bin/nagios4/cmd.cgi"} {
		if _, err := os.Stat(p); err != nil {
			peers.Missing(t, p+" is not installed")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nagios4 == nil {
		l.nagios4 = map[Nagios4Options]*Nagios4{}
	}
	if l.nagios4[o] == nil {
		n, err := l.newNagios4(o)
		must(t, err)
		l.stops = append(l.stops, n.Stop)
		must(t, n.start(), filepath.Join(n.dir, "nagios.out"), filepath.Join(n.dir, "apache.out"), filepath.Join(n.dir, "log/apache-error.log"))
		l.nagios4[o] = n
	}
	return l.nagios4[o]
}

func (l *Lab) newNagios4(o Nagios4Options) (*Nagios4, error) {
	dir, err := l.folder(fmt.Sprintf("nagios4-%d", len(l.nagios4)))
	if err != nil {
		return nil, err
	}
	as, err := accountFor("nagios")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	format, tz, auth, hash := o.DateFormat, o.TZ, "Basic", basicUser
	if format == "" {
		format = "us"
	}
	if tz == "" {
		tz = "UTC"
	}
	if o.Digest {
		auth, hash = "Digest", digestUser
	}
	fill := strings.NewReplacer("@DIR@", dir, "@PORT@", fmt.Sprint(port), "@USER@", as.name, "@GROUP@", as.group,
		"@FORMAT@", format, "@AUTH@", auth, "@MODULE@", strings.ToLower(auth), "@TZ@", tz)
	var users strings.Builder
	for _, u := range nagiosUsers {
		users.WriteString(hash(u, u+"-secret"))
	}
	main, cgi, _ := strings.Cut(nagios4Conf, "# cgi.cfg\n")
	err = write(dir, map[string]string{
		"etc/nagios.cfg": fill.Replace(main), "etc/cgi.cfg": fill.Replace(cgi), "etc/objects.cfg": fill.Replace(nagios4Objects),
		"etc/apache2.conf": fill.Replace(nagios4Apache), "etc/passwd": users.String(),
		"var/spool/.keep": "", "var/archives/.keep": "", "rw/.keep": "", "run/.keep": "", "log/.keep": "", "tmp/.keep": "", "etc/more/.keep": "",
	})
	if err != nil {
		return nil, err
	}
	n := &Nagios4{URL: fmt.Sprintf("http://127.0.0.1:%d/nagios4", port), dir: dir, as: as, env: []string{"TZ=" + tz, "APACHE_RUN_DIR=" + dir + "/run"}}
	return n, as.own(dir)
}

func (n *Nagios4) start() error {
	var err error
	if n.apache, err = start(n.dir, "apache.out", n.as, n.env, "/usr/sbin/apache2", "-d", n.dir, "-f", filepath.Join(n.dir, "etc/apache2.conf"), "-D", "FOREGROUND"); err != nil {
		return err
	}
	return n.StartCore()
}

// StartCore starts the core, whose CGIs run all the time.
func (n *Nagios4) StartCore() error {
	var err error
	if n.core, err = start(n.dir, "nagios.out", n.as, n.env, "/usr/sbin/nagios4", filepath.Join(n.dir, "etc/nagios.cfg")); err != nil {
		return err
	}
	// The status file is written before the command file is there.
	return wait("nagios4", 30*time.Second, func(ctx context.Context) error {
		if _, err := os.Stat(filepath.Join(n.dir, "rw/nagios.cmd")); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(n.dir, "var/status.dat")); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+"/cgi-bin/statusjson.cgi?query=programstatus", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// StopCore stops the core; its CGIs go on.
func (n *Nagios4) StopCore() {
	if n.core != nil {
		n.core.stop()
		n.core = nil
	}
}

// AddObjects adds a file to the configuration and restarts the core. Its
// hosts may use "base", its services "sbase".
func (n *Nagios4) AddObjects(t testing.TB, name, conf string) {
	t.Helper()
	must(t, write(n.dir, map[string]string{"etc/more/" + name + ".cfg": conf}))
	n.StopCore()
	must(t, n.StartCore(), filepath.Join(n.dir, "nagios.out"), filepath.Join(n.dir, "log/nagios.log"))
}

// KillCore makes the core look alive: its status and command files stay, but
// nobody reads the commands.
func (n *Nagios4) KillCore(t testing.TB) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join(n.dir, "var/status.dat"))
	must(t, err)
	n.StopCore()
	must(t, write(n.dir, map[string]string{"var/status.dat": string(status)}))
	_ = os.Remove(filepath.Join(n.dir, "rw/nagios.cmd"))
	must(t, fifo(filepath.Join(n.dir, "rw/nagios.cmd")))
	must(t, n.as.own(n.dir))
}

// Swallow reads the commands that nobody else reads after KillCore, as a core
// does that ends before it obeys them, and returns when there were so many.
func (n *Nagios4) Swallow(t testing.TB, commands int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(n.dir, "rw/nagios.cmd"), os.O_RDWR, 0) // both: it does not wait for a writer
	must(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	for range commands {
		if !lines.Scan() {
			must(t, fmt.Errorf("commands of nagios: %w", lines.Err()))
		}
	}
}

// ReviveCore ends KillCore.
func (n *Nagios4) ReviveCore(t testing.TB) {
	t.Helper()
	must(t, os.Remove(filepath.Join(n.dir, "rw/nagios.cmd")))
	must(t, n.StartCore())
}

// Stop stops everything.
func (n *Nagios4) Stop() {
	if n.apache != nil {
		n.apache.stop()
		n.apache = nil
	}
	n.StopCore()
}

// Command writes an external command, as an administrator's script does.
func (n *Nagios4) Command(t testing.TB, format string, args ...any) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(n.dir, "rw/nagios.cmd"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	_, err = io.WriteString(f, fmt.Sprintf("[%d] %s\n", time.Now().Unix(), fmt.Sprintf(format, args...)))
	must(t, err)
}
