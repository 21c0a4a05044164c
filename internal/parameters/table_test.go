package parameters_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/parameters"
)

func rows() []parameters.Row {
	return []parameters.Row{
		{Host: "a.example.com", Name: "katprep_mon", Value: "https://icinga:5665", From: "host"},
		{Host: "a.example.com", Name: "katprep_virt_snapshot", Value: "0", From: "hostgroup"},
		{Host: "b.example.com", Name: "katprep_owner", Value: "=cmd|'/c calc'!A1", From: "host"},
		{Host: "b.example.com", Name: "katprep_patch_pre_script", Value: "#!/bin/sh\nmount -o remount,rw \"/usr\"\n", From: "host"},
		{Host: "null", Name: "yes", Value: "no", From: "host"},
		{Host: "~", Name: "katprep_x", Value: "", From: "host"},
	}
}

func TestTables(t *testing.T) {
	var csv, yaml bytes.Buffer
	if err := parameters.WriteCSV(&csv, rows()); err != nil {
		t.Fatal(err)
	}
	if err := parameters.WriteYAML(&yaml, rows()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(csv.String(), ",=") || !strings.HasPrefix(csv.String(), "host,parameter,value,from\n") {
		t.Errorf("a spreadsheet would run this:\n%s", csv.String())
	}
	for name, read := range map[string]func() ([]parameters.Row, error){
		"csv":  func() ([]parameters.Row, error) { return parameters.ReadCSV(&csv) },
		"yaml": func() ([]parameters.Row, error) { return parameters.ReadYAML(&yaml) },
	} {
		got, err := read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, want := range rows() {
			if got[i].Host != want.Host || got[i].Name != want.Name || got[i].Value != want.Value {
				t.Errorf("%s: %+v, want %+v", name, got[i], want)
			}
		}
	}
}

func TestTablesByHand(t *testing.T) {
	for _, x := range []struct{ format, text, want string }{
		{"csv", "\ufeffValue;Host;Parameter\nicinga;a;katprep_mon\n", "a katprep_mon icinga"},
		{"csv", "host,parameter,value\na,katprep_mon\n", "line 2 has only 2 columns"},
		{"csv", "host,value\n", `no column "parameter"`},
		{"csv", "", "no first line"},
		{"csv", "host,parameter,value\n\"a,b\n", "quote"},
		{"yaml", "a:\n  katprep_virt_snapshot: 0\n", "a katprep_virt_snapshot 0"},
		{"yaml", "a:\n  katprep_virt_snapshot: no\n", "a katprep_virt_snapshot no"},
		{"yaml", "a:\n  katprep_mon: null\n", "line 2: the value of katprep_mon is not a text"},
		{"yaml", "a:\n  katprep_mon: [x]\n", "line 2: the value of katprep_mon is not a text"},
		{"yaml", "- a\n", "not a mapping"},
		{"yaml", "a: b\n", "not a mapping"},
		{"yaml", "", ""},
	} {
		read := parameters.ReadCSV
		if x.format == "yaml" {
			read = parameters.ReadYAML
		}
		list, err := read(strings.NewReader(x.text))
		got := ""
		if err != nil {
			got = err.Error()
		} else if len(list) > 0 {
			got = list[0].Host + " " + list[0].Name + " " + list[0].Value
		}
		if !strings.Contains(got, x.want) || x.want == "" && got != "" {
			t.Errorf("%q: %s", x.text, got)
		}
	}
}

func TestRowsToWishes(t *testing.T) {
	w, hosts, err := parameters.FromRows([]parameters.Row{{Host: "A.example.com", Name: "katprep_mon", Value: "x"}, {Host: "a.example.com", Name: "katprep_owner", Value: "y"}}, false)
	if err != nil || len(hosts) != 1 || len(w(host("a.EXAMPLE.com"))) != 2 || len(w(host("b"))) != 0 {
		t.Errorf("%v %v", hosts, err)
	}
	for _, bad := range [][]parameters.Row{
		{{Host: "a", Name: "katprep_mon", Value: "x", Line: 2}, {Host: "A", Name: "katprep_mon", Value: "y", Line: 3}},
		{{Host: "", Name: "katprep_mon", Value: "x", Line: 3}},
		{{Host: "a", Name: "other", Value: "x", Line: 3}},
	} {
		if _, _, err := parameters.FromRows(bad, false); katprep.KindOf(err) != katprep.Invalid || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func FuzzTables(f *testing.F) {
	f.Add("a.example.com", "katprep_x", "'=1+1")
	f.Add("~", "null", "0x1F\n- a: b\n\t")
	f.Add("'", "''", "\"'\x7f")
	f.Fuzz(func(t *testing.T, host, name, value string) {
		if !utf8.ValidString(host) || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return
		}
		in := []parameters.Row{{Host: host, Name: name, Value: value}}
		var csv, yaml bytes.Buffer
		if err := parameters.WriteCSV(&csv, in); err != nil {
			t.Fatal(err)
		}
		if err := parameters.WriteYAML(&yaml, in); err != nil {
			t.Fatal(err)
		}
		unix := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
		text := yaml.String()
		got, err := parameters.ReadYAML(&yaml)
		if err != nil || len(got) != 1 || got[0].Host != host || got[0].Name != name || got[0].Value != value {
			t.Errorf("yaml: %+v → %q → %+v %v", in, text, got, err)
		}
		if host == "" {
			return // a line of one empty field is no line
		}
		got, err = parameters.ReadCSV(&csv)
		if err != nil || len(got) != 1 || got[0].Host != unix(host) || got[0].Name != unix(name) || got[0].Value != unix(value) {
			t.Errorf("csv: %+v → %+v %v", in, got, err)
		}
	})
}
