package nagios

import (
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
	"github.com/stdevel/katprep/internal/nagioscgi"
)

// Nagios 3 has pages for people only. They are read as a stream of tags,
// because they are not well-formed: tags stay open, attributes of the next
// one stand in them.

// A shown is a host or service as a status page shows it.
type shown struct {
	host    string
	service string // "": the host itself
	address string // of a host
	state   string // "UP", "CRITICAL" …
	cells   []string
	acked   bool
	down    bool
}

// stateClass is the class of a cell that holds a state.
var stateClass = regexp.MustCompile(`^status(?:HOST)?(OK|WARNING|CRITICAL|UNKNOWN|PENDING|UP|DOWN|UNREACHABLE)`)

// matching says which part of a list a page shows.
var matching = regexp.MustCompile(`Results (\d+) - (\d+) of (\d+) Matching`)

// A pageReader walks over a status page.
type pageReader struct {
	host   string // of the row
	href   string // of the anchor that is open
	title  string
	inCell bool
	class  string
	list   []shown
}

// statusPage reads status.cgi with style=detail or style=hostdetail. A page
// that shows only a part is refused.
func statusPage(page string) ([]shown, error) {
	if m := matching.FindStringSubmatch(page); m != nil && (m[1] != "1" && m[3] != "0" || m[2] != m[3]) {
		return nil, katprep.Errorf(katprep.Corrupt, "Nagios shows only some of its rows: %s", m[0]).WithHint("set result_limit=0 in cgi.cfg")
	}
	var r pageReader
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				return nil, katprep.Errorf(katprep.Corrupt, "page of Nagios: %w", z.Err())
			}
			return r.list, nil
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			r.tag(z.Token())
		case html.TextToken:
			r.text(clean(z.Token().Data))
		}
	}
}

func clean(s string) string { return strings.Trim(s, " \t\r\n\u00a0") }

func attr(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func (r *pageReader) tag(t html.Token) {
	switch end := t.Type == html.EndTagToken; t.Data {
	case "a":
		r.href, r.title = "", ""
		if !end {
			r.href, r.title = attr(t, "href"), attr(t, "title")
		}
	case "td":
		r.inCell, r.class = !end, attr(t, "class")
	case "img":
		r.icon(attr(t, "src"))
	}
}

// icon notes what the picture beside a name says, if it is beside the row's
// own name and not beside the host's of a service.
func (r *pageReader) icon(src string) {
	if len(r.list) == 0 {
		return
	}
	last := &r.list[len(r.list)-1]
	kind := "type=1&"
	if last.service != "" {
		kind = "type=2&"
	}
	if last.state != "" || !strings.Contains(r.href, kind) {
		return
	}
	last.down = last.down || strings.HasSuffix(src, "/downtime.gif")
	last.acked = last.acked || strings.HasSuffix(src, "/ack.gif")
}

func (r *pageReader) text(s string) {
	if s == "" {
		return
	}
	switch {
	case strings.HasPrefix(r.href, "extinfo.cgi?type=1&"):
		r.host = s
		r.list = append(r.list, shown{host: s, address: r.title})
	case strings.HasPrefix(r.href, "extinfo.cgi?type=2&"):
		host := r.host
		if q, err := url.ParseQuery(r.href[strings.IndexByte(r.href, '?')+1:]); err == nil && q.Get("host") != "" {
			host = q.Get("host")
		}
		r.list = append(r.list, shown{host: host, service: s})
	case r.inCell && len(r.list) > 0:
		r.cell(&r.list[len(r.list)-1], s)
	}
}

func (r *pageReader) cell(last *shown, s string) {
	m := stateClass.FindStringSubmatch(r.class)
	if last.state == "" && m != nil && m[1] == s {
		last.state = s
	} else if last.state != "" && strings.HasPrefix(r.class, "status") {
		last.cells = append(last.cells, s)
	}
}

// columns is how many cells follow the state: when, how long, (attempt,)
// output. Services have one more.
func (s *shown) output() string {
	n := 3
	if s.service != "" {
		n = 4
	}
	if len(s.cells) < n {
		return ""
	}
	return downtime.FirstLine(s.cells[n-1])
}

var words = map[string]act.CheckStatus{
	"UP": act.CheckOK, "DOWN": act.CheckCritical, "UNREACHABLE": act.CheckCritical,
	"OK": act.CheckOK, "WARNING": act.CheckWarning, "CRITICAL": act.CheckCritical, "UNKNOWN": act.CheckUnknown, "PENDING": act.CheckPending,
}

func (s *shown) check() act.CheckState {
	c := act.CheckState{Name: s.service, Status: act.CheckUnknown, Output: s.output(), Acknowledged: s.acked, InDowntime: s.down}
	if st, ok := words[s.state]; ok {
		c.Status = st
	}
	return c
}

// downtimePage reads extinfo.cgi?type=6. Only rows that are complete and whose
// link to delete them names the same ID are believed.
func downtimePage(page string, clock nagioscgi.Clock) ([]downtime.Entry, error) {
	var es []downtime.Entry
	var cells []string
	var cell *strings.Builder
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return es, nil
		case html.TextToken:
			if cell != nil {
				cell.WriteString(z.Token().Data)
			}
		case html.EndTagToken:
			if t := z.Token(); t.Data == "td" && cell != nil {
				cells, cell = append(cells, clean(cell.String())), nil
			}
		case html.StartTagToken:
			t := z.Token()
			switch {
			case t.Data == "tr":
				cells, cell = nil, nil
			case t.Data == "td" && strings.HasPrefix(attr(t, "class"), "downtime"):
				cell = &strings.Builder{}
			case t.Data == "a" && strings.HasPrefix(attr(t, "href"), "cmd.cgi?"):
				e, ok, err := downtimeRow(cells, attr(t, "href"), clock)
				if err != nil {
					return nil, err
				}
				if ok {
					es = append(es, e)
				}
			}
		}
	}
}

func downtimeRow(cells []string, href string, clock nagioscgi.Clock) (e downtime.Entry, ok bool, err error) {
	q, err := url.ParseQuery(strings.TrimPrefix(href, "cmd.cgi?"))
	if err != nil {
		return e, false, nil // a link to something else
	}
	switch id := q.Get("down_id"); {
	case q.Get("cmd_typ") == nagioscgi.DeleteService && len(cells) == 11:
		e.Service = cells[1]
		cells = slices.Delete(slices.Clone(cells), 1, 2)
		e.ID = id
	case q.Get("cmd_typ") == nagioscgi.DeleteHost && len(cells) == 10:
		e.ID = id
	}
	if e.ID == "" || cells[8] != e.ID {
		return e, false, nil
	}
	if _, err := strconv.Atoi(e.ID); err != nil {
		return e, false, nil
	}
	e.Host, e.Author, e.Comment = cells[0], cells[2], cells[3]
	if e.Start, err = clock.Read(cells[4]); err != nil {
		return e, false, err
	}
	if e.End, err = clock.Read(cells[5]); err != nil {
		return e, false, err
	}
	if _, err := strconv.Atoi(cells[9]); err == nil {
		e.By = cells[9]
	}
	return e, true, nil
}
