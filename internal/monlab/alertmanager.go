//go:build unix

package monlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/stdevel/katprep/internal/peers"
)

// An Alertmanager is a running Prometheus Alertmanager that asks for basic
// authentication: user katprep, password katprep-secret.
type Alertmanager struct {
	URL string // http://127.0.0.1:PORT

	dir  string
	port int
	as   account
	proc *process
}

// Alertmanager starts an Alertmanager, or returns the one that runs.
func (l *Lab) Alertmanager(t testing.TB) *Alertmanager {
	t.Helper()
	peers.Need(t, "prometheus-alertmanager")
	if l.alertmanager == nil {
		a, err := l.newAlertmanager()
		must(t, err)
		l.stops = append(l.stops, a.Stop)
		must(t, a.Start(), filepath.Join(a.dir, "out"))
		l.alertmanager = a
	}
	return l.alertmanager
}

const alertmanagerConf = `route: { receiver: none, group_wait: 1s, group_interval: 1s, repeat_interval: 1h }
receivers: [ { name: none } ]
`

func (l *Lab) newAlertmanager() (*Alertmanager, error) {
	dir, err := l.folder("alertmanager")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("katprep-secret"), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	web := fmt.Sprintf("basic_auth_users:\n  katprep: %q\n", hash)
	as, err := accountFor("nobody")
	if err != nil {
		return nil, err
	}
	a := &Alertmanager{URL: fmt.Sprintf("http://127.0.0.1:%d", port), dir: dir, port: port, as: as}
	if err := write(dir, map[string]string{"alertmanager.yml": alertmanagerConf, "web.yml": web, "data/.keep": ""}); err != nil {
		return nil, err
	}
	return a, as.own(dir)
}

// Start starts a stopped server with what it knew before.
func (a *Alertmanager) Start() error {
	var err error
	a.proc, err = start(a.dir, "out", a.as, nil, "prometheus-alertmanager",
		"--config.file="+filepath.Join(a.dir, "alertmanager.yml"), "--storage.path="+filepath.Join(a.dir, "data"),
		"--web.config.file="+filepath.Join(a.dir, "web.yml"), fmt.Sprintf("--web.listen-address=127.0.0.1:%d", a.port), "--cluster.listen-address=")
	if err != nil {
		return err
	}
	return wait("alertmanager", 30*time.Second, func(ctx context.Context) error { return a.call(ctx, http.MethodGet, "/-/ready", nil, nil) })
}

// Stop stops the server. Silences are kept.
func (a *Alertmanager) Stop() {
	if a.proc != nil {
		a.proc.stop()
		a.proc = nil
	}
}

// Call sends JSON and reads JSON.
func (a *Alertmanager) Call(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	must(t, a.call(context.WithoutCancel(t.Context()), method, path, body, answer))
}

func (a *Alertmanager) call(ctx context.Context, method, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.SetBasicAuth("katprep", "katprep-secret")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
