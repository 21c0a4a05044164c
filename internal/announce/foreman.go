package announce

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// An Outcome says what became of an announcement.
type Outcome string

// The outcomes.
const (
	Told    Outcome = "told"    // written, and read back where it can be
	Already Outcome = "already" // it says so already
	Skipped Outcome = "skipped" // left alone, for the reason given
	Failed  Outcome = "failed"
)

// A Result is the outcome for one host.
type Result struct {
	Item    *Item
	Outcome Outcome
	Reason  string // of what was skipped
	Err     error  // of what failed
}

// A Foreman is where announcements go.
type Foreman struct {
	Client *foremanapi.Client
	Server *foremanapi.Server // what its version can
	DryRun bool               // read what is there, write nothing
}

// Tell announces items, several hosts at once, and returns their results in
// the order of the items. Hosts that fail do not stop the others.
func (f Foreman) Tell(ctx context.Context, way Way, items []Item, workers int) []Result {
	results := make([]Result, len(items))
	var g errgroup.Group
	g.SetLimit(max(1, workers))
	for i := range items {
		g.Go(func() error {
			results[i] = f.tell(ctx, way, &items[i])
			return nil
		})
	}
	_ = g.Wait() // each result has its own error
	return results
}

func (f Foreman) tell(ctx context.Context, way Way, it *Item) Result {
	id, err := strconv.ParseInt(it.Host.ID, 10, 64)
	if err != nil || id <= 0 {
		return Result{Item: it, Outcome: Failed, Err: katprep.Errorf(katprep.Internal, "the host has the ID %q, which is none of Foreman's", it.Host.ID)}
	}
	page, err := f.Client.HostPage(ctx, id)
	if err != nil {
		return Result{Item: it, Outcome: Failed, Err: err}
	}
	var outcome Outcome
	var reason string
	switch way {
	case Comment:
		outcome, reason, err = f.comment(ctx, id, page.Comment, it)
	case Parameter:
		outcome, reason, err = f.parameters(ctx, id, it)
	case Report:
		outcome, reason, err = f.report(ctx, id, page.Name, it)
	default:
		err = katprep.Errorf(katprep.Internal, "no such way to announce: %q", way)
	}
	if err != nil {
		outcome = Failed
	}
	return Result{Item: it, Outcome: outcome, Reason: reason, Err: err}
}

const newerRun = "a newer run is announced there"

const mark = foremanapi.AnnounceMark

// comment puts the line into the host's comment; everything else of it stays
// as it is.
func (f Foreman) comment(ctx context.Context, id int64, old string, it *Item) (Outcome, string, error) {
	comment, newer := withLine(old, it.Line(), it.At)
	switch {
	case newer:
		return Skipped, newerRun, nil
	case comment == old:
		return Already, "", nil
	case f.DryRun:
		return Told, "", nil
	}
	if err := f.Client.SetComment(ctx, id, comment); err != nil {
		return Failed, "", err
	}
	now, err := f.Client.HostPage(ctx, id)
	if err != nil {
		return Failed, "", err
	}
	if !strings.Contains(now.Comment, mark+it.Line()) {
		return Failed, "", katprep.Errorf(katprep.Conflict, "the comment does not show what was written")
	}
	return Told, "", nil
}

// withLine replaces katprep's line in a comment, or adds it at the end. A line
// that only begins like katprep's, and one that was added to, is somebody's
// own text. newer means that the line there is of a later time.
func withLine(comment, line string, at time.Time) (out string, newer bool) {
	lines := strings.SplitAfter(comment, "\n")
	for i, l := range lines {
		body := strings.TrimRight(l, "\r\n")
		was, ours := foremanapi.Announced(strings.TrimPrefix(body, mark))
		if !ours || !strings.HasPrefix(body, mark) {
			continue
		}
		if was.After(at.Truncate(time.Minute)) {
			return comment, true
		}
		lines[i] = mark + line + l[len(body):]
		return strings.Join(lines, ""), false
	}
	if comment != "" && !strings.HasSuffix(comment, "\n") {
		comment += "\n"
	}
	return comment + mark + line, false
}

// The parameters that are katprep's own here.
const (
	ParamText = "katprep_last_maintenance"
	ParamLink = "katprep_last_maintenance_url"
)

