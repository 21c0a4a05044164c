package landscape_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/landscape"
)

// recorded finds the folder of recorded answers, which is no part of the
// project: in KATPREP_SHARED, or beside the checkout.
func recorded(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	candidates := []string{os.Getenv("KATPREP_SHARED")}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		candidates = append(candidates, filepath.Join(dir, "..", "shared"))
	}
	for _, c := range candidates {
		if st, err := os.Stat(filepath.Join(c, "foreman")); c != "" && err == nil && st.IsDir() {
			return filepath.Join(c, "foreman")
		}
	}
	t.Skip("no recorded answers: set KATPREP_SHARED")
	return ""
}

func load(t *testing.T, path ...string) any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// shapes collects "path: type" of everything in a JSON value; elements of
// arrays share one path.
func shapes(v any, path string, into map[string]map[string]bool) {
	kind := fmt.Sprintf("%T", v)
	if into[path] == nil {
		into[path] = map[string]bool{}
	}
	into[path][kind] = true
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			shapes(e, path+"."+k, into)
		}
	case []any:
		for _, e := range x {
			shapes(e, path+"[]", into)
		}
	}
}

// answers returns the recorded answers to GET requests whose path ends so.
func answers(t *testing.T, dir, file string, match func(uri string) bool) []any {
	t.Helper()
	var found []any
	list, _ := load(t, dir, "cassettes-json", file).([]any)
	for _, v := range list {
		if o, _ := v.(object); match(o["uri"].(string)) {
			found = append(found, o["response"])
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s: no such answer", file)
	}
	return found
}

// TestShapes compares the simulated answers with recorded ones: every key
// that the landscape sends is one that a real server sent, with a type that it
// had there. Keys that exist only in some versions are listed.
func TestShapes(t *testing.T) {
	dir := recorded(t)
	s := landscape.New(landscape.Options{Hosts: 60})
	c := serve(t, s)
	host := kernelHost(t, s).Name
	job := c.templateJob("Run Command - Script Default", "name = "+host, object{"command": "ls"})
	ui := func(name string) []any { return []any{load(t, dir, "katello-ui-fixtures", name)} }
	for _, x := range []struct {
		name string
		got  any
		want []any
		more string // known from documentation or source, not in these recordings
	}{
		{"status", c.get("/api/status"), answers(t, dir, "job_invocation-0.json", func(u string) bool { return strings.HasSuffix(u, "/api/status") }), ""},
		{"host list", c.get("/api/hosts?per_page=100"), append(ui("hosts.fixtures.json"), load(t, dir, "hammer-fixtures", "host_list.json")),
			"display_name reported_data execution_status errata_status traces_status applicable content_view_environments uuid compute_resource_id compute_resource_name mac hostgroup_id hostgroup_name hostgroup_title"},
		{"host errata", c.get("/api/hosts/" + host + "/errata?per_page=100"), answers(t, dir, "host_errata_info-0.json", func(u string) bool { return strings.Contains(u, "/errata") }),
			"selectable version status release cves bugs"},
		{"packages", c.get("/api/hosts/" + host + "/packages?full_result=true"), ui("packages.fixtures.json"), "selectable nvrea sort"},
		{"job", job, answers(t, dir, "job_invocation-0.json", func(u string) bool { return strings.HasSuffix(u, "/job_invocations") }), "status"},
		{"task", c.get(fmt.Sprintf("/foreman_tasks/api/tasks/%v", job["task"].(object)["id"])), answers(t, dir, "wait_for_task-1.json", func(u string) bool { return strings.Contains(u, "/foreman_tasks/api/tasks/") }), "input output username ended_at start_at"},
	} {
		got, want := map[string]map[string]bool{}, map[string]map[string]bool{}
		shapes(x.got, "", got)
		for _, w := range x.want {
			shapes(w, "", want)
		}
		compareShapes(t, x.name, got, want, strings.Fields(x.more))
	}
}

func compareShapes(t *testing.T, name string, got, want map[string]map[string]bool, more []string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }), func(k string) bool {
			return slices.Contains(more, k) || slices.Contains(more, strings.TrimSuffix(k, "_label"))
		}) {
			continue
		}
		if want[path] == nil {
			t.Errorf("%s: %s was never seen on a real server", name, path)
			continue
		}
		for kind := range got[path] {
			if kind != "<nil>" && !want[path][kind] && !want[path]["<nil>"] {
				t.Errorf("%s: %s is %s, recorded %v", name, path, kind, slices.Sorted(maps.Keys(want[path])))
			}
		}
	}
}
