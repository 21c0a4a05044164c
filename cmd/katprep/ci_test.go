package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/peers"
)

// pipeline reads a ready pipeline file.
func pipeline(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "packaging", "ci", name))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestGitLabPipelineBySchema checks the file by GitLab's own JSON schema, and
// that the schema would find a mistake.
func TestGitLabPipelineBySchema(t *testing.T) {
	peers.Need(t, "jsonschema")
	check := func(doc map[string]any) (string, error) {
		file := filepath.Join(t.TempDir(), "pipeline.json")
		raw, err := json.Marshal(doc)
		if err == nil {
			err = os.WriteFile(file, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "jsonschema", "-i", file, filepath.Join("testdata", "ci", "gitlab-ci.schema.json")).CombinedOutput()
		return string(out), err
	}
	if out, err := check(pipeline(t, "gitlab-ci.yml")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	wrong := pipeline(t, "gitlab-ci.yml")
	wrong["pages"].(map[string]any)["artefacts"] = map[string]any{"paths": "public"}
	if out, err := check(wrong); err == nil {
		t.Errorf("a wrong key is not found: %s", out)
	}
}

// A grammar of GitHub's: each definition is a mapping, a sequence, one of
// others, or a plain value.
type workflowGrammar map[string]struct {
	Mapping *struct {
		Properties map[string]any `json:"properties"` // a type, or {type, required}
		LooseKey   string         `json:"loose-key-type"`
		LooseValue string         `json:"loose-value-type"`
	} `json:"mapping"`
	Sequence *struct {
		Item string `json:"item-type"`
	} `json:"sequence"`
	String *struct {
		Constant string `json:"constant"`
	} `json:"string"`
	OneOf   []string `json:"one-of"`
	Allowed []string `json:"allowed-values"`
}

// check says why a value is not of a type; "" if it is.
func (g workflowGrammar) check(kind string, v any, where string) string {
	d := g[kind]
	switch {
	case d.Mapping != nil:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: %v is no mapping", where, v)
		}
		for name, p := range d.Mapping.Properties {
			if full, ok := p.(map[string]any); ok && full["required"] == true && m[name] == nil {
				return where + " lacks " + name
			}
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			want := d.Mapping.LooseValue
			if p, ok := d.Mapping.Properties[name]; ok {
				if want, ok = p.(string); !ok {
					want = p.(map[string]any)["type"].(string)
				}
			} else if d.Mapping.LooseKey == "" {
				return where + ": there is no key " + name
			}
			if why := g.check(want, m[name], where+"."+name); why != "" {
				return why
			}
		}
	case d.Sequence != nil:
		list, ok := v.([]any)
		if !ok {
			return fmt.Sprintf("%s: %v is no list", where, v)
		}
		for i, item := range list {
			if why := g.check(d.Sequence.Item, item, fmt.Sprintf("%s[%d]", where, i)); why != "" {
				return why
			}
		}
	case len(d.OneOf) > 0:
		var whys []string
		for _, k := range d.OneOf {
			why := g.check(k, v, where)
			if why == "" {
				return ""
			}
			whys = append(whys, why)
		}
		return strings.Join(whys, "; or ")
	case len(d.Allowed) > 0:
		if s, ok := v.(string); !ok || !slices.Contains(d.Allowed, s) {
			return fmt.Sprintf("%s: %v is none of %s", where, v, d.Allowed)
		}
	case d.String != nil && d.String.Constant != "":
		if v != d.String.Constant {
			return fmt.Sprintf("%s: %v is not %s", where, v, d.String.Constant)
		}
	default:
		switch v.(type) {
		case map[string]any, []any:
			if kind != "any" {
				return fmt.Sprintf("%s: %v is no %s", where, v, kind)
			}
		}
	}
	return ""
}

// TestGitHubWorkflowBySchema checks the file by the grammar of GitHub's own
// parser, and that it would find mistakes.
func TestGitHubWorkflowBySchema(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "ci", "github-workflow.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Definitions workflowGrammar `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	g := doc.Definitions
	if why := g.check("workflow-root-strict", pipeline(t, "github-actions.yml"), "workflow"); why != "" {
		t.Error(why)
	}
	job := func(w map[string]any) map[string]any {
		return w["jobs"].(map[string]any)["publish"].(map[string]any)
	}
	for name, spoil := range map[string]func(w map[string]any){
		"unknown key":     func(w map[string]any) { w["permission"] = w["permissions"] },
		"unknown job key": func(w map[string]any) { job(w)["enviroment"] = "x" },
		"no runner":       func(w map[string]any) { delete(job(w), "runs-on") },
		"run and uses":    func(w map[string]any) { job(w)["steps"].([]any)[0].(map[string]any)["run"] = "true" },
		"permission":      func(w map[string]any) { w["permissions"].(map[string]any)["pages"] = "wrte" },
	} {
		w := pipeline(t, "github-actions.yml")
		spoil(w)
		if g.check("workflow-root-strict", w, "workflow") == "" {
			t.Errorf("%s is not found", name)
		}
	}
}

// jobCommands lists what a pipeline runs, one shell script.
func jobCommands(t *testing.T, name string) (script, after string) {
	t.Helper()
	doc := pipeline(t, name)
	join := func(v any) string {
		var lines []string
		for _, s := range v.([]any) {
			lines = append(lines, s.(string))
		}
		return strings.Join(lines, "\n") + "\n"
	}
	if name == "gitlab-ci.yml" {
		job := doc["pages"].(map[string]any)
		return join(job["script"]), join(job["after_script"])
	}
	for _, s := range doc["jobs"].(map[string]any)["publish"].(map[string]any)["steps"].([]any) {
		step := s.(map[string]any)
		run, ok := step["run"].(string)
		switch {
		case ok && step["if"] != nil:
			after += run + "\n"
		case ok: // each step is a shell of its own
			script += "(\n" + run + "\n)\n"
		}
	}
	return script, after
}

// TestPipelinesRun runs the commands of the ready pipelines, two jobs each:
// every job begins without an archive and with the cached site of the one
// before. Instead of a Git server there is a folder, and a simulated Foreman.
func TestPipelinesRun(t *testing.T) {
	peers.Need(t, "git", "sh")
	for _, name := range []string{"gitlab-ci.yml", "github-actions.yml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			server := httptest.NewServer(landscape.New(landscape.Options{Hosts: 4, Speed: 1000, Start: time.Now()}))
			t.Cleanup(server.Close)
			env := []string{"KATPREP_CREDENTIAL_SATELLITE_USER=admin", "KATPREP_CREDENTIAL_SATELLITE_PASSWORD=changeme", "HOME=" + work, "KATPREP_ETC=" + work + "/etc", "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "TMPDIR=" + os.TempDir()}
			sh := func(script string, more ...string) string {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), "sh", "-e", "-s")
				cmd.Dir, cmd.Stdin, cmd.Env = work, strings.NewReader(script), append(env, more...)
				out, err := cmd.CombinedOutput()
				// 3 is for hosts that are not read in full.
				if err != nil && cmd.ProcessState.ExitCode() != 3 {
					t.Fatalf("%v\n%s", err, out)
				}
				return string(out)
			}
			sh(`git init -q --bare evidence.git
printf 'archive: {path: archive.git, remotes: {origin: evidence.git}, push: [origin]}\nsources: [{name: satellite, type: foreman, url: "%s", credential: satellite}]\n' "$SERVER" >katprep.yml
printf key >deploy; printf 'host key\n' >hosts
katprep init --no-config
katprep snapshot || test $? = 3`, "SERVER="+server.URL)
			script, after := jobCommands(t, name)
			key, hosts := work+"/deploy", work+"/hosts"
			if name == "github-actions.yml" {
				key, hosts = "key", "host key"
			}
			for range 2 {
				sh("rm -rf archive.git")
				sh(script, "EVIDENCE_KEY="+key, "KNOWN_HOSTS="+hosts, "KEEP=1")
				sh(after)
			}
			if out := sh("git -C evidence.git rev-list --count main"); strings.TrimSpace(out) != "3" {
				t.Errorf("the repository has %s commits, not those of three snapshots", out)
			}
			if out := sh("test -f public/index.html; ls public.versions | wc -l; ls evidence-key 2>/dev/null || true; stat -c %s .ssh/known_hosts"); strings.TrimSpace(out) != "1\n9" {
				t.Errorf("what is left: %s", out)
			}
		})
	}
}
