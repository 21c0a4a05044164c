package all

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

// TestConfigurationNamesWhatIsBuiltIn: a type that the configuration accepts
// can be opened, and what can be opened is accepted.
func TestConfigurationNamesWhatIsBuiltIn(t *testing.T) {
	if d := cmp.Diff(config.MonitoringTypes, slices.Sorted(maps.Keys(monitors))); d != "" {
		t.Errorf("monitoring types differ: %s", d)
	}
	if d := cmp.Diff(config.HypervisorTypes, slices.Sorted(maps.Keys(hypervisors))); d != "" {
		t.Errorf("hypervisor types differ: %s", d)
	}
	if d := cmp.Diff(config.SourceTypes, slices.Sorted(maps.Keys(patchers))); d != "" {
		t.Errorf("source types differ: %s", d)
	}
}

func testOptions(asked *[]string) Options {
	return Options{
		Login: func(_ creds.Kind, name, _ string) (creds.Login, error) {
			*asked = append(*asked, name)
			return creds.Login{User: "u", Password: creds.NewSecret("p")}, nil
		},
		Path: func(p string) string { return p },
		Warn: func(string, ...any) {},
	}
}

// TestHyperVOverWinRM: a URL means WinRM, which takes a login; a host's name
// means SSH, which takes none.
func TestHyperVOverWinRM(t *testing.T) {
	for url, logins := range map[string]int{"hv1.example.com": 0, "https://hv1.example.com:5986": 1} {
		var asked []string
		s := New(&config.Config{Hypervisors: []config.System{{Name: "hv1", Type: "hyperv", URL: url}}}, testOptions(&asked))
		if system, err := s.System("hv1"); err != nil || len(asked) != logins {
			t.Errorf("%s: %T, %v, %d logins", url, system, err, len(asked))
		}
	}
	var asked []string
	s := New(&config.Config{Hypervisors: []config.System{{Name: "hv1", Type: "hyperv", URL: "http://hv1.example.com:5985"}}}, testOptions(&asked))
	if _, err := s.System("hv1"); katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
		t.Errorf("without TLS: %v", err)
	}
}

// TestSystemsAreOpenedOnceAndKeepTheirContracts opens every kind without
// sending anything.
func TestSystemsAreOpenedOnceAndKeepTheirContracts(t *testing.T) {
	urls := map[string]string{
		"alertmanager": "http://127.0.0.1:9093", "icinga1": "http://127.0.0.1/icinga", "icinga2": "https://127.0.0.1:5665",
		"livestatus": "tcp://127.0.0.1:6557", "nagios": "http://127.0.0.1/nagios4", "thruk": "http://127.0.0.1/thruk",
		"zabbix": "http://127.0.0.1/zabbix", "hyperv": "hv1.example.com", "libvirt": "test:///default",
		"proxmox": "https://127.0.0.1:8006", "vsphere": "https://127.0.0.1/sdk", "xapi": "https://127.0.0.1",
	}
	cfg := &config.Config{}
	for _, typ := range config.MonitoringTypes {
		cfg.Monitoring = append(cfg.Monitoring, config.System{Name: "m-" + typ, Type: typ, URL: urls[typ]})
	}
	for _, typ := range config.HypervisorTypes {
		cfg.Hypervisors = append(cfg.Hypervisors, config.System{Name: "h-" + typ, Type: typ, URL: urls[typ]})
	}
	var asked []string
	s := New(cfg, testOptions(&asked))
	for _, m := range s.Monitors() {
		system, err := s.System(m.Name)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		if _, ok := system.(act.Downtimer); !ok {
			t.Errorf("%s sets no downtimes", m.Name)
		}
		if _, ok := system.(act.HealthReader); !ok {
			t.Errorf("%s reads no health", m.Name)
		}
	}
	for _, h := range s.Hypervisors() {
		system, err := s.System(h.Name)
		if err != nil {
			t.Errorf("%s: %v", h.Name, err)
			continue
		}
		if _, ok := system.(act.Snapshotter); !ok {
			t.Errorf("%s makes no VM snapshots", h.Name)
		}
	}
	n := len(asked)
	if _, err := s.System(s.Monitors()[0].Name); err != nil || len(asked) != n {
		t.Errorf("opened again: asked %v, error %v", asked[n:], err)
	}
}

func TestUnknownSystem(t *testing.T) {
	var asked []string
	_, err := New(&config.Config{}, testOptions(&asked)).System("nosuch")
	if katprep.KindOf(err) != katprep.NotFound || !strings.Contains(katprep.HintOf(err), "local") {
		t.Errorf("error %v, hint %q", err, katprep.HintOf(err))
	}
}
