package foremanapi

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recorded finds the folder of answers and API documentation recorded from
// real servers: KATPREP_SHARED, or "shared" beside the project. Tests that
// need it skip without it.
func recorded(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	candidates := []string{os.Getenv("KATPREP_SHARED")}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		candidates = append(candidates, filepath.Join(filepath.Dir(d), "shared"))
	}
	for _, c := range candidates {
		if c == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(c, "foreman", "apidoc")); err == nil {
			return filepath.Join(c, "foreman")
		}
	}
	t.Skip("the answers recorded from real servers are not here (KATPREP_SHARED)")
	return ""
}

// An apidoc is the API documentation that one server gave of itself.
type apidoc struct {
	name   string
	server Server
	routes map[string]map[string]bool // "GET /api/hosts/:" to parameter names, "a.b" for one inside of a
}

type docParam struct {
	Name   string     `json:"name"`
	Params []docParam `json:"params"`
}

// versions of the servers behind the documents, where a name does not say.
var docVersions = map[string][2]string{ // Foreman, Katello
	"hammer-cli-katello_2.5": {"1.11", "2.5"}, "hammer-cli-katello_3.0": {"1.11", "3.0"}, "hammer-cli-katello_3.2": {"1.13", "3.2"},
	"hammer-cli-katello_3.4": {"1.15", "3.4"}, "hammer-cli-katello_3.10": {"1.20", "3.10"}, "hammer-cli-katello_3.14": {"1.24", "3.14"},
	"hammer-cli-katello_3.18": {"2.3", "3.18"}, "hammer-cli-katello_4.1": {"2.5", "4.1"}, "hammer-cli-katello_4.3": {"3.1", "4.3"},
	"hammer-cli-katello_4.8": {"3.6", "4.8"}, "hammer-cli-katello_4.9": {"3.7", "4.9"}, "hammer-cli-katello_4.10": {"3.8", "4.10"},
	"hammer-cli-katello_4.14": {"3.12", "4.14"}, "foreman-ansible-modules_luna": {"3.9", "4.11"}, "foreman-ansible-modules_katello": {"3.7", "4.9"},
	"foreman-ansible-modules_foreman": {"3.9", ""}, "foreman-ansible-modules_snapshot": {"3.7", "4.9"}, "apypie_luna": {"2.5", "4.1"},
	"hammer_cli_foreman_remote_execution_1.14": {"1.14", "3.3"}, "hammer_cli_foreman_remote_execution_1.16": {"1.16", "3.5"}, "hammer_cli_foreman_remote_execution_1.17": {"1.17", "3.6"},
	"hammer-cli-foreman_3.1": {"3.1", ""}, "hammer-cli-foreman_3.4": {"3.4", ""}, "hammer-cli-foreman_3.11": {"3.11", ""}, "hammer-cli-foreman_3.12": {"3.12", ""}, "hammer-cli-foreman_3.15": {"3.15", ""},
}

func loadDocs(t *testing.T) []apidoc {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recorded(t), "apidoc", "*.json.gz"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	var docs []apidoc
	for _, file := range files {
		docs = append(docs, loadDoc(t, file))
	}
	return docs
}

func loadDoc(t *testing.T, file string) apidoc {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var raw struct {
		Docs struct {
			Resources map[string]struct {
				Methods []struct {
					APIs []struct {
						URL    string `json:"api_url"`
						Method string `json:"http_method"`
					} `json:"apis"`
					Params []docParam `json:"params"`
				} `json:"methods"`
			} `json:"resources"`
		} `json:"docs"`
	}
	if err := json.NewDecoder(z).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	d := apidoc{name: strings.TrimSuffix(filepath.Base(file), ".json.gz"), routes: map[string]map[string]bool{}}
	v, ok := docVersions[d.name]
	if !ok {
		t.Fatalf("the version of %s is not known to this test", d.name)
	}
	d.server = Server{Foreman: ParseVersion(v[0]), Katello: ParseVersion(v[1])}
	for _, r := range raw.Docs.Resources {
		for _, m := range r.Methods {
			for _, a := range m.APIs {
				d.add(a.Method+" "+normal(a.URL), m.Params)
			}
		}
	}
	return d
}

func (d *apidoc) add(route string, params []docParam) {
	if d.routes[route] == nil {
		d.routes[route] = map[string]bool{}
	}
	for _, p := range params {
		d.routes[route][p.Name] = true
		for _, inner := range p.Params {
			d.routes[route][p.Name+"."+inner.Name] = true
		}
	}
}

// has reports whether the document covers the plugin.
func (d *apidoc) has(plugin string) bool {
	probe := map[string]string{"": "GET /api/status", Katello: "GET /katello/api/errata", RemoteExecution: "GET /api/job_invocations", Tasks: "GET /foreman_tasks/api/tasks/:"}
	_, ok := d.routes[probe[plugin]]
	return ok
}

var variable = regexp.MustCompile(`:[a-z_]+`)

// normal takes the names of arguments and the oddities of some documents out
// of a path.
func normal(path string) string {
	path = strings.Replace(path, "/api/api/", "/api/", 1)
	path = strings.Replace(path, "(/:apiv)", "", 1)
	path = strings.Replace(path, "/katello/api/organizations", "/api/organizations", 1)
	return variable.ReplaceAllString(path, ":")
}

// TestEveryRequestIsDocumented holds each call to the documents of all
// versions: a call or parameter that a version does not document must be
// guarded by a feature that this version lacks, or be marked as hidden.
func TestEveryRequestIsDocumented(t *testing.T) {
	docs := loadDocs(t)
	for _, c := range Calls() {
		checked := 0
		for _, d := range docs {
			if !d.has(c.Plugin) || c.Since != "" && !d.server.Can(c.Since) {
				continue
			}
			checked++
			for _, wrong := range undocumented(&c, &d) {
				t.Errorf("%s: %s", d.name, wrong)
			}
		}
		if checked == 0 {
			t.Errorf("%s %s is in no document", c.Method, c.Path)
		}
	}
}

func undocumented(c *Call, d *apidoc) (wrong []string) {
	known, ok := d.routes[c.Method+" "+normal(c.Path)]
	if !ok {
		return []string{fmt.Sprintf("%s %s is not there", c.Method, c.Path)}
	}
	for _, p := range c.Params {
		if f, guarded := c.Guards[p]; guarded && !d.server.Can(f) || slices.Contains(c.Hidden, p) {
			continue
		}
		top, inner, nested := strings.Cut(p, ".")
		if !known[top] || nested && inner != "" && hasInner(known, top) && !known[p] {
			wrong = append(wrong, fmt.Sprintf("%s %s has no parameter %q", c.Method, c.Path, p))
		}
	}
	return wrong
}

// hasInner reports whether the document says what is inside of a parameter.
func hasInner(known map[string]bool, top string) bool {
	for k := range known {
		if strings.HasPrefix(k, top+".") {
			return true
		}
	}
	return false
}
