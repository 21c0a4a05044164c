package site_test

import (
	"encoding/csv"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

const payload = "=1+1\"><script>alert(1)</script><svg onload=alert(2)><img src=x onerror=alert(3)></td></title>javascript:alert(4){{.}}\u202e\u2066\u200b\u2028\x00'"

// poison puts hostile text before every text of a value, map keys included,
// but for those of the types that are left out. Equal texts stay equal.
func poison(v reflect.Value, but map[reflect.Type]bool) {
	if but[v.Type()] {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(payload + v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), but)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				poison(v.Field(i), but)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), but)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			key, val := reflect.New(k.Type()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.Set(k)
			val.Set(v.MapIndex(k))
			v.SetMapIndex(k, reflect.Value{})
			poison(key, but)
			poison(val, but)
			v.SetMapIndex(key, val)
		}
	}
}

func typesOf(values ...any) map[reflect.Type]bool {
	m := map[reflect.Type]bool{}
	for _, v := range values {
		m[reflect.TypeOf(v)] = true
	}
	return m
}

// TestHostileTextInEveryField: whatever text is in whatever field of whatever
// an archive may hold, pages stay what they are, nothing is run, nothing
// reorders what stands beside it, and spreadsheets find no formula.
func TestHostileTextInEveryField(t *testing.T) {
	words := typesOf(katprep.CommitID(""), katprep.RunID(""), katprep.Phase(""), katprep.Status(""), katprep.Aspect(""), katprep.Event(""), katprep.Stage(""), katprep.StepKind(""), katprep.Date(""), site.SignatureState(""))
	for name, but := range map[string]map[reflect.Type]bool{
		"texts":         words,
		"words of ours": typesOf(katprep.CommitID(""), katprep.RunID(""), katprep.Phase(""), katprep.Aspect("")),
		"names of runs": typesOf(katprep.CommitID(""), katprep.Phase(""), katprep.Aspect(""), katprep.Status("")),
	} {
		t.Run(name, func(t *testing.T) {
			d := &katprep.Decision{Run: "2026-11-prod-a", By: "carol", At: at(12, 9), Verdict: "accepted", Comment: "fine"}
			src := chained(sample(), snapshotLink(1), snapshotLink(2), site.Link{Kind: "decision", Run: "2026-11-prod-a", By: "carol", Subject: "accepted", At: at(12, 9), SignOff: d}, snapshotLink(3), snapshotLink(4))
			src.Commits[0].Signature = site.Signature{State: site.SignatureBad, Problem: "bad"}
			src.Check = &site.Verification{By: "dora", Tip: commit(2), Broken: []string{"x"}}
			src.Tags["run/2026-11-prod-a/after"] = site.Signature{State: site.SignatureGood, By: "ann", Key: "SHA256:x"}
			src.Records[0].SignOff = d
			src.Records[0].Plan.Hosts[0].Steps[0].Args = map[string]string{"a": "b"}
			for i := range src.Hosts[commit(3)] {
				s := &src.Hosts[commit(3)][i]
				s.Facts.Comment, s.Facts.Extra = "c", map[string]string{"k": "v"}
				s.Processes = []katprep.Process{{Name: "nginx", Unit: "nginx.service"}}
				s.Reboot = katprep.Reboot{Need: katprep.Needed, Reasons: []string{"kernel"}}
				s.Updates = []katprep.Update{{Name: "curl", From: "1", To: "2"}}
			}
			for _, v := range []any{src.Memory, &src.Commits, &src.Check} {
				poison(reflect.ValueOf(v).Elem(), but)
			}
			hosts := map[katprep.CommitID][]katprep.State{}
			for c, states := range src.Hosts { // maps hold slices that were poisoned already
				hosts[c] = states
			}
			src.Hosts = hosts
			out := build(t, src, site.Options{Title: payload, Version: payload, Policy: rules, CommitURL: payload})
			check(t, out)
			clean(t, out)
		})
	}
}

// clean looks through all files for what a reader's programs would take for
// more than text.
func clean(t *testing.T, out string) {
	t.Helper()
	err := filepath.WalkDir(out, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(filepath.Base(file), ".") || strings.Contains(file, ".katprep") {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		body := string(raw)
		name, _ := filepath.Rel(out, file)
		if i := strings.IndexFunc(body, func(r rune) bool { return unicode.Is(unicode.Cf, r) || r == 0 || r == '\u2028' }); i >= 0 && !strings.HasSuffix(name, ".json") {
			t.Errorf("%s has a character that hides or reorders: %q", name, body[max(0, i-60):min(len(body), i+60)])
		}
		switch filepath.Ext(name) {
		case ".html":
			if strings.Contains(body, "<script>") || strings.Contains(body, "<svg onload") || strings.Contains(body, "<img") {
				t.Errorf("%s has markup of somebody else", name)
			}
			z := html.NewTokenizer(strings.NewReader(body))
			for z.Next() != html.ErrorToken {
				for _, a := range z.Token().Attr {
					if strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") && a.Key != "aria-label" {
						t.Errorf("%s: %s=%q", name, a.Key, a.Val)
					}
				}
			}
		case ".csv":
			rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, cell := range slices.Concat(rows...) {
				if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
					t.Errorf("%s has the formula %q", name, cell)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLongTexts: a megabyte in a field makes no page of a megabyte; all that
// the vendor says is a file of its own.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("Lorem ipsum dolor sit amet. ", 40_000)
	m := sample()
	m.Known[0].Title, m.Known[0].Description, m.Known[0].Solution = long, long+"\n\nthe end", "then restart"
	m.Records[0].Plan.Title, m.Records[0].Approval.Comment, m.Records[0].Journal[5].Message = long, long, long
	m.Policy[1].Reason = long
	m.Hosts[commit(3)][0].Problems = []katprep.Problem{{Message: long}}
	for c := range m.Hosts {
		for i := range m.Hosts[c] {
			m.Hosts[c][i].Facts.Owner, m.Hosts[c][i].Facts.Comment = long, long
		}
	}
	m = readd(m)
	out := build(t, m, site.Options{Policy: rules})
	check(t, out)
	for name := range tree(t, out) {
		if strings.HasSuffix(name, ".html") && len(read(t, out, name)) > 150_000 {
			t.Errorf("%s has %d bytes", name, len(read(t, out, name)))
		}
	}
	if whole := read(t, out, "errata/RHSA-2026_0001.txt"); !strings.Contains(whole, "the end") || !strings.Contains(whole, "then restart") {
		t.Error("the file lacks the end of what the vendor says")
	}
	if page := read(t, out, "errata/RHSA-2026_0001.html"); !strings.Contains(page, `href="RHSA-2026_0001.txt"`) {
		t.Error("the page does not lead to the whole text")
	}
	if page := text(read(t, out, "exceptions.html")); !strings.Contains(page, "cut here; 1120000 bytes in the archive") {
		t.Error("a text is cut without saying so")
	}
}

// readd adds the snapshots of a memory anew, so that gaps fit the states.
func readd(m *sitetest.Memory) *sitetest.Memory {
	out := &sitetest.Memory{Known: m.Known, Records: m.Records, Policy: m.Policy}
	for _, r := range m.Refs {
		r.Snapshot.Gaps, r.Snapshot.Counts = nil, katprep.Counts{}
		out.Add(r.Commit, r.Snapshot, m.Hosts[r.Commit]...)
	}
	return out
}
