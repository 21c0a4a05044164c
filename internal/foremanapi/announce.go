package foremanapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// A HostPage is what of a host's page somebody may want to change, as it is
// now.
type HostPage struct {
	Name    string
	Comment string
	MayEdit katprep.Answer // whether the login may; unknown where the server does not say
}

// HostPage reads one host's page. A host that is gone is an error of kind
// katprep.NotFound.
func (c *Client) HostPage(ctx context.Context, host int64) (HostPage, error) {
	var h struct {
		Host
		Permissions object[map[string]flag] `json:"permissions"`
	}
	if err := c.call(ctx, callHost, []string{strconv.FormatInt(host, 10)}, nil, nil, &h); err != nil {
		return HostPage{}, err
	}
	p := HostPage{Name: string(h.Name), Comment: string(h.Comment), MayEdit: katprep.NotKnown}
	if may, said := h.Permissions.V["edit_hosts"]; said {
		p.MayEdit = katprep.No
		if may {
			p.MayEdit = katprep.Yes
		}
	}
	return p, nil
}

// SetComment replaces a host's comment, and nothing else of it.
func (c *Client) SetComment(ctx context.Context, host int64, comment string) error {
	return c.call(ctx, callUpdateHost, []string{strconv.FormatInt(host, 10)}, nil, map[string]any{"host": map[string]any{"comment": comment}}, nil)
}

// A ConfigReport is uploaded as what a configuration management did on a host.
type ConfigReport struct {
	Host    string    // by its present name: an unknown one would be created
	At      time.Time // with the host, what tells reports apart: to the second
	Status  ReportStatus
	Seconds float64 // how long it took; 0: not said
	Source  string  // who says so
	Logs    []ReportLog
}

// ReportStatus counts what was done. The server keeps few bits of each count:
// greater ones are cut.
type ReportStatus struct {
	Applied   int // changes that were made
	Restarted int
	Failed    int // more than 0 turns the host red and mails its owner
	Skipped   int
	Pending   int
}

// A ReportLog is a line of a report. Level is one of debug, info, notice,
// warning, err.
type ReportLog struct {
	Level, Message string
}

// counts has every key that the server knows, and no other: those it answers
// with an error.
func (s ReportStatus) counts(limit int) map[string]int {
	return map[string]int{
		"applied": min(s.Applied, limit), "restarted": min(s.Restarted, limit), "failed": min(s.Failed, limit),
		"failed_restarts": 0, "skipped": min(s.Skipped, limit), "pending": min(s.Pending, limit),
	}
}

const reportTime = "2006-01-02 15:04:05 UTC"

// UploadReport uploads a report. If the server has one of that host and time
// already, nothing is changed and fresh is false.
func (c *Client) UploadReport(ctx context.Context, server *Server, r ConfigReport) (fresh bool, err error) {
	limit := 1023
	if server.Foreman.Before(2, 4) {
		limit = 63
	}
	logs := make([]any, len(r.Logs))
	for i, l := range r.Logs {
		logs[i] = map[string]any{"log": map[string]any{
			"sources": map[string]any{"source": r.Source}, "messages": map[string]any{"message": l.Message}, "level": l.Level,
		}}
	}
	metrics := map[string]any{}
	if r.Seconds > 0 {
		metrics["time"] = map[string]any{"total": r.Seconds}
	}
	body := map[string]any{"config_report": map[string]any{
		"host": r.Host, "reported_at": r.At.UTC().Format(reportTime), "status": r.Status.counts(limit), "metrics": metrics, "logs": logs,
	}}
	err = c.call(ctx, callUploadReport, nil, nil, body, nil)
	if StatusOf(err) == http.StatusUnprocessableEntity && strings.Contains(err.Error(), "already been taken") {
		return false, nil
	}
	return err == nil, err
}

// A LastReport is the newest report that the server has of a host.
type LastReport struct {
	At      time.Time
	Sources []string // of its lines, each once
}

// LastReport returns the newest report of a host; ok is false if there is
// none.
func (c *Client) LastReport(ctx context.Context, host int64) (r LastReport, ok bool, err error) {
	var raw struct {
		At   text `json:"reported_at"`
		Logs list[struct {
			Source object[struct {
				Source text `json:"source"`
			}] `json:"source"`
		}] `json:"logs"`
	}
	err = c.call(ctx, callLastReport, []string{strconv.FormatInt(host, 10)}, nil, nil, &raw)
	if StatusOf(err) == http.StatusNotFound && strings.Contains(err.Error(), "config_report not found") {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	r.At = ParseTime(string(raw.At))
	for _, l := range raw.Logs.V {
		if s := string(l.Source.V.Source); !slices.Contains(r.Sources, s) {
			r.Sources = append(r.Sources, s)
		}
	}
	return r, true, nil
}

// CanSeeReports asks for reports: nil if the login may read them.
func (c *Client) CanSeeReports(ctx context.Context) error {
	return c.call(ctx, callConfigReports, nil, one, nil, nil)
}

// AnnounceMark begins the one line of a host's comment that is katprep's.
const AnnounceMark = "[katprep run] "

// AnnounceTime is how an announcement begins, after the mark: when, then which
// run, a colon, and what.
const AnnounceTime = "2006-01-02 15:04 UTC"

// Announced reads the time of an announcement, without its mark; ok is false
// for any other text.
func Announced(s string) (at time.Time, ok bool) {
	if len(s) < len(AnnounceTime)+2 || s[len(AnnounceTime)] != ' ' || !strings.Contains(s[len(AnnounceTime):], ": ") {
		return time.Time{}, false
	}
	at, err := time.Parse(AnnounceTime, s[:len(AnnounceTime)])
	return at, err == nil
}

// WithoutAnnouncement is a host's comment as people wrote it: without
// katprep's own line, and without line ends after the last word, of which one
// may have come with that line.
func WithoutAnnouncement(comment string) string {
	if !strings.Contains(comment, AnnounceMark) {
		return strings.TrimRight(comment, "\r\n")
	}
	var kept strings.Builder
	for l := range strings.Lines(comment) {
		if said, ours := strings.CutPrefix(strings.TrimRight(l, "\r\n"), AnnounceMark); ours {
			if _, ours = Announced(said); ours {
				continue
			}
		}
		kept.WriteString(l)
	}
	return strings.TrimRight(kept.String(), "\r\n")
}
