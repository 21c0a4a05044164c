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
