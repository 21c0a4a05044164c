package probe

import (
	"errors"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

func TestReadSections(t *testing.T) {
	in := "Welcome to host\nprofile noise\n@@M host\na=1\n\n@@M rc 0\n@@M dpkg\nx\n@@ dpkg\n@@other end\n\n@@M rc 2\n@@M err first\n@@M err se\x01cond\n@@M end\ntrailing"
	out, err := Read(strings.NewReader(in), "@@M")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Section{
		"host": {Data: "a=1\n", RC: 0},
		"dpkg": {Data: "x\n@@ dpkg\n@@other end\n", RC: 2, Errors: []string{"first", "se cond"}},
	}
	if !out.Complete || !reflect.DeepEqual(out.Sections, want) {
		t.Errorf("got %+v", out)
	}
	if f := out.Sections["dpkg"].Failure(); f != "se cond" {
		t.Errorf("failure = %q", f)
	}
}

func TestReadBroken(t *testing.T) {
	whole := "@@M host\na=1\n\n@@M rc 0\n@@M dpkg\nline one\nline two\n\n@@M rc 0\n@@M end\n"
	for n := range len(whole) {
		out, err := Read(strings.NewReader(whole[:n]), "@@M")
		if errors.Is(err, ErrNotStarted) {
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if out.Complete && n < len(whole)-1 {
			t.Errorf("cut at %d: complete", n)
		}
		if s, ok := out.Sections["dpkg"]; ok && s.RC == 0 && n < strings.LastIndex(whole, "@@M rc 0")+len("@@M rc 0") {
			t.Errorf("cut at %d: section dpkg has an end: %+v", n, s)
		}
	}
	for _, in := range []string{"", "This account is currently not available.\n", "@@X host\n@@X end\n"} {
		if _, err := Read(strings.NewReader(in), "@@M"); !errors.Is(err, ErrNotStarted) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestReadError(t *testing.T) {
	boom := errors.New("boom")
	out, err := Read(io.MultiReader(strings.NewReader("@@M host\na=1\n"), errReader{boom}), "@@M")
	if !errors.Is(err, boom) || out.Complete || out.Sections["host"].RC != -1 {
		t.Errorf("%+v, %v", out, err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestScriptIsOneUnit proves that a script cut short by a broken connection
// runs nothing at all.
func TestScriptIsOneUnit(t *testing.T) {
	peers.Need(t, "sh")
	mark := NewMark()
	text := Script(mark, Options{})
	for _, n := range []int{len(text) / 4, len(text) / 2, strings.LastIndex(text, "main <")} {
		cmd := exec.Command("sh", "-s")
		cmd.Stdin = strings.NewReader(text[:n])
		out, _ := cmd.Output()
		if strings.Contains(string(out), mark) {
			t.Errorf("the first %d bytes of the script ran: %.100q", n, out)
		}
	}
}

// TestShells runs the probe in every POSIX shell that is here.
func TestShells(t *testing.T) {
	for _, sh := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"ksh"}, {"zsh", "--emulate", "sh"}} {
		if _, err := exec.LookPath(sh[0]); err != nil {
			continue
		}
		mark := NewMark()
		cmd := exec.CommandContext(t.Context(), sh[0], append(sh[1:], "-s")...)
		cmd.Stdin = strings.NewReader(Script(mark, Options{HostOnly: true}))
		b, _ := cmd.Output()
		out, err := Read(strings.NewReader(string(b)), mark)
		if err != nil || !out.Complete {
			t.Errorf("%v: %v, complete %v", sh, err, out.Complete)
			continue
		}
		if h := ParseHost(out.Data("host")); h.Kernel == "" || h.Boot.ID == "" || h.Boot.Time.IsZero() {
			t.Errorf("%v: host %+v", sh, h)
		}
	}
}

func TestCleanIsOneHarmlessLine(t *testing.T) {
	for in, want := range map[string]string{
		" a\tb ": "a b", "a\x1b[31mred": "a [31mred", "\xff\xfe": "\uFFFD", "a\u0085b": "a b", "ä": "ä",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Clean(strings.Repeat("ä", 1000)); len(got) > 404 || !strings.HasSuffix(got, "…") {
		t.Errorf("long text: %d bytes", len(got))
	}
}

func FuzzRead(f *testing.F) {
	f.Add("noise\n@@M host\na=1\n\n@@M rc 0\n@@M err x\n@@M end\n")
	f.Add("@@M rc\n@@M  \n@@M err\n@@M a\n@@M b\n@@M rc 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, in string) {
		out, err := Read(strings.NewReader(in), "@@M")
		if err == nil && len(out.Sections) == 0 && out.Complete && !strings.Contains(in, "@@M end") {
			t.Error("complete without an end")
		}
		for name, s := range out.Sections {
			if len(s.Data) > 3*len(in) || name == "" && s.Data != "" {
				t.Errorf("section %q: %d bytes of %d", name, len(s.Data), len(in))
			}
		}
	})
}
