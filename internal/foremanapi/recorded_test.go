package foremanapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An interaction is one recorded request with its answer.
type interaction struct {
	Method   string          `json:"method"`
	URI      string          `json:"uri"`
	Status   int             `json:"status"`
	Response json.RawMessage `json:"response"`
}

func cassettes(t *testing.T) map[string][]interaction {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recorded(t), "cassettes-json", "*.json"))
	if err != nil || len(files) < 200 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	all := map[string][]interaction{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var list []interaction
		if err := json.Unmarshal(b, &list); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[filepath.Base(f)] = list
	}
	return all
}

// A decoder reads one kind of answer and says what is wrong with the result.
type decoder struct {
	path   *regexp.Regexp
	decode func(raw json.RawMessage) string
}

func paged[T any](check func(T) string) func(json.RawMessage) string {
	return func(raw json.RawMessage) string {
		var p Page[json.RawMessage]
		if err := json.Unmarshal(raw, &p); err != nil {
			return err.Error()
		}
		if !p.Subtotal.Valid || p.Problem != "" {
			return "no subtotal, or a problem"
		}
		for _, r := range p.Results {
			if wrong := single(check)(r); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

func single[T any](check func(T) string) func(json.RawMessage) string {
	return func(raw json.RawMessage) string {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return err.Error()
		}
		return check(v)
	}
}

func hostOK(h Host) string {
	if !h.ID.Valid || h.Name == "" {
		return "host without ID or name"
	}
	return ""
}

func namedOK(n Named) string {
	if !n.ID.Valid || n.Name == "" && n.Title == "" {
		return "record without ID or name"
	}
	return ""
}

func erratumOK(e Erratum) string {
	if e.ID == "" || e.Type == "" {
		return "erratum without ID or type"
	}
	return ""
}

var decoders = []decoder{
	{regexp.MustCompile(`^GET /api/status$`), single(func(s Status) string {
		if len(ParseVersion(string(s.Version))) < 2 {
			return "no version in " + string(s.Version)
		}
		return ""
	})},
	{regexp.MustCompile(`^GET /api/hosts$`), paged(hostOK)},
	{regexp.MustCompile(`^GET /api/hosts/[^/]+$`), single(hostOK)},
	{regexp.MustCompile(`^GET /api/hosts/[^/]+/errata$`), paged(erratumOK)},
	{regexp.MustCompile(`^GET (/katello)?/api/(organizations|locations|hostgroups|usergroups|host_collections|content_views|environments|job_templates)$`), paged(namedOK)},
	{regexp.MustCompile(`^(GET|POST) /api/job_invocations(/\d+)?$`), single(func(j Job) string {
		if !j.ID.Valid || !j.Status.Valid || len(j.Targeting.V.Hosts.V) == 0 {
			return "job without ID, status or hosts"
		}
		return ""
	})},
	{regexp.MustCompile(`^GET /foreman_tasks/api/tasks/[^/]+$`), single(func(k Task) string {
		if k.ID == "" || k.State == "" || k.Result == "" {
			return "task without ID, state or result"
		}
		return ""
	})},
	{regexp.MustCompile(`^PUT /api/hosts/[^/]+/power$`), single(func(p struct {
		Power json.RawMessage `json:"power"`
	}) string {
		if p.Power == nil {
			return "no power"
		}
		return ""
	})},
	{regexp.MustCompile(`^(GET|POST|PUT) /api/hosts/[^/]+/parameters(/[^/]+)?$`), func(json.RawMessage) string { return "" }},
}

// TestRecordedAnswers: every recorded answer to a request that we can send
// decodes into something with the fields that we rely on.
func TestRecordedAnswers(t *testing.T) {
	seen := map[string]int{}
	for file, list := range cassettes(t) {
		for _, i := range list {
			u, err := url.Parse(i.URI)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range decoders {
				if !d.path.MatchString(i.Method + " " + u.Path) {
					continue
				}
				seen[d.path.String()]++
				if i.Status >= 400 {
					if msg, _ := decodeError(i.Response); msg == "" {
						t.Errorf("%s: %s %s: no message in %s", file, i.Method, i.URI, i.Response)
					}
				} else if wrong := d.decode(i.Response); wrong != "" && !thin(u) {
					t.Errorf("%s: %s %s: %s", file, i.Method, i.URI, wrong)
				}
			}
		}
	}
	for _, d := range decoders[:6] {
		if seen[d.path.String()] == 0 {
			t.Errorf("no answer was recorded for %s", d.path)
		}
	}
}

func thin(u *url.URL) bool { return u.Query().Get("thin") != "" }

// TestRecordedErrors: the errors among the recorded examples give a message
// that is in the answer.
func TestRecordedErrors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recorded(t), "recorded-examples", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded examples", err)
	}
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var examples map[string][]string
		if err := json.Unmarshal(b, &examples); err != nil {
			t.Fatal(err)
		}
		for action, list := range examples {
			for _, e := range list {
				body, status := splitExample(e)
				if status < 400 || body == "" {
					continue
				}
				n++
				msg, missing := decodeError([]byte(body))
				if msg == "" || strings.HasPrefix(msg, "{") {
					t.Errorf("%s %s: %d without message: %s", filepath.Base(f), action, status, body)
				}
				if status == http.StatusForbidden && strings.Contains(body, `"missing_permissions": [`) && len(missing) == 0 {
					t.Errorf("%s %s: no missing permission in %s", filepath.Base(f), action, body)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d recorded errors were found", n)
	}
}

var statusLine = regexp.MustCompile(`(?m)^(\d{3})\r?\n`)

// splitExample takes status and answer out of "METHOD path\n{request}\nstatus\n{answer}".
func splitExample(e string) (body string, status int) {
	loc := statusLine.FindStringSubmatchIndex(e)
	if loc == nil {
		return "", 0
	}
	for _, c := range e[loc[2]:loc[3]] {
		status = status*10 + int(c-'0')
	}
	return strings.TrimSpace(e[loc[1]:]), status
}

// TestRecordedFixtures: what the cassettes lack (content facets, traces,
// packages) was recorded for Katello's own tests.
func TestRecordedFixtures(t *testing.T) {
	dir := recorded(t)
	for file, check := range map[string]func(json.RawMessage) string{
		"hammer-fixtures/host.json":                       single(hostOK),
		"hammer-fixtures/host_list.json":                  paged(contentOK),
		"katello-ui-fixtures/hosts.fixtures.json":         paged(contentOK),
		"katello-ui-fixtures/affectedHosts.fixtures.json": paged(contentOK),
		"katello-ui-fixtures/errata.fixtures.json":        paged(erratumOK),
		"katello-ui-fixtures/packages.fixtures.json": paged(func(p Package) string {
			if p.NVRA == "" || !p.Upgradable.Known {
				return "package without version"
			}
			return ""
		}),
		"katello-ui-fixtures/debs.fixtures.json": paged(func(p Deb) string {
			if p.Name == "" || p.Version == "" || !p.Upgradable.Known {
				return "package without version"
			}
			return ""
		}),
		"katello-ui-fixtures/traces.fixtures.json": paged(func(p Trace) string {
			if p.Application == "" || p.Reboot == nil {
				return "trace without application"
			}
			return ""
		}),
		"katello-ui-fixtures/resolveErrata.fixtures.json": single(func(j Job) string {
			if j.Status.N != JobRunning || len(j.Targeting.V.Hosts.V) != 1 || j.TaskID() == "" {
				return "job without status, hosts or task"
			}
			return ""
		}),
		"katello-ui-fixtures/contentViewTaskResponse.fixtures.json": single(func(k Task) string {
			if !k.Ended() || k.Result != "success" {
				return "task has not ended well"
			}
			return ""
		}),
		"katello-ui-fixtures/contentViewTaskInProgressResponse.fixtures.json": single(func(k Task) string {
			if k.Ended() {
				return "task has ended"
			}
			return ""
		}),
	} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if wrong := check(b); wrong != "" {
			t.Errorf("%s: %s", file, wrong)
		}
	}
}

func contentOK(h Host) string {
	if !h.Content.OK || !h.Content.V.Counts.V.Total.Valid || h.Content.V.Environment.V.Name == "" && h.Content.V.EnvironmentName == "" {
		return "host without content facet, counts or environment"
	}
	return hostOK(h)
}
