package nagios

import (
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/nagioscgi"
)

const row = `<tr CLASS='downtimeOdd'><td CLASS='downtimeOdd'><A HREF='extinfo.cgi?type=1&host=web01'>web01</A></td>SERVICE<td CLASS='downtimeOdd'>11-24-2026 22:54:08</td>` +
	`<td CLASS='downtimeOdd'>nagiosadmin</td><td CLASS='downtimeOdd'>katprep-run1 patch & "x"</td><td CLASS='downtimeOdd'>11-24-2026 22:54:07</td>` +
	`<td CLASS='downtimeOdd'>11-24-2026 23:54:07</td><td CLASS='downtimeOdd'>Fixed</td><td CLASS='downtimeOdd'>0d 1h 0m 0s</td><td CLASS='downtimeOdd'>4</td><td CLASS='downtimeOdd'>N/A</td>
<td><a href='cmd.cgi?cmd_typ=TYPE&down_id=4'><img src='/nagios/images/delete.gif'></td></tr>`

func page(service, typ string) string {
	return strings.NewReplacer("SERVICE", service, "TYPE", typ).Replace(row)
}

// TestDowntimePage: a row that does not agree with its own link is not
// believed, because what it says may be removed.
func TestDowntimePage(t *testing.T) {
	clock, err := nagioscgi.NewClock("us", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	const http = "<td CLASS='downtimeOdd'><A HREF='extinfo.cgi?type=2&host=web01&service=HTTP'>HTTP</A></td>"
	for name, test := range map[string]struct {
		page string
		want int
	}{
		"host":              {page("", "78"), 1},
		"service":           {page(http, "79"), 1},
		"both":              {page("", "78") + page(http, "79"), 2},
		"host as service":   {page("", "79"), 0},
		"service as host":   {page(http, "78"), 0},
		"another ID":        {strings.Replace(page("", "78"), "down_id=4", "down_id=5", 1), 0},
		"no ID":             {strings.Replace(page("", "78"), "down_id=4", "down_id=x", 1), 0},
		"another command":   {page("", "171"), 0},
		"a cell too many":   {strings.Replace(page("", "78"), "<td CLASS='downtimeOdd'>Fixed", "<td CLASS='downtimeOdd'>x</td><td CLASS='downtimeOdd'>Fixed", 1), 0},
		"nothing":           {"<table></table>", 0},
		"an entity in it":   {strings.Replace(page("", "78"), "patch &", "patch &lt;tr&gt;", 1), 1},
		"cut in the middle": {page("", "78")[:300], 0},
	} {
		es, err := downtimePage(test.page, clock)
		if err != nil || len(es) != test.want {
			t.Errorf("%s: %+v, %v; want %d", name, es, err, test.want)
		}
		for _, e := range es {
			if e.Host != "web01" || e.ID != "4" || !strings.HasPrefix(e.Comment, "katprep-run1 patch ") || e.End.Format(time.RFC3339) != "2026-11-24T23:54:07Z" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	if _, err := downtimePage(strings.ReplaceAll(page("", "78"), "11-24-2026", "24-11-2026"), clock); err == nil {
		t.Error("times in another format: no error")
	}
}

func TestPartOfAList(t *testing.T) {
	for text, whole := range map[string]bool{
		"Results 1 - 3 of 3 Matching Services": true, "Results 1 - 100 of 130 Matching Services": false,
		"Results 101 - 130 of 130 Matching Services": false, "Results 0 - 0 of 0 Matching Hosts": true, "": true,
	} {
		if _, err := statusPage(text); (err == nil) != whole {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzStatusPage(f *testing.F) {
	f.Add(`<td class='statusHOSTUP'><a href='extinfo.cgi?type=1&host=a' title='192.0.2.1'>a</a></td><td class='statusHOSTUP'>UP</td><td class='statusOdd'>x</td>`)
	f.Add(`<a href='extinfo.cgi?type=2&host=a&service=b'>b</a><td class='statusCRITICALACK'>CRITICAL</td>`)
	f.Fuzz(func(t *testing.T, page string) {
		list, err := statusPage(page)
		for _, s := range list {
			if s.host == "" && s.service == "" || err != nil {
				t.Errorf("%q: %+v, %v", page, s, err)
			}
			s.check()
		}
	})
}

func FuzzDowntimePage(f *testing.F) {
	f.Add(page("", "78"))
	f.Add(page("<td CLASS='downtimeOdd'>HTTP</td>", "79"))
	clock, err := nagioscgi.NewClock("us", time.UTC)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, page string) {
		es, _ := downtimePage(page, clock)
		for _, e := range es {
			if e.ID == "" || !strings.Contains(page, "down_id=") {
				t.Errorf("%q: %+v", page, e)
			}
		}
	})
}
