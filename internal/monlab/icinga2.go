//go:build unix

package monlab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // configuration files
	"encoding/json"
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

//go:embed icinga2.conf
var icinga2Conf string

// An Icinga2 is a running Icinga 2 with REST API and Livestatus. Its
// certificate is for "localhost" and signed by a private authority.
//
// Users, each with the password "NAME-secret": katprep (exactly the
// permissions that katprep needs), root (all), readonly, limited (only hosts
// of the group web), noschedule (no actions/schedule-downtime).
type Icinga2 struct {
	URL        string // https://localhost:PORT
	Port       int
	CAFile     string
	Socket     string // Livestatus, unix
	Livestatus string // Livestatus, host:port

	dir  string
	as   account
	args []string
	proc *process
	http *http.Client
}

// Icinga2 starts Icinga 2, or returns the one that runs.
func (l *Lab) Icinga2(t testing.TB) *Icinga2 {
	t.Helper()
	peers.Need(t, "icinga2")
	if l.icinga2 == nil {
		s, err := l.newIcinga2()
		must(t, err)
		must(t, s.Start(), filepath.Join(s.dir, "console.log"))
		l.stops = append(l.stops, s.Stop)
		l.icinga2 = s
	}
	return l.icinga2
}

func (l *Lab) newIcinga2() (*Icinga2, error) {
	dir, err := l.folder("icinga2")
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
	lsPort, err := freePort()
	if err != nil {
		return nil, err
	}
	ca, cert, key, err := certificates("Icinga CA", "localhost")
	if err != nil {
		return nil, err
	}
	s := &Icinga2{
		URL: fmt.Sprintf("https://localhost:%d", port), Port: port, CAFile: filepath.Join(dir, "lib/certs/ca.crt"),
		Socket: filepath.Join(dir, "run/cmd/livestatus"), Livestatus: fmt.Sprintf("127.0.0.1:%d", lsPort),
		dir: dir, as: as,
	}
	for _, c := range [][2]string{{"ConfigDir", "etc"}, {"DataDir", "lib"}, {"LogDir", "log"}, {"CacheDir", "cache"}, {"SpoolDir", "spool"}, {"InitRunDir", "run"}} {
		s.args = append(s.args, "-D", c[0]+"="+filepath.Join(dir, c[1]))
	}
	conf := strings.NewReplacer("@PORT@", fmt.Sprint(port), "@LIVESTATUS@", fmt.Sprint(lsPort)).Replace(icinga2Conf)
	err = write(dir, map[string]string{
		"etc/icinga2.conf": conf, "etc/objects/.keep": "",
		"lib/certs/ca.crt": ca, "lib/certs/localhost.crt": cert, "lib/certs/localhost.key": key,
		"log/crash/.keep": "", "cache/.keep": "", "spool/perfdata/.keep": "", "spool/tmp/.keep": "", "run/cmd/.keep": "",
	})
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	s.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	return s, as.own(dir)
}

// Start starts a stopped server with what it knew before.
func (s *Icinga2) Start() error {
	env := []string{"ICINGA2_USER=" + s.as.name, "ICINGA2_GROUP=" + s.as.group}
	args := append([]string{"daemon", "-c", filepath.Join(s.dir, "etc/icinga2.conf")}, s.args...)
	p, err := start(s.dir, "console.log", s.as, env, "icinga2", args...)
	if err != nil {
		return err
	}
	s.proc = p
	return wait("icinga2", 60*time.Second, func(ctx context.Context) error {
		_, err := s.call(ctx, http.MethodGet, "/v1/status/IcingaApplication", nil)
		return err
	})
}

// Stop stops the server. What was scheduled is kept.
func (s *Icinga2) Stop() {
	if s.proc != nil {
		s.http.CloseIdleConnections()
		s.proc.stop()
		s.proc = nil
	}
}

// AddHosts adds hosts n0 … with services to the configuration and restarts.
func (s *Icinga2) AddHosts(t testing.TB, prefix string, hosts, services int) {
	t.Helper()
	var b bytes.Buffer
	for h := range hosts {
		fmt.Fprintf(&b, "object Host \"%s%d\" { check_command = \"passive\"; enable_active_checks = false }\n", prefix, h)
		for n := range services {
			fmt.Fprintf(&b, "object Service \"svc%d\" { host_name = \"%s%d\"; check_command = \"passive\"; enable_active_checks = false }\n", n, prefix, h)
		}
	}
	s.AddObjects(t, prefix, b.String())
}

// AddObjects adds a file to the configuration and restarts. Its hosts may
// import "base".
func (s *Icinga2) AddObjects(t testing.TB, name, conf string) {
	t.Helper()
	path := filepath.Join(s.dir, "etc/objects", name+".conf")
	must(t, os.WriteFile(path, []byte(conf), 0o644)) // #nosec G306
	s.Stop()
	must(t, s.Start(), filepath.Join(s.dir, "console.log"))
}

// Call asks the API as root; body nil is a GET. It returns the results.
func (s *Icinga2) Call(t testing.TB, path string, body map[string]any) []map[string]any {
	t.Helper()
	rs, err := s.Ask(context.WithoutCancel(t.Context()), path, body)
	must(t, err)
	return rs
}

// Ask is Call for goroutines that must not end the test.
func (s *Icinga2) Ask(ctx context.Context, path string, body map[string]any) ([]map[string]any, error) {
	if body == nil {
		return s.call(ctx, http.MethodGet, path, nil)
	}
	return s.call(ctx, http.MethodPost, path, body)
}

// CPU is the processor time that the running server has used so far.
func (s *Icinga2) CPU() time.Duration { return s.proc.cpu() }

func (s *Icinga2) call(ctx context.Context, method, path string, body any) ([]map[string]any, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("root", "root-secret")
	req.Header.Set("Accept", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return answer.Results, nil
}
