package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

func TestParseNamesLineAndKey(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"unknown key", "sources:\n  - {name: a, type: direct}\nmonitorring: []\n", `line 3: unknown key "monitorring"`},
		{"unknown nested key", "archive:\n  pth: /x\n", `line 2: unknown key "pth"`},
		{"unknown type", "sources:\n  - name: a\n    type: formean\n", `line 3: type "formean": use one of direct, foreman`},
		{"name twice", "sources:\n  - {name: a, type: direct}\nmonitoring:\n  - {name: a, type: icinga2, url: 'https://x'}\n", `line 4: name "a" is used twice`},
		{"no url", "sources:\n  - {name: a, type: foreman}\n", "line 2: a url is missing"},
		{"password in url", "sources:\n  - {name: a, type: foreman, url: 'https://u:s3cret@x'}\n", "holds a user"},
		{"duration", "maintenance:\n  downtime: soon\n", `line 2: "soon" is not a duration`},
		{"percent", "maintenance:\n  waves:\n    - {name: w, percent: 110}\n", "line 3: percent 110"},
		{"hook", "maintenance:\n  hooks:\n    - {name: h, stage: patch, run: 'true'}\n", `line 3: stage "patch"`},
		{"kind of step", "maintenance:\n  timeouts:\n    patsch: 1h\n", `line 3: kind of step "patsch": use one of hook, downtime`},
		{"no time", "maintenance:\n  timeouts: {patch: 0s}\n", `timeout of "patch"`},
		{"announce", "maintenance: {announce: mail}\n", `announce "mail": use one of none, comment`},
		{"two documents", "site: {}\n---\nsite: {}\n", "more than one YAML document"},
		{"not a mapping", "- 1\n", "cannot unmarshal"},
		{"push to nowhere", "archive: {push: [origin]}\n", `push "origin": no such remote`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("katprep.yml", []byte(tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "katprep.yml") {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			if katprep.KindOf(err) != katprep.Invalid {
				t.Errorf("kind %v", katprep.KindOf(err))
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("password in error: %v", err)
			}
		})
	}
}

func TestExampleIsValidAndEmptyIsToo(t *testing.T) {
	for _, in := range []string{"", "# nothing\n", Example("/var/lib/katprep/archive.git", ""), uncomment(Example("/x/archive.git", "sat.example.com"))} {
		if _, err := Parse("example", []byte(in)); err != nil {
			t.Errorf("%v\n%s", err, in)
		}
	}
}

// TestExampleKnowsTheServer: the address that init found is in the example.
func TestExampleKnowsTheServer(t *testing.T) {
	text := Example("/x", "sat.corp.example.net")
	if !strings.Contains(text, "#    url: https://sat.corp.example.net\n") || strings.Contains(text, "satellite.example.com") {
		t.Error(text)
	}
}

// uncomment turns the example's "#key: value" lines on: what init suggests
// must work when a user takes the '#' away.
func uncomment(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(rest, " ") {
			line = rest
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestLoadMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yml"))
	if err == nil || katprep.HintOf(err) == "" {
		t.Fatalf("error %v without hint", err)
	}
}

func TestLoadReadsFile(t *testing.T) {
	p := filepath.Join(t.TempDir(), "katprep.yml")
	if err := os.WriteFile(p, []byte("maintenance: {downtime: 2d, timeouts: {patch: 5h}}\npolicy: {deadlines: {critical: 7d}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Maintenance.Downtime.Std(); got != 48*time.Hour {
		t.Errorf("downtime %v", got)
	}
	if got := c.Maintenance.Timeouts["patch"].Std(); got != 5*time.Hour {
		t.Errorf("timeout %v", got)
	}
	if got := c.Policy.Deadlines[katprep.Critical].Std(); got != 7*24*time.Hour {
		t.Errorf("deadline %v", got)
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "8h": 8 * time.Hour, "7d": 7 * day, "1w2d": 9 * day, "1d12h": 36 * time.Hour, "0s": 0,
	} {
		if got, err := ParseDuration(in); err != nil || got.Std() != want {
			t.Errorf("ParseDuration(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "d", "7", "-1h", "-1d", "7dd", "99999999999d", "1h1d"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example("/x", "")))
	f.Add([]byte("sources: [{name: a, type: ssh}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("fuzz", b)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
	})
}
