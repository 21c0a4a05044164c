package site

import (
	"os"
	"path/filepath"
	"testing"
)

const adoptedDir = "maintenances/a/hosts"

// oldSite publishes a site with a folder of two pages, and returns where it
// is and what is in the folder.
func oldSite(t *testing.T) (out string, files []kept) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "public")
	tr := open(t, out)
	files = []kept{{adoptedDir + "/x.html", 1}, {adoptedDir + "/y.html", 2}}
	put(t, tr, marker, markerText)
	put(t, tr, files[0].path, "x")
	put(t, tr, files[1].path, "yy")
	publish(t, tr)
	return out, files
}

func open(t *testing.T, out string) *tree {
	t.Helper()
	tr, err := openTree(out)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func put(t *testing.T, tr *tree, name, text string) {
	t.Helper()
	if _, err := tr.write(name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, tr *tree) {
	t.Helper()
	if err := tr.publish(); err != nil {
		t.Fatal(err)
	}
	tr.discard()
}

// whole holds that the folder is there, and a folder.
func whole(t *testing.T, out string) {
	t.Helper()
	dir := filepath.Join(out, filepath.FromSlash(adoptedDir))
	if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() {
		t.Errorf("no folder: %v, %v", fi, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "y.html")); err != nil || string(b) != "yy" {
		t.Errorf("page: %q, %v", b, err)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func adoptOrSkip(t *testing.T, tr *tree, files []kept) {
	t.Helper()
	if !tr.trades {
		tr.discard()
		t.Skip("the file system exchanges no names")
	}
	if !tr.adopt(adoptedDir, files) {
		t.Fatal("the folder is not taken")
	}
}

func TestAdopt(t *testing.T) {
	out, files := oldSite(t)
	tr := open(t, out)
	adoptOrSkip(t, tr, files)
	put(t, tr, marker, markerText)
	publish(t, tr)
	whole(t, out)
}

// TestKilledWhilePublishing holds that the site is whole also between the two
// steps of publishing, and that the next build ends what was begun.
func TestKilledWhilePublishing(t *testing.T) {
	out, files := oldSite(t)
	tr := open(t, out)
	adoptOrSkip(t, tr, files)
	put(t, tr, marker, markerText)
	if err := exchange(tr.tmp, tr.out); err != nil { // and then it is killed
		t.Fatal(err)
	}
	tr.lock.Close()
	if b, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(files[1].path))); err != nil || string(b) != "yy" {
		t.Errorf("in between: %q, %v", b, err)
	}
	open(t, out).discard() // a build that fails at once
	whole(t, out)
}

// TestAdoptFailed holds that a build that fails leaves the folder where it is.
func TestAdoptFailed(t *testing.T) {
	out, files := oldSite(t)
	tr := open(t, out)
	adoptOrSkip(t, tr, files)
	tr.discard()
	whole(t, out)
}

func TestAdoptNothingElse(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"cut short": func(dir string) error { return os.Truncate(filepath.Join(dir, "y.html"), 1) },
		"gone":      func(dir string) error { return os.Remove(filepath.Join(dir, "x.html")) },
		"one more":  func(dir string) error { return os.WriteFile(filepath.Join(dir, "z.html"), nil, 0o600) },
		"renamed": func(dir string) error {
			return os.Rename(filepath.Join(dir, "x.html"), filepath.Join(dir, "z.html"))
		},
		"a link": func(dir string) error {
			return os.Rename(dir, dir+"2")
		},
	} {
		out, files := oldSite(t)
		dir := filepath.Join(out, filepath.FromSlash(adoptedDir))
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if name == "a link" {
			if err := os.Symlink("hosts2", dir); err != nil {
				t.Skip(err)
			}
		}
		tr := open(t, out)
		if tr.adopt(adoptedDir, files) {
			t.Errorf("%s: the folder is taken all the same", name)
		}
		tr.discard()
	}
}
