package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/term"
)

// leftoverServer answers as Proxmox VE does, as far as leftovers need it: one
// VM with an old snapshot of ours and one of somebody else.
func leftoverServer(t *testing.T) (url string, deleted func() []string) {
	t.Helper()
	var mu sync.Mutex
	var gone []string
	answer := func(w http.ResponseWriter, data any) { json.NewEncoder(w).Encode(map[string]any{"data": data}) }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch path := strings.TrimPrefix(r.URL.Path, "/api2/json"); {
		case path == "/cluster/resources":
			answer(w, []any{map[string]any{"vmid": 100, "node": "pve1", "name": "web01", "type": "qemu", "status": "running"}})
		case r.Method == http.MethodDelete:
			gone = append(gone, filepath.Base(path))
			answer(w, "UPID:pve1:1:")
		case strings.Contains(path, "/tasks/"):
			answer(w, map[string]string{"status": "stopped", "exitstatus": "OK"})
		case strings.HasSuffix(path, "/snapshot"):
			rows := []any{map[string]any{"name": "theirs", "description": "before the upgrade", "snaptime": 1}}
			if len(gone) == 0 {
				rows = append(rows, map[string]any{"name": "katprep-2026-10", "description": "katprep: katprep-2026-10 (running)\n", "snaptime": time.Now().Add(-100 * time.Hour).Unix()})
			}
			answer(w, rows)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string { mu.Lock(); defer mu.Unlock(); return gone }
}

func leftoverApp(t *testing.T, url string) (a *app, out *bytes.Buffer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "katprep.yml")
	text := fmt.Sprintf("hypervisors:\n  - {name: pve, type: proxmox, url: %q}\n", url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out = &bytes.Buffer{}
	env := map[string]string{"KATPREP_CREDENTIAL_PVE_USER": "katprep@pve!t", "KATPREP_CREDENTIAL_PVE_PASSWORD": "secret"}
	a = newApp(t.Context(), &cli{Config: file}, term.New(term.Options{Out: out, Err: &bytes.Buffer{}}), streams{strings.NewReader(""), out, &bytes.Buffer{}}, env)
	t.Cleanup(a.close)
	return a, out
}

func TestLeftovers(t *testing.T) {
	url, deleted := leftoverServer(t)
	a, out := leftoverApp(t, url)
	if err := (&leftoversCmd{}).Run(a); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "katprep-2026-10") || !strings.Contains(s, "older than the limit") || strings.Contains(s, "theirs") || len(deleted()) > 0 {
		t.Errorf("listed:\n%s, deleted %v", s, deleted())
	}
	a, out = leftoverApp(t, url)
	if err := (&leftoversCmd{OlderThan: "7d"}).Run(a); err != nil || strings.Contains(out.String(), "katprep-2026-10") {
		t.Errorf("older than a week: %v\n%s", err, out)
	}
	a, _ = leftoverApp(t, url)
	if err := (&leftoversCmd{Remove: true}).Run(a); katprep.KindOf(err) != katprep.Invalid || len(deleted()) > 0 {
		t.Errorf("not confirmed: %v, deleted %v", err, deleted())
	}
	a, out = leftoverApp(t, url)
	if err := (&leftoversCmd{Remove: true, Yes: true}).Run(a); err != nil || !strings.Contains(out.String(), "removed") {
		t.Errorf("removed: %v\n%s", err, out)
	}
	if got := deleted(); len(got) != 1 || got[0] != "katprep-2026-10" {
		t.Errorf("deleted %v", got)
	}
}

func TestLeftoversOfADeadHypervisor(t *testing.T) {
	a, _ := leftoverApp(t, "http://127.0.0.1:1")
	if err := (&leftoversCmd{}).Run(a); katprep.KindOf(err) != katprep.Partial {
		t.Errorf("%v", err)
	}
}
