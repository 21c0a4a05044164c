package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep/internal/migrate"
)

// TestMigratedCommandsParse lets the grammar read what takes the place of old
// commands.
func TestMigratedCommandsParse(t *testing.T) {
	old := `katprep_snapshot -q -d -o ACME -E db01
katprep_snapshot -l Cologne
katprep_snapshot -g base/web
katprep_snapshot -e Prod
katprep_maintenance -n -r -k -K -t 4 -o ACME -E a -I b f prepare
katprep_maintenance -R f prepare
katprep_maintenance -n -E a -I b f execute -p
katprep_maintenance f status
katprep_maintenance f revert
katprep_maintenance f verify
katprep_maintenance f cleanup
katprep_report -x -o pdf -p out a b
katprep_parameters -n -A
katprep_parameters -R -e Prod
katprep_parameters -D
katprep_parameters -L
katprep_populate -n -u --skip-virt --skip-mon
katprep_authconfig f list
katprep_authconfig f add -H h -u u
katprep_authconfig f remove -H h
katprep_authconfig f password
`
	n := 0
	for l, err := range migrate.Lines(strings.NewReader(old)) {
		if err != nil {
			t.Fatal(err)
		}
		for _, now := range l.New {
			n++
			now = strings.NewReplacer(`"$RUN"`, "patch-1", "'", "").Replace(now)
			var c cli
			p, err := kong.New(&c, kong.Name("katprep"), kong.ExplicitGroups(groups), kong.Vars{"formats": formatNames()})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Parse(strings.Fields(now)[1:]); err != nil {
				t.Errorf("%s: %v", now, err)
			}
		}
	}
	if n < 22 {
		t.Errorf("only %d commands", n)
	}
}
