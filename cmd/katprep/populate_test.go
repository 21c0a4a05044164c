package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/populate"
	"github.com/stdevel/katprep/internal/term"
)

// listed is an inventory in memory.
type listed struct {
	objects []act.Object
	err     error
}

func (l listed) Objects(context.Context) ([]act.Object, error) { return l.objects, l.err }

// populateApp is an app with a simulated Foreman; what is printed goes to out
// and said.
func populateApp(t *testing.T, land *landscape.Server) (a *app, out, said *bytes.Buffer) {
	t.Helper()
	srv := httptest.NewServer(land)
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "katprep.yml")
	if err := os.WriteFile(file, []byte("sources:\n  - {name: sat, type: foreman, url: \""+srv.URL+"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said = &bytes.Buffer{}, &bytes.Buffer{}
	env := map[string]string{"KATPREP_CREDENTIAL_SAT_USER": "admin", "KATPREP_CREDENTIAL_SAT_PASSWORD": "changeme"}
	a = newApp(t.Context(), &cli{Config: file}, term.New(term.Options{Out: out, Err: said}), streams{strings.NewReader(""), out, said}, env)
	t.Cleanup(a.close)
	return a, out, said
}

func TestPopulate(t *testing.T) {
	land := landscape.New(landscape.Options{Hosts: 6, NoSelf: true})
	names := land.Names()
	var objects []act.Object
	for i, name := range names[:4] {
		truth, _ := land.Truth(name)
		objects = append(objects, act.Object{Name: fmt.Sprint("object-", i), IPs: []string{truth.IP}})
	}
	objects = append(objects, act.Object{Name: names[4]}, act.Object{Name: "copy", Display: names[4]})
	land.SetParameter(names[1], "katprep_mon", "somewhere-else")
	systems := []populate.System{{Name: "icinga", Kind: populate.Monitoring, Inventory: listed{objects: objects}}}

	a, out, said := populateApp(t, land)
	if err := (&populateCmd{DryRun: true}).fill(a, systems); err != nil {
		t.Fatal(err)
	}
	dry := out.String()
	for _, want := range []string{
		"+ " + names[0] + "  katprep_mon: – → \"icinga\"",
		"katprep_mon_name: ",
		"! " + names[1] + "  monitoring: found as object-1 in icinga, but katprep_mon says somewhere-else: left alone",
		"? " + names[4] + "  monitoring: ambiguous: several objects have its name: " + names[4] + " in icinga, copy in icinga",
		"? " + names[5] + "  monitoring: unmatched",
	} {
		if !strings.Contains(dry, want) {
			t.Errorf("no %q in\n%s", want, dry)
		}
	}
	if !strings.Contains(said.String(), "would change") || parameter(land, names[0], "katprep_mon") != "" {
		t.Errorf("the dry run: %s", said)
	}
	a, out, _ = populateApp(t, land)
	if err := (&populateCmd{}).fill(a, systems); err != nil {
		t.Fatal(err)
	}
	if out.String() != dry {
		t.Errorf("the dry run said\n%s\nand the real run\n%s", dry, out)
	}
	if parameter(land, names[0], "katprep_mon") != "icinga" || parameter(land, names[0], "katprep_mon_name") != "object-0" || parameter(land, names[1], "katprep_mon") != "somewhere-else" {
		t.Error("parameters are not what was said")
	}
	a, _, _ = populateApp(t, land)
	if err := (&populateCmd{Update: true}).fill(a, systems); err != nil || parameter(land, names[1], "katprep_mon") != "icinga" {
		t.Errorf("--update: %v", err)
	}
}

func TestPopulateSilentSystem(t *testing.T) {
	land := landscape.New(landscape.Options{Hosts: 3, NoSelf: true})
	a, _, said := populateApp(t, land)
	err := (&populateCmd{}).fill(a, []populate.System{{Name: "icinga", Kind: populate.Monitoring, Inventory: listed{err: errors.New("connection refused")}}})
	if katprep.KindOf(err) != katprep.Partial || !strings.Contains(said.String(), "icinga does not answer: connection refused") {
		t.Errorf("%v\n%s", err, said)
	}
}

func parameter(land *landscape.Server, host, name string) string {
	truth, _ := land.Truth(host)
	for _, p := range truth.Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
