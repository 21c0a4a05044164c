package migrate

import (
	"slices"
	"strings"
	"testing"
)

func lines(t *testing.T, text string) []Line {
	t.Helper()
	var all []Line
	for l, err := range Lines(strings.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func TestCommands(t *testing.T) {
	for old, want := range map[string]struct {
		now  []string
		note string // part of one note
	}{
		"katprep_snapshot -q -o ACME -p /srv": {[]string{"katprep snapshot --quiet --org ACME"}, "archive.path"},
		"katprep_snapshot -E db01 -E db02":    {[]string{"katprep snapshot --exclude db01 --exclude db02"}, "--before RUN"},
		"katprep_snapshot -g 7":               {[]string{"katprep snapshot --group 7"}, "taken for an ID"},
		"katprep_snapshot --location='a b'":   {[]string{"katprep snapshot --location 'a b'"}, ""},
		"katprep_snapshot -C a.auth -Psecret": {[]string{"katprep snapshot"}, "no password belongs"},
		"katprep_snapshot --insecure":         {[]string{"katprep snapshot"}, "ca_file"},
		"katprep_snapshot --mgmt-type uyuni":  {[]string{"katprep snapshot"}, "uyuni"},
		"katprep_maintenance -R -t 4 f.json prepare": {[]string{
			`katprep maintenance plan "$RUN" --reboot never --downtime 4h`, `katprep maintenance prepare "$RUN"`}, "-R did the opposite"},
		"katprep_maintenance -r -k -K -e Prod f.json prepare": {[]string{
			`katprep maintenance plan "$RUN" --reboot always --vm-snapshot never --no-downtime --env Prod`, `katprep maintenance prepare "$RUN"`}, "the file f.json"},
		"katprep_maintenance -S f.json prepare":                                {[]string{`katprep maintenance plan "$RUN"`, `katprep maintenance prepare "$RUN"`}, "-S never restricted"},
		"katprep_maintenance -I 'web*' f.json execute -p":                      {[]string{`katprep maintenance execute "$RUN" --host '*web*'`}, "frozen in its plan: katprep maintenance plan \"$RUN\" --updates"},
		"katprep_maintenance -E db%1 f.json verify":                            {[]string{`katprep maintenance verify "$RUN" --exclude '*db1*'`}, "anywhere in a name"},
		"katprep_maintenance f.json execute":                                   {[]string{`katprep maintenance execute "$RUN"`}, "never rebooted"},
		"katprep_maintenance -n f.json cleanup":                                {[]string{`katprep maintenance cleanup "$RUN" --dry-run`}, ""},
		"katprep_maintenance f.json revert":                                    {[]string{`katprep maintenance revert "$RUN"`}, "--yes"},
		"katprep_maintenance f.json status":                                    {[]string{`katprep maintenance status "$RUN"`}, ""},
		"katprep_maintenance -c x --mon-type icinga --virt-uri u f verify":     {[]string{`katprep maintenance verify "$RUN"`}, "--mon-type never did anything"},
		"katprep_maintenance f.json execute --include-patches 1":               {[]string{`katprep maintenance execute "$RUN"`}, "--erratum"},
		"katprep_maintenance f.json":                                           {nil, "the command is missing"},
		"katprep_maintenance f.json dance":                                     {nil, `"dance" is no command`},
		"katprep_maintenance -S foreman f.json verify":                         {nil, `"f.json" is no command`}, // the documented line that never worked
		"katprep_report -p /srv -o html a.json b.json":                         {[]string{`katprep report --run "$RUN" -o /srv -f html`}, "katprep archive import a.json b.json"},
		"katprep_report -x -t t.html a b":                                      {[]string{`katprep report --run "$RUN" -o . -f json --template t.html`}, "--template FILE"},
		"katprep_report -o tmp a b":                                            {[]string{`katprep report --run "$RUN" -o .`}, "no such format"},
		"katprep_parameters -n -A":                                             {[]string{"katprep parameters add --known --dry-run --all-hosts"}, ""},
		"katprep_parameters -R -l Cologne":                                     {[]string{"katprep parameters remove katprep_mon katprep_virt katprep_virt_snapshot --location Cologne"}, ""},
		"katprep_parameters -D -n":                                             {[]string{"katprep parameters show"}, ""},
		"katprep_parameters -L":                                                {[]string{"katprep parameters list"}, ""},
		"katprep_parameters -U":                                                {nil, "parameters set NAME=VALUE"},
		"katprep_parameters --add-optional-parameters":                         {nil, "the option crashed"},
		"katprep_populate -nu --skip-virt --ipv6-only":                         {[]string{"katprep populate --dry-run --update --skip-hypervisors"}, "--ipv6-only never matched"},
		"katprep_authconfig c.auth list -a":                                    {[]string{"katprep auth list"}, "never shown"},
		"katprep_authconfig c.auth add -H sat -u admin -p x":                   {[]string{"katprep auth add sat --user admin"}, "change it"},
		"katprep_authconfig c.auth remove -H sat":                              {[]string{"katprep auth remove sat"}, "once: katprep auth import c.auth"},
		"katprep_authconfig c.auth password -p x":                              {[]string{"katprep auth password"}, ""},
		"katprep_snapshot --frobnicate":                                        {[]string{"katprep snapshot"}, "--frobnicate: katprep 0.x had no such option"},
		"katprep_snapshot -o":                                                  {[]string{"katprep snapshot"}, "its value is missing"},
		"0 5 * * 1 root /usr/bin/katprep_snapshot.py -o \"$ORG\" >/tmp/x 2>&1": {[]string{`katprep snapshot --org "$ORG"`}, ""},
	} {
		got := lines(t, old)
		if len(got) != 1 {
			t.Errorf("%s: %d commands", old, len(got))
			continue
		}
		if !slices.Equal(got[0].New, want.now) {
			t.Errorf("%s\n got %q\nwant %q", old, got[0].New, want.now)
		}
		if !strings.Contains(strings.Join(got[0].Notes, "\n"), want.note) {
			t.Errorf("%s: no note %q in %q", old, want.note, got[0].Notes)
		}
	}
}

func TestFiles(t *testing.T) {
	got := lines(t, "# katprep_snapshot in a comment\n\nkatprep_snapshot \\\n  -o ACME && katprep_maintenance f prepare\necho done; katprep_report a b | logger\n")
	if len(got) != 3 || got[0].Number != 3 || got[0].Old != "katprep_snapshot -o ACME" || got[1].Number != 3 || got[2].Number != 5 || got[2].Old != "katprep_report a b" {
		t.Errorf("%+v", got)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for _, old := range []string{
		"katprep_snapshot -P hunter2", "katprep_snapshot -Phunter2", "katprep_snapshot --auth-password=hunter2",
		"katprep_snapshot -P 'hunter2'", "katprep_snapshot --auth-password='hunter2'", "katprep_authconfig f add -p hunter2", `katprep_snapshot -P"hunter2"`,
	} {
		for _, l := range lines(t, old) {
			if all := strings.Join(append(append(l.New, l.Notes...), l.Old), "\n"); strings.Contains(all, "hunter2") || !strings.Contains(l.Old, "…") {
				t.Errorf("%s is shown as %s", old, all)
			}
		}
	}
}

// TestCalls: old commands are found however they are called, and what is not
// understood is named.
func TestCalls(t *testing.T) {
	for old, want := range map[string][2]string{
		`0 5 * * * root /usr/bin/python2 /opt/katprep/katprep/maintenance.py -k f.json cleanup`: {`katprep maintenance cleanup "$RUN"`, ""},
		`python -m katprep.cli.snapshot -o ACME`:                                                {"katprep snapshot --org ACME", ""},
		`su - patch -c "katprep_snapshot -o 'ACME Corp'"`:                                       {"katprep snapshot --org 'ACME Corp'", ""},
		`out=$(katprep_snapshot -P hunter2 --auth-password=hunter2)`:                            {"", "not translated"},
		`out=$(katprep_snapshot -o ACME)`:                                                       {"", "not translated"},
		`FOREMAN_LOGIN=a FOREMAN_PASSWORD=hunter2 katprep_snapshot`:                             {"katprep snapshot", "FOREMAN_LOGIN, FOREMAN_PASSWORD: still read"},
		`export SATELLITE_PASSWORD=hunter2`:                                                     {"", "SATELLITE_PASSWORD: still read"},
		`X_PASSWORD=hunter2 x=$(FOREMAN_PASSWORD=hunter2 katprep_report)`:                       {"", "not translated"},
		`katprep_maintenance -r -R f.json prepare`:                                              {`katprep maintenance plan "$RUN" --reboot never`, "-r with -R"},
		`katprep_snapshot -E db* -E $X`:                                                         {`katprep snapshot --exclude 'db*' --exclude "$X"`, "took this for a whole name"},
		`katprep_authconfig -P hunter2 f list`:                                                  {"katprep auth list", "had no such option"},
		`katprep_report -t x.html -o pdf a b`:                                                   {`katprep report --run "$RUN" -o . --template x.html -f pdf`, "templates write text"},
	} {
		got := lines(t, old)
		if len(got) != 1 || strings.Join(append(got[0].New, ""), "\n") != strings.TrimPrefix(want[0]+"\n", "\n") && !strings.HasPrefix(strings.Join(got[0].New, "\n"), want[0]) {
			t.Errorf("%s: %+v", old, got)
			continue
		}
		if all := got[0].Old + strings.Join(got[0].Notes, "\n"); !strings.Contains(all, want[1]) || strings.Contains(all, "hunter2") || want[0] == "" && len(got[0].New) > 0 {
			t.Errorf("%s: %s", old, all)
		}
	}
	for _, other := range []string{"echo hello", "# katprep_snapshot", "vi /etc/katprep_snapshot.conf", "MAILTO=root"} {
		if got := lines(t, other); len(got) != 0 {
			t.Errorf("%s: %+v", other, got)
		}
	}
}

func TestSystemsGoIntoTheConfiguration(t *testing.T) {
	got := lines(t, "katprep_populate -s sat.example.com --virt-uri vc.example.com --virt-type pyvmomi --mon-url https://ic:5665")
	want := []string{
		`sources: [{name: satellite, type: foreman, url: "https://sat.example.com", credential: satellite}]`,
		`hypervisors: [{name: hypervisor, type: vsphere, url: "https://vc.example.com", credential: hypervisor}]`,
		`monitoring: [{name: monitoring, type: icinga2, url: "https://ic:5665", credential: monitoring}]`,
	}
	if len(got) != 1 || !slices.Equal(got[0].Config, want) {
		t.Errorf("%+v", got)
	}
}

func TestTemplate(t *testing.T) {
	for old, want := range map[string]string{
		"# $params.name$": "# {{.Host.Name}}",
		"${params.ip}":    "{{.Host.Facts.IP}}",
		"$for(errata)$$errata.errata_id$ $errata.summary$ on $params.name$$endfor$": `{{range .Host.Errata}}{{if or (eq .Ending "installed") (eq .Ending "reboot-pending")}}{{.ID}} {{($.Erratum .ID).Summary}} on {{$.Host.Name}}{{end}}{{end}}`,
		"$if(params.owner)$x$else$y$endif$":                                         "{{if .Host.Facts.Owner}}x{{else}}y{{end}}",
		"costs 5$ or $$9":                                                           "costs 5$ or $9",
		"{{x}}":                                                                     "{{`{{`}}x}}",
		"$verification.virt_snapshot$":                                              `{{(.Step "vm-snapshot").Done}}`,
		"$if(verification.mon_cleanup)$x$endif$":                                    `{{if (.Step "end-downtime").Done}}x{{end}}`,
		"$if(verification.mon_status)$$verification.mon_status$$endif$":             `{{if (.Step "check.services").Done}}{{(.Step "check.services").Outcome.Text}}{{end}}`,
		"$verifications.virt_cleanup$":                                              `{{(.Step "remove-vm-snapshot").Done}}`,
		"$for(errata)$$for(errata.cves)$$errata.cves.cve_id$ $endfor$$params.ip$$endfor$$params.ip$": `{{range .Host.Errata}}{{if or (eq .Ending "installed") (eq .Ending "reboot-pending")}}{{range .CVEs}}{{.}} {{end}}{{$.Host.Facts.IP}}{{end}}{{end}}{{.Host.Facts.IP}}`,
		"$for(patches)$$patches.name$$endfor$$hostname$":                                             `{{range .Host.Errata}}{{if or (eq .Ending "installed") (eq .Ending "reboot-pending")}}{{.ID}}{{end}}{{end}}{{.Host.Name}}`,
		"$for(other)$$x$$endfor$": "{{if false}}{{/* for other */}}{{/* x */}}{{end}}",
		"$params.katprep_virt$":   `{{param .Host "katprep_virt"}}`,
		"$errata.title$":          "{{/* errata.title */}}",
	} {
		if got, _ := Template(old); got != want {
			t.Errorf("%s\n got %s\nwant %s", old, got, want)
		}
	}
	for old, want := range map[string]string{
		"$verification.mon_status$": "confirmed by the system", "$verification.nosuch$": "no equivalent", "$errata.id$": "errata.errata_id", "$if(params.ip)$": "not closed", "$endif$": "closes nothing",
		"$for(errata)$$errata.hosts_applicable_count$$endfor$": "number of that moment",
	} {
		if _, notes := Template(old); !strings.Contains(strings.Join(notes, "\n"), want) {
			t.Errorf("%s: no note %q in %q", old, want, notes)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("0 5 * * * katprep_snapshot -o 'a b' $(date +%F) `x` \"q\\\"\" 2>&1 | tee -a x; katprep_report a b\\\n c")
	f.Add("katprep_maintenance -I")
	f.Fuzz(func(t *testing.T, text string) {
		for l, err := range Lines(strings.NewReader(text)) {
			if err != nil {
				return // a line longer than the limit
			}
			for _, n := range l.New {
				if !strings.HasPrefix(n, "katprep ") {
					t.Errorf("%q became %q", l.Old, n)
				}
			}
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("$for(errata)$ ${errata.title} $if(params.ip)$ $$ {{ $endif$$endfor$")
	f.Fuzz(func(t *testing.T, text string) { Template(text) })
}
