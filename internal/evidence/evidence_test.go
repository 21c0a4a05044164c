package evidence

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/peers"
)

// maintained makes an archive with a run, signed if a key is given.
func maintained(t *testing.T, o sign.Options) (*archive.Archive, Options) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.git")
	if err := archive.Init(path); err != nil {
		t.Fatal(err)
	}
	opts := archive.Options{Author: archive.Person{Name: "Ann", Email: "ann@example.com"}}
	if o.SSHKey != "" {
		s, err := sign.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		opts.Sign = s
	}
	a, err := archive.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return maintainedIn(t, a, "Patch-1", time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC))
}

// maintainedIn adds a run to an archive.
func maintainedIn(t *testing.T, a *archive.Archive, run katprep.RunID, at time.Time) (*archive.Archive, Options) {
	t.Helper()
	ctx := t.Context()
	shot := func(ph katprep.Phase, evr katprep.EVR) katprep.CommitID {
		w, err := a.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		s := katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "s", ID: "1"}, Name: "h1.example.com"}, Status: katprep.Collected,
			Packages: []katprep.Package{{Name: "bash", EVR: evr}}}
		if err := w.Put(ctx, s); err != nil {
			t.Fatal(err)
		}
		c, err := w.Commit(ctx, katprep.Snapshot{Run: run, Phase: ph, Finished: at, Counts: katprep.Counts{Hosts: 1, Collected: 1, ErrataUnknown: 1, RebootUnknown: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Tag(ctx, run, ph, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := shot(katprep.Before, "5.1-1")
	_, err1 := a.PutPlan(ctx, katprep.Plan{Run: run, Before: before})
	_, err2 := a.PutJournal(ctx, run, katprep.StageExecute, []katprep.Entry{{Seq: 1, At: time.Unix(1, 0).UTC(), Event: katprep.EventDone}})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return a, Options{Run: run, Before: before, After: shot(katprep.After, "5.1-2"), Version: "1", Files: []File{
		{"report.html", "the report", func(w io.Writer) error { _, err := io.WriteString(w, "<p>report\n"); return err }},
	}}
}

// follow types every command of the README, in the folder, and returns what
// they said.
func follow(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	n := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    ")
		if !ok || strings.HasPrefix(command, " ") {
			continue
		}
		n++
		c := exec.CommandContext(t.Context(), "sh", "-c", command)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C", "GIT_PAGER=cat")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		said.Write(out)
	}
	if n < 6 {
		t.Fatalf("the README has %d commands", n)
	}
	return said.String()
}

func sshKey(t *testing.T) string {
	t.Helper()
	peers.Need(t, "git", "ssh-keygen", "sha256sum")
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return key
}

// TestStranger checks the evidence as its README says: with git, ssh-keygen
// and sha256sum, and nothing of ours.
func TestStranger(t *testing.T) {
	a, o := maintained(t, sign.Options{SSHKey: sshKey(t)})
	dir := filepath.Join(t.TempDir(), "out")
	if err := Export(t.Context(), a, dir, o); err != nil {
		t.Fatal(err)
	}
	said := follow(t, dir)
	if n := strings.Count(said, "Good \"git\" signature for ann@example.com"); n < 5 {
		t.Errorf("%d good signatures in\n%s", n, said)
	}
	if !strings.Contains(said, `-    {"name":"bash","evr":"5.1-1"}`) || !strings.Contains(said, "history.bundle: OK") {
		t.Errorf("the commands said\n%s", said)
	}
	// Whatever is changed afterwards is found by the first command.
	if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte("all is well"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sha256sum", "-c", "SHA256SUMS")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "report.html: FAILED") {
		t.Errorf("a changed report: %v\n%s", err, out)
	}
}

func TestUnsigned(t *testing.T) {
	peers.Need(t, "git", "sha256sum")
	a, o := maintained(t, sign.Options{})
	dir := filepath.Join(t.TempDir(), "out")
	if err := Export(t.Context(), a, dir, o); err != nil {
		t.Fatal(err)
	}
	follow(t, dir)
	if text, err := os.ReadFile(filepath.Join(dir, "README.txt")); err != nil || !strings.Contains(string(text), "not signed") {
		t.Errorf("the README hides that nothing is signed: %v\n%s", err, text)
	}
	if err := Export(t.Context(), a, dir, o); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("a second time: %v", err)
	}
	bad := o
	bad.Files = []File{{"../x", "", nil}}
	if err := Export(t.Context(), a, filepath.Join(t.TempDir(), "bad"), bad); err == nil {
		t.Error("wrote outside of the folder")
	}
}

// TestSameBytes holds that two exports of one archive are equal.
func TestSameBytes(t *testing.T) {
	a, o := maintained(t, sign.Options{})
	var zips [2][]byte
	for i := range zips {
		dir := filepath.Join(t.TempDir(), "out")
		if err := Export(t.Context(), a, dir, o); err != nil {
			t.Fatal(err)
		}
		if err := Zip(dir+".zip", dir); err != nil {
			t.Fatal(err)
		}
		if err := Zip(dir+".zip", dir); err == nil {
			t.Error("an archive was overwritten")
		}
		var err error
		if zips[i], err = os.ReadFile(dir + ".zip"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two exports differ")
	}
}
