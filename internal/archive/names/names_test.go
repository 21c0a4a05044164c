package names

import (
	"regexp"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, c := range []struct{ got, want string }{
		{Host("web01.example.com"), "hosts/example.com/web01.json"},
		{Host("web01"), "hosts/_/web01.json"},
		{Host("web01."), "hosts/_/web01%2e.json"},
		{Host("Web01.Example.com"), "hosts/+e+xample.com/+w+eb01.json"},
		{Host("WEB01.EXAMPLE.COM"), "hosts/+example.com/+web01.json"},
		{Host(""), "hosts/_/_.json"},
		{Host("_"), "hosts/_/%5f.json"},
		{Host("."), "hosts/_/%2e.json"},
		{Host(".."), "hosts/%2e/_.json"},
		{Host("../../etc/passwd"), "hosts/%2e%2f..%2fetc%2fpasswd/_.json"},
		{Host(".git"), "hosts/git/_.json"},
		{Host("a..git"), "hosts/%2egit/a.json"},
		{Host("CON"), "hosts/_/+con.json"},
		{Host("con"), "hosts/_/%63on.json"},
		{Host("x.com1.org"), "hosts/%63om1.org/x.json"},
		{Host("git~1"), "hosts/_/git%7e1.json"},
		{Host("wéb.example.com"), "hosts/example.com/w%c3%a9b.json"},
		{Host(long), "hosts/_/" + long[:80] + "%-9835fa6bf4e20a9b9ea812506302e989.json"},
		{Twin("web01.example.com", "Satellite", "5", false), "hosts/example.com/web01@+s+atellite.json"},
		{Twin("web01.example.com", "sat", "5", true), "hosts/example.com/web01@sat@5.json"},
		{Erratum("RHSA-2026:0001"), "errata/rhsa-2026/rhsa-2026%3a0001.json"},
		{Erratum("USN-7123-1"), "errata/usn/usn-7123-1.json"},
		{Erratum("DSA-5432-1"), "errata/dsa/dsa-5432-1.json"},
		{Erratum("FEDORA-EPEL-2024-1a2b3c"), "errata/fedora-epel-2024/fedora-epel-2024-1+a2b3c.json"},
		{Erratum("openSUSE-SU-2024:0001-1"), "errata/+open+suse-su-2024/+open+suse-su-2024%3a0001-1.json"},
		{Erratum(""), "errata/_/_.json"},
		{Run("patch-2026-11"), "runs/patch-2026-11"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestIsHost(t *testing.T) {
	for file, want := range map[string]bool{
		"web01.json": true, "web01@sat.json": true, "web01@sat@5.json": true,
		"web011.json": false, "web01": false, "web0.json": false, "web01.json.json": false,
	} {
		if IsHost(file, "web01.example.com") != want {
			t.Errorf("IsHost(%q) is %v", file, !want)
		}
	}
}

var component = regexp.MustCompile(`^[a-z0-9_%+][a-z0-9._%+@-]*[a-z0-9_%+-]$|^[a-z0-9_]$`)

// FuzzHost holds the two promises: a harmless path, and never the same path
// for two names.
func FuzzHost(f *testing.F) {
	for _, s := range [][2]string{
		{"web01.example.com", "WEB01.example.com"}, {".git", "..git"}, {"CON", "con"}, {"a.b", "a..b"},
		{strings.Repeat("x", 300), strings.Repeat("x", 301)}, {"é", "é"}, {"a%2e", "a."}, {"+a", "A"}, {"_", ""},
		{"\x00", "\xff"}, {"a@b", "a"}, {"a.b.", "a.b"}, {"con.json", "%63on.json"}, {"-rf", "rf"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		pa, pb := Host(a), Host(b)
		if (a == b) != (pa == pb) {
			t.Fatalf("%q and %q have the paths %q and %q", a, b, pa, pb)
		}
		if ea, eb := Erratum(a), Erratum(b); (a == b) != (ea == eb) {
			t.Fatalf("errata %q and %q have the paths %q and %q", a, b, ea, eb)
		}
		for _, p := range []string{pa, Erratum(a), Twin(a, b, a, false), Twin(a, b, a, true)} {
			harmless(t, p)
		}
		if Twin(a, b, "1", false) == pa {
			t.Fatal("twin has the plain path")
		}
		if _, file, _ := strings.Cut(strings.TrimPrefix(pa, "hosts/"), "/"); !IsHost(file, a) {
			t.Fatalf("%q does not belong to %q", file, a)
		}
	})
}

func harmless(t *testing.T, path string) {
	t.Helper()
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts", path, len(parts))
	}
	for _, p := range parts {
		if len(p) > 255 || !component.MatchString(p) || p == "." || p == ".." || strings.HasPrefix(p, ".git") || device(p) {
			t.Fatalf("component %q of %q", p, path)
		}
	}
}
