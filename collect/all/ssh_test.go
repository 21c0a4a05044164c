package all

import (
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/config"
)

func TestSSHSources(t *testing.T) {
	local := config.Source{Name: "here", Type: "direct"}
	for what, c := range map[string]struct {
		s    config.Source
		kind katprep.Kind
		ok   bool
	}{
		"named":          {config.Source{Name: "dmz", Type: "ssh", Hosts: []string{"a"}}, 0, true},
		"another source": {config.Source{Name: "dmz", Type: "ssh", Inventory: "source:here"}, 0, true},
		"itself":         {config.Source{Name: "dmz", Type: "ssh", Inventory: "source:dmz"}, katprep.Invalid, false},
		"nowhere":        {config.Source{Name: "dmz", Type: "ssh", Inventory: "source:x"}, katprep.Invalid, false},
		"an option":      {config.Source{Name: "dmz", Type: "ssh", Hosts: []string{"-oProxyCommand=x"}}, katprep.Invalid, false},
		"no feed":        {config.Source{Name: "dmz", Type: "ssh", Hosts: []string{"a"}, Feeds: []string{"/no/such/feed"}}, katprep.Invalid, false},
	} {
		cfg := &config.Config{Sources: []config.Source{local, c.s}}
		got, err := Open(cfg, Options{Path: func(p string) string { return p }})
		if c.ok != (err == nil) || err != nil && katprep.KindOf(err) != c.kind || c.ok && len(got) != 2 {
			t.Errorf("%s: %v", what, err)
		}
	}
}
