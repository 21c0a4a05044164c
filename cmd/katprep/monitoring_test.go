package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/monlab"
)

var monitors monlab.Lab

// A watched is a simulated Foreman whose hosts two real monitoring systems
// know: the first by its name, the second by its address under a name that
// needs escaping everywhere, both in Icinga 2; the third in Nagios; the fourth
// in none.
type watched struct {
	land   *landscape.Server
	names  []string
	icinga *monlab.Icinga2
	nagios *monlab.Nagios4
	dir    string
	env    []string
}

const oddObject = `the "2nd"; wärter & son`

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{
		land:   landscape.New(landscape.Options{Hosts: 4, NoSelf: true, Speed: 1, Start: time.Now(), Hurry: 1000}),
		icinga: monitors.Icinga2(t), nagios: monitors.Nagios4(t, monlab.Nagios4Options{}), dir: t.TempDir(),
	}
	w.names = w.land.Names()
	second, _ := w.land.Truth(w.names[1])
	w.icinga.AddObjects(t, "watched", fmt.Sprintf(`
object Host %q { check_command = "passive"; enable_active_checks = false }
object Service "http" { host_name = %[1]q; check_command = "passive"; enable_active_checks = false }
object Host %q { check_command = "passive"; enable_active_checks = false; address = %q }
object Service "a \"b\"; ö" { host_name = %[2]q; check_command = "passive"; enable_active_checks = false }
`, w.names[0], oddObject, second.IP))
	w.nagios.AddObjects(t, "watched", fmt.Sprintf("define host {\n use base\n host_name %s\n address 192.0.2.250\n}\ndefine service {\n use sbase\n host_name %[1]s\n service_description disk\n check_command say!0!DISK OK\n}\n", w.names[2]))
	srv := httptest.NewServer(w.land)
	t.Cleanup(srv.Close)
	w.env = []string{
		"HOME=" + w.dir, "NO_COLOR=1", "USER=anna", "KATPREP_ETC=" + w.dir,
		"KATPREP_CREDENTIAL_SAT_USER=admin", "KATPREP_CREDENTIAL_SAT_PASSWORD=changeme",
		"KATPREP_CREDENTIAL_WRONG_USER=katprep", "KATPREP_CREDENTIAL_WRONG_PASSWORD=hunter2",
	}
	for name, user := range map[string]string{"ICINGA": "katprep", "NAGIOS": "nagiosadmin", "LAME": "noremove"} {
		w.env = append(w.env, "KATPREP_CREDENTIAL_"+name+"_USER="+user, "KATPREP_CREDENTIAL_"+name+"_PASSWORD="+user+"-secret")
	}
	w.configure(t, srv.URL, "katprep.yml", "ICINGA, NAGIOS")
	w.configure(t, srv.URL, "bad.yml", "ICINGA, WRONG, LAME, GONE, FAST")
	return w
}

// configure writes a configuration with the named monitoring systems.
func (w *watched) configure(t *testing.T, foreman, file, systems string) {
	t.Helper()
	text := fmt.Sprintf("archive: {path: a.git}\nsources:\n  - {name: sat, type: foreman, url: %q, credential: sat}\nmonitoring:\n", foreman)
	for _, name := range strings.Split(strings.ToLower(systems), ", ") {
		switch name {
		case "nagios":
			text += fmt.Sprintf("  - {name: nagios, type: nagios, url: %q, credential: nagios}\n", w.nagios.URL)
		case "fast":
			text += fmt.Sprintf("  - {name: fast, type: icinga2, url: %q, insecure: true, credential: icinga}\n", fastServer(t))
		case "gone":
			text += "  - {name: gone, type: icinga2, url: \"https://127.0.0.1:1\", credential: icinga, timeout: 5s}\n"
		default:
			text += fmt.Sprintf("  - {name: %s, type: icinga2, url: %q, ca_file: %q, credential: %[1]s}\n", name, w.icinga.URL, w.icinga.CAFile)
		}
	}
	text += "maintenance:\n  vm_snapshot: never\n  reboot: never\n  downtime: 1h\n  settle: 1ms\n  on_failure: continue\n  waves:\n    - {name: canary, hosts: [" + w.names[0] + "], gate: health}\n"
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fastServer is the URL of a fake Icinga 2 whose clock is five minutes fast:
// nobody sets a real one.
func fastServer(t *testing.T) string {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1" {
			fmt.Fprint(w, `{"results":[{"user":"u","version":"r2.15.0-1","permissions":["*"]}]}`)
			return
		}
		fmt.Fprintf(w, `{"results":[{"status":{"uptime":100}},{"status":{"icingaapplication":{"app":{"program_start":%d}}}}]}`, time.Now().Unix()+300-100)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (w *watched) katprep(t *testing.T, config string, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), append([]string{"--config", filepath.Join(w.dir, config)}, args...), streams{strings.NewReader(""), &out, &out}, w.env)
	return out.String(), code
}

// must runs katprep and compares its exit code and its words.
func (w *watched) must(t *testing.T, code int, says []string, args ...string) {
	t.Helper()
	began := time.Now()
	out, got := w.katprep(t, "katprep.yml", args...)
	t.Logf("%6.2f s  katprep %s", time.Since(began).Seconds(), strings.Join(args, " "))
	if got != code {
		t.Fatalf("katprep %v: code %d, want %d:\n%s", args, got, code, out)
	}
	for _, s := range says {
		if !regexp.MustCompile(s).MatchString(out) {
			t.Errorf("katprep %v: no %q in\n%s", args, s, out)
		}
	}
}

