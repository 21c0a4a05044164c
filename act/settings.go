package act

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// PlanFormat is the version of the plan's layout.
const PlanFormat = katprep.ArchiveFormat

// Settings are what a plan is made by, besides the hosts themselves.
type Settings struct {
	Downtime    time.Duration // length of downtimes; 0: none
	Reboot      RebootPolicy
	OnFailure   katprep.OnFailure
	MaxFailures int            // 0: no limit
	Concurrency int            // hosts at once
	PerSystem   map[string]int // actions at once by "system" or "system/datastore"
	Waves       []WaveRule     // hosts that none takes come last
	Hooks       []HookRule
	Window      katprep.Window
	Updates     bool          // package updates that no erratum brings, too
	Security    bool          // only security errata and updates
	Only        []string      // erratum IDs; empty: all
	Except      []string      // erratum IDs
	Exclude     []string      // globs of packages never to be touched
	VMSnapshot  VMSnapshotUse // which hosts get one
	Quiesce     Quiesce
	Memory      bool
	SnapshotAge time.Duration // older VM snapshots are forgotten ones; 0: katprep.VMSnapshotMaxAge
	Settle      time.Duration // how long services may take to come back; 0: 5 minutes

	Monitors    []PlanSystem
	Hypervisors []PlanSystem
	Patchers    []string // sources that can patch their hosts
}

// A PlanSystem is a monitoring system or hypervisor that a plan may name.
type PlanSystem struct {
	Name string // in the configuration
	Type string
	URL  string
}

// RebootPolicy says when hosts are rebooted after patching.
type RebootPolicy string

// The policies.
const (
	RebootIfNeeded RebootPolicy = "if-needed"
	RebootAlways   RebootPolicy = "always"
	RebootNever    RebootPolicy = "never"
)

// VMSnapshotUse says which hosts get a VM snapshot.
type VMSnapshotUse string

// The ways.
const (
	SnapshotByParameter VMSnapshotUse = "by-parameter" // those with katprep_virt_snapshot
	SnapshotAlways      VMSnapshotUse = "always"       // all but physical ones
	SnapshotNever       VMSnapshotUse = "never"
)

// A WaveRule says which hosts are in a wave. Of several criteria each must
// hold, of several values of one any.
type WaveRule struct {
	katprep.Wave
	Hosts      []string // globs of names
	HostGroups []string // globs; a group's children belong to it
	Parameters []string // "name" or "name=value"
	Percent    int      // of the hosts that match; 0: all of them
}

// A HookRule is a script around a stage.
type HookRule struct {
	Name      string
	Stage     string // "prepare", "patch", "reboot", "verify" or "cleanup", with ".pre" or ".post"
	Where     string // "host" or "controller"
	Text      string
	Undo      string
	User      string
	Env       map[string]string
	Timeout   time.Duration
	OnFailure string // "abort-host", "abort-run", "continue"; empty: abort-host for .pre, continue for .post
	Always    bool
	Hosts     []string // globs; empty: all
}

func matchAny(globs []string, s string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(strings.ToLower(g), strings.ToLower(s))
		return ok && err == nil
	})
}

func (w *WaveRule) matches(s *katprep.State) bool {
	return (len(w.Hosts) == 0 || matchAny(w.Hosts, s.Name)) &&
		(len(w.HostGroups) == 0 || matchGroup(w.HostGroups, s.Facts.HostGroup)) &&
		(len(w.Parameters) == 0 || matchParameters(w.Parameters, s.Parameters))
}

// matchGroup matches a group or one of its parents.
func matchGroup(globs []string, group string) bool {
	for group != "" {
		if matchAny(globs, group) {
			return true
		}
		i := strings.LastIndexByte(group, '/')
		if i < 0 {
			return false
		}
		group = group[:i]
	}
	return false
}

func matchParameters(wanted []string, have []katprep.Parameter) bool {
	return slices.ContainsFunc(wanted, func(w string) bool {
		name, value, valued := strings.Cut(w, "=")
		return slices.ContainsFunc(have, func(p katprep.Parameter) bool {
			return p.Name == name && (!valued || p.Value == value)
		})
	})
}

func (s *Settings) check() error {
	bad := func(format string, args ...any) error {
		return katprep.Errorf(katprep.Invalid, "plan: "+format, args...)
	}
	switch {
	case s.Concurrency < 1:
		return bad("concurrency %d: at least 1", s.Concurrency)
	case s.MaxFailures < 0:
		return bad("max_failures %d", s.MaxFailures)
	case s.Downtime < 0 || s.Downtime > 0 && s.Downtime < time.Minute:
		return bad("downtime %v: at least a minute", s.Downtime)
	case !slices.Contains([]RebootPolicy{RebootIfNeeded, RebootAlways, RebootNever}, s.Reboot):
		return bad("reboot %q", s.Reboot)
	case !slices.Contains([]VMSnapshotUse{SnapshotByParameter, SnapshotAlways, SnapshotNever}, s.VMSnapshot):
		return bad("vm_snapshot %q", s.VMSnapshot)
	case !slices.Contains([]katprep.OnFailure{katprep.FailStop, katprep.FailContinue, katprep.FailRevert}, s.OnFailure):
		return bad("on_failure %q", s.OnFailure)
	case !s.Window.End.IsZero() && !s.Window.End.After(s.Window.Start):
		return bad("the window ends at %v, before it begins", s.Window.End)
	}
	for _, w := range s.Waves {
		if w.Percent < 0 || w.Percent > 100 || w.Name == "" {
			return bad("wave %q: %d %%", w.Name, w.Percent)
		}
	}
	for i := range s.Hooks {
		if err := s.Hooks[i].check(); err != nil {
			return bad("hook %q: %w", s.Hooks[i].Name, err)
		}
	}
	return nil
}

var hookStages = []string{"prepare", "patch", "reboot", "verify", "cleanup"}

func (h *HookRule) check() error {
	stage, when, _ := strings.Cut(h.Stage, ".")
	switch {
	case h.Name == "" || h.Text == "":
		return katprep.Errorf(katprep.Invalid, "needs a name and a script")
	case !slices.Contains(hookStages, stage) || when != "pre" && when != "post":
		return katprep.Errorf(katprep.Invalid, "stage %q", h.Stage)
	case h.Where != "host" && h.Where != "controller":
		return katprep.Errorf(katprep.Invalid, "where %q", h.Where)
	}
	for k := range h.Env {
		for _, word := range []string{"pass", "secret", "token", "key"} {
			if strings.Contains(strings.ToLower(k), word) {
				return katprep.Errorf(katprep.Invalid, "environment variable %q looks like a secret, and the plan is kept in the archive", k).
					WithHint("let the script read it where it runs")
			}
		}
	}
	return nil
}
