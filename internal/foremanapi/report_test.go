package foremanapi

import (
	"slices"
	"testing"

	"github.com/stdevel/katprep"
)

func TestParseReport(t *testing.T) {
	const header = "Host,Operating System,Environment,Erratum,Type,Published,Available since,Severity,Packages,CVEs,Reboot suggested\n"
	for name, tc := range map[string]struct {
		csv  string
		rows []ReportRow
		bad  bool
	}{
		"empty":       {"", nil, false},
		"header only": {header, nil, false},
		"rows": {header + `a.example,"RHEL 9, x",dev,RHSA-1,security,2024-01-01,2024,Important,"a, b",CVE-1,true` + "\n",
			[]ReportRow{{"a.example", "RHSA-1", "security", "Important"}}, false},
		"HTML":       {"<html>proxy</html>", nil, true},
		"short line": {header + "a.example\n", nil, true},
		"bad quotes": {header + "\"a", nil, true},
	} {
		rows, err := parseReport([]byte(tc.csv))
		if (err != nil) != tc.bad || tc.bad && katprep.KindOf(err) != katprep.Corrupt || !slices.Equal(rows, tc.rows) {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add([]byte("Host,Erratum\na,b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := parseReport(b)
		if err != nil && len(rows) > 0 {
			t.Error("rows of a damaged report")
		}
	})
}
