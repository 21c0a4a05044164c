package livestatus

import (
	"strings"
	"testing"
	"time"
)

func FuzzEncode(f *testing.F) {
	f.Add("web01", "patching; now")
	f.Add("a\nFilter: name ~ .*", "x\n\nCOMMAND [0] SHUTDOWN_PROGRAM")
	f.Fuzz(func(t *testing.T, name, comment string) {
		if lines, err := (query{table: "hosts", columns: []string{"name"}, where: "name", values: []string{name}}).encode(); err == nil {
			if strings.Count(lines, "\n") != 6 || strings.Index(lines, "\n\n") != len(lines)-2 {
				t.Errorf("the query of %q is %q", name, lines)
			}
		}
		if line, err := encodeCommand(time.Unix(0, 0), "SCHEDULE_HOST_DOWNTIME", []string{name, "1", comment}); err == nil {
			if strings.Count(line, "\n") != 2 || !strings.HasSuffix(line, "\n\n") || strings.Contains(name, ";") {
				t.Errorf("the command of %q, %q is %q", name, comment, line)
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("200           3\n[]\n")
	f.Add("452          -1\n")
	f.Add("400: bad")
	f.Fuzz(func(t *testing.T, answer string) {
		code, body, err := split(answer)
		if err == nil && (code < 0 || !strings.HasSuffix(answer, body)) {
			t.Errorf("split(%q) = %d, %q", answer, code, body)
		}
	})
}
