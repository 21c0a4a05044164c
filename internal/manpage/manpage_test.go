package manpage

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

const sample = "## NAME\n\nkatprep-x - do x\n\n## OPTIONS\n\n- **--host**=*GLOB*: hosts by name\n- plain\n\n### More\n\nA line.\n.not a request\n'neither'\n\n```\n$ katprep x --host 'db*'\n.dot\n\nC:\\temp\n```\n\n| code | |\n|---|---|\n| 0 | all `is` well |\n"

func page(md string) Page {
	return Page{Name: "katprep-x", Section: 1, Date: "2026-11-24", Version: "katprep 1", Manual: "katprep manual", Markdown: []byte(md)}
}

func TestRoffEscapes(t *testing.T) {
	got, err := page(sample).Roff()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`.TH "KATPREP\-X" 1 "2026-11-24"`, ".SH NAME\nkatprep\\-x \\- do x\n", `\&.not a request`, `\&.dot`, `C:\etemp`,
		".TP\n\\fB\\-\\-host\\fR=\\fIGLOB\\fR\nhosts by name\n", ".SS More", "\\(aqdb*\\(aq",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestRawHTMLIsRefused(t *testing.T) {
	if _, err := page("## NAME\n\n<div>\nx\n</div>\n").Roff(); err == nil {
		t.Error("HTML was taken")
	}
}

func TestToolsReadIt(t *testing.T) {
	peers.Need(t, "mandoc", "groff")
	roff, err := page(sample).Roff()
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range [][]string{{"mandoc", "-Tlint", "-Wwarning"}, {"groff", "-man", "-ww", "-Tutf8", "-z"}} {
		c := exec.Command(cmd[0], cmd[1:]...)
		c.Stdin = bytes.NewReader(roff)
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s\n%s", cmd[0], err, out, roff)
		}
	}
}