// parameters sets the two parameters.
func (f Foreman) parameters(ctx context.Context, id int64, it *Item) (Outcome, string, error) {
	own, err := f.Client.HostParameters(ctx, id)
	if err != nil {
		return Failed, "", err
	}
	have := map[string]foremanapi.Parameter{}
	for _, p := range own {
		have[string(p.Name)] = p
	}
	plain := *it
	plain.Link = ""
	if old, ok := have[ParamText]; ok {
		was, ours := foremanapi.Announced(valueOf(old))
		switch {
		case !ours || bool(old.Hidden):
			return Failed, "", katprep.Errorf(katprep.Conflict, "parameter %s holds what katprep did not write", ParamText).WithHint("remove it, or announce in another way")
		case was.After(it.At.Truncate(time.Minute)):
			return Skipped, newerRun, nil
		}
	}
	changed := false
	for _, w := range []struct{ name, value string }{{ParamText, plain.Line()}, {ParamLink, it.Link}} {
		c, err := f.parameter(ctx, id, have, w.name, w.value)
		if err != nil {
			return Failed, "", err
		}
		changed = changed || c
	}
	if !changed {
		return Already, "", nil
	}
	return Told, "", nil
}

// parameter makes a parameter hold the value, and reports whether it had to
// be changed. Without a value an old link goes.
func (f Foreman) parameter(ctx context.Context, id int64, have map[string]foremanapi.Parameter, name, value string) (bool, error) {
	p, there := have[name]
	if there && valueOf(p) == value || !there && value == "" {
		return false, nil
	}
	if f.DryRun {
		return true, nil
	}
	var err error
	switch {
	case !there:
		err = f.Client.CreateParameter(ctx, f.Server, id, name, value)
	case value == "":
		return true, f.Client.DeleteParameter(ctx, id, p.ID.N)
	default:
		err = f.Client.UpdateParameter(ctx, id, p.ID.N, value)
	}
	if err != nil {
		return false, err
	}
	now, err := f.Client.HostParameters(ctx, id)
	if err != nil {
		return false, err
	}
	for _, p := range now {
		if string(p.Name) == name && valueOf(p) == value {
			return true, nil
		}
	}
	return false, katprep.Errorf(katprep.Conflict, "parameter %s does not show what was written", name)
}

func valueOf(p foremanapi.Parameter) string {
	var s string
	if json.Unmarshal(p.Value, &s) != nil {
		return string(p.Value)
	}
	return s
}

// source is what katprep's reports say they come from. It must hold neither
// "Puppet" nor "ansible": the server would count the report as one of theirs.
const source = "katprep"

// report uploads a config report. Where another program reports for the host,
// its status there would be hidden until its next report: such a host is left
// alone.
func (f Foreman) report(ctx context.Context, id int64, name string, it *Item) (Outcome, string, error) {
	last, any, err := f.Client.LastReport(ctx, id)
	switch {
	case err != nil:
		return Failed, "", err
	case any && !ours(last):
		return Skipped, "another program reports for this host, whose status a report of katprep would hide", nil
	case any && last.At.Equal(it.At):
		return Already, "", nil
	case any && last.At.After(it.At):
		return Skipped, newerRun, nil
	case f.DryRun:
		return Told, "", nil
	}
	fresh, err := f.Client.UploadReport(ctx, f.Server, it.configReport(name))
	if err == nil && !fresh {
		return Already, "", nil
	}
	return Told, "", err
}

func ours(r foremanapi.LastReport) bool { return len(r.Sources) == 1 && r.Sources[0] == source }

// configReport counts a failure only where a step of the run failed: only
// that turns the host red in Foreman.
func (it *Item) configReport(name string) foremanapi.ConfigReport {
	r := foremanapi.ConfigReport{Host: name, At: it.At, Seconds: it.Seconds, Source: source}
	r.Status = foremanapi.ReportStatus{Applied: it.Installed, Pending: it.Pending, Skipped: it.Unknown}
	if it.Rebooted {
		r.Status.Restarted = 1
	}
	level := "notice"
	if it.Failed {
		r.Status.Failed, level = 1, "err"
	}
	r.Logs = append(r.Logs, foremanapi.ReportLog{Level: level, Message: it.Line()})
	for _, d := range it.Details {
		r.Logs = append(r.Logs, foremanapi.ReportLog{Level: d.Level, Message: d.Text})
	}
	return r
}
