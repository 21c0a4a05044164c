package sshsource

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/sshx"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "hosts.ini"), []byte("[web]\nb ansible_user=deploy\nc\n"), 0o600)
	path := func(p string) string { return filepath.Join(dir, p) }
	hosts, d, err := Open(config.Source{Hosts: []string{"root@B", "d:2222"}, Inventory: "hosts.ini", User: "katprep"}, sshx.Options{}, path)
	if err != nil || d == nil || len(hosts) != 3 || hosts[0].Name != "B" || hosts[0].User != "root" || hosts[1].Name != "c" || hosts[1].Group != "web" || hosts[2].Port != 2222 {
		t.Errorf("%+v, %v", hosts, err)
	}
	if hosts, _, err := Open(config.Source{Inventory: "source:sat"}, sshx.Options{}, path); err != nil || len(hosts) != 0 {
		t.Errorf("hosts of another source: %v, %v", hosts, err)
	}
	if name, ok := From(config.Source{Inventory: "source:sat"}); !ok || name != "sat" {
		t.Errorf("from %q, %v", name, ok)
	}
	for what, s := range map[string]config.Source{
		"option":       {Hosts: []string{"-oProxyCommand=x"}},
		"no inventory": {Inventory: "missing"},
		"user":         {Hosts: []string{"a"}, User: "-l"},
		"port":         {Hosts: []string{"a"}, Port: 70000},
	} {
		if _, _, err := Open(s, sshx.Options{}, path); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