// result gives a service in Icinga 2 a state.
func (w *watched) result(t *testing.T, service string, state int) {
	t.Helper()
	w.icinga.Call(t, "/v1/actions/process-check-result", map[string]any{"type": "Service", "service": service, "exit_status": state, "plugin_output": "set"})
}

// downtimes counts the run's downtimes in Icinga 2, services included.
func (w *watched) downtimes(t *testing.T, prefix string) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, d := range w.icinga.Call(t, "/v1/objects/downtimes", nil) {
		if a := d["attrs"].(map[string]any); strings.HasPrefix(a["comment"].(string), prefix) {
			n[a["host_name"].(string)]++
		}
	}
	return n
}

// TestMonitoring uses real monitoring systems as a user does: look whether
// they can be used, fill in the parameters, and take a mixed landscape through
// a run.
func TestMonitoring(t *testing.T) {
	w := watch(t)
	t.Run("check", w.check)
	t.Run("populate", w.populate)
	t.Run("run", w.wholeRun)
}

func (w *watched) check(t *testing.T) {
	w.must(t, 0, []string{
		"✓ icinga  Icinga 2 2\\.", "as katprep\n", "certificate valid until 20", "✓ nagios  Nagios Core 4\\.", "as nagiosadmin\n",
	}, "config", "check", "--connect")
	out, code := w.katprep(t, "bad.yml", "config", "check", "--connect")
	for _, s := range []string{
		"✓ icinga  ", "✗ wrong  .*refuses user", "✗ gone  .*127.0.0.1:1", "✓ lame  Icinga 2", "! missing: actions/remove-downtime\n", "2 of 6 systems cannot be used",
		"✓ fast .*\n(  .*\n)*  ! its clock differs from this machine's by (4m59|5m[012])s",
	} {
		if !regexp.MustCompile(s).MatchString(out) {
			t.Errorf("no %q in\n%s", s, out)
		}
	}
	if code == 0 || strings.Contains(out, "hunter2") || strings.Contains(out, "-secret") {
		t.Errorf("code %d, or it tells a password:\n%s", code, out)
	}
}

func (w *watched) populate(t *testing.T) {
	w.must(t, 0, []string{
		regexp.QuoteMeta("+ " + w.names[0] + "  katprep_mon: – → \"icinga\""), `monitoring: unmatched`, regexp.QuoteMeta(w.names[3]),
	}, "populate", "--skip-hypervisors")
	for i, want := range []struct{ mon, name string }{{"icinga", ""}, {"icinga", oddObject}, {"nagios", ""}, {"", ""}} {
		host := w.names[i]
		if got := parameter(w.land, host, "katprep_mon"); got != want.mon {
			t.Errorf("%s: katprep_mon is %q, want %q", host, got, want.mon)
		}
		if got := parameter(w.land, host, "katprep_mon_name"); got != want.name && got != host {
			t.Errorf("%s: katprep_mon_name is %q, want %q", host, got, want.name)
		}
	}
	w.land.SetParameter(w.names[2], "katprep_mon_type", "icinga") // says nothing any more
	w.land.SetParameter(w.names[3], "katprep_mon", "none")
}

func (w *watched) wholeRun(t *testing.T) {
	now := time.Now().Unix()
	w.icinga.Call(t, "/v1/actions/schedule-downtime", map[string]any{
		"type": "Host", "host": w.names[0], "author": "katprep", "comment": "rack move", "start_time": now, "end_time": now + 3600, "fixed": true,
	})
	w.result(t, w.names[0]+"!http", 0)
	w.must(t, 0, nil, "init", "--no-config")
	w.must(t, 0, nil, "snapshot", "--before", "nov")
	w.must(t, 0, []string{"no downtime: katprep_mon says so", `set a downtime of 1h0m0s for the "2nd"; wärter & son and its services in icinga`}, "-v", "maintenance", "plan", "nov")
	w.must(t, 0, []string{"no obstacle"}, "maintenance", "check", "nov")
	w.must(t, 0, []string{"prepared"}, "maintenance", "prepare", "nov")
	if got := w.downtimes(t, "katprep-nov "); got[w.names[0]] != 2 || got[oddObject] != 2 || len(got) != 2 {
		t.Errorf("downtimes in Icinga 2: %v", got)
	}

	w.result(t, w.names[0]+"!http", 2)
	w.must(t, 3, []string{"worse than before: http is critical", "canary is not healthy"}, "maintenance", "run", "nov")
	if got := w.downtimes(t, "katprep-nov "); got[w.names[0]] != 2 {
		t.Errorf("an unhealthy host lost its downtime: %v", got)
	}
	w.result(t, w.names[0]+"!http", 0)
	w.nagios.StopCore()
	if err := w.nagios.StartCore(); err != nil {
		t.Fatal(err)
	}
	w.must(t, 0, []string{"cleaned"}, "maintenance", "run", "nov")
	if got := w.downtimes(t, "katprep-"); len(got) != 0 {
		t.Errorf("downtimes are left: %v", got)
	}
	if got := w.downtimes(t, "rack move"); got[w.names[0]] != 1 {
		t.Error("somebody else's downtime is gone")
	}
	out, _ := w.katprep(t, "katprep.yml", "--output", "json", "maintenance", "status", "nov")
	if strings.Count(out, `"state":"cleaned"`) != 3 || strings.Count(out, `"state":"verified"`) != 1 {
		t.Errorf("status:\n%s", out)
	}
}
