package direct

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/probe"
	"golang.org/x/sync/errgroup"
)

//go:embed patch.sh
var patchScript string

// Patch installs with each host's own package manager: dnf, yum, zypper or
// APT. Chosen advisories are installed exactly ("upgrade-minimal"), all
// updates and named packages in the newest version on offer. Nothing is ever
// removed. Afterwards the host is asked again: what was asked for and is
// still pending is an error.
func (d *Direct) Patch(ctx context.Context, ts []act.Target, r act.PatchRequest, sent func(act.Job)) []act.Result {
	results := make([]act.Result, len(ts))
	err := checkRequest(r)
	if err == nil && ctx.Err() != nil {
		err = katprep.Errorf(katprep.Unreachable, "patch: %w", context.Cause(ctx))
	}
	var mu sync.Mutex
	tell := func(j act.Job) {
		mu.Lock()
		defer mu.Unlock()
		sent(j)
	}
	var g errgroup.Group
	g.SetLimit(d.o.Concurrency)
	for i, t := range ts {
		if err != nil {
			results[i].Err = err
			continue
		}
		g.Go(func() error {
			results[i].Ref, results[i].Err = d.patch(ctx, t, r, tell)
			return nil
		})
	}
	_ = g.Wait() // the errors are in the results
	return results
}

func (d *Direct) patch(ctx context.Context, t act.Target, r act.PatchRequest, sent func(act.Job)) (act.Ref, error) {
	h, sh, err := d.reach(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	defer sh.Close()
	family, err := d.fit(ctx, sh, h)
	if err != nil {
		return act.Ref{}, err
	}
	own := r
	if family == "deb" && len(r.Errata) > 0 {
		if own, err = d.resolve(ctx, sh, h, r); err != nil {
			return act.Ref{}, err
		}
	}
	j := patchJob(r.Marker, t.Marker, own, family)
	if _, err := j.query(ctx, sh, true, 0); err != nil {
		return act.Ref{}, katprep.Errorf(katprep.KindOf(err), "patch %s: %w", h.Name, err)
	}
	sent(act.Job{ID: string(j.marker), Hosts: []katprep.HostID{t.Host.HostID}})
	ref, err := d.await(ctx, h, sh, j)
	if err != nil || r.Download {
		return ref, err
	}
	return d.confirm(ctx, h, ref, own)
}

// fit makes sure that the host can be patched by us.
func (d *Direct) fit(ctx context.Context, sh shell, h inventory.Host) (family string, err error) {
	mark := probe.NewMark()
	out, err := ask(ctx, sh, mark, probe.Script(mark, probe.Options{HostOnly: true}))
	if err != nil {
		return "", katprep.Errorf(katprep.KindOf(err), "patch %s: %w", h.Name, err)
	}
	family = strings.TrimSpace(out.Data("family"))
	switch {
	case probe.ParseHost(out.Data("host")).UID != "0":
		return "", katprep.Errorf(katprep.Denied, "patch %s: the user is not root there", h.Name).WithHint("set sudo: true, or be root")
	case family == "":
		return "", katprep.Errorf(katprep.Invalid, "patch %s: neither dpkg nor rpm manages its packages", h.Name)
	}
	return family, nil
}

// resolve turns advisories into the packages of a Debian host that they fix,
// by the feed.
func (d *Direct) resolve(ctx context.Context, sh shell, h inventory.Host, r act.PatchRequest) (act.PatchRequest, error) {
	s, err := d.state(ctx, sh)
	if err != nil {
		return r, katprep.Errorf(katprep.KindOf(err), "patch %s: %w", h.Name, err)
	}
	for _, id := range r.Errata {
		e, ok := katprep.Erratum{}, false
		if d.o.Fixes != nil {
			e, ok = d.o.Fixes(id)
		}
		if !ok {
			return r, katprep.Errorf(katprep.NotFound, "patch %s: APT knows no advisories, and no feed knows %s", h.Name, id).
				WithHint("configure a feed for this source, or name packages")
		}
		r.Packages = append(slices.Clone(r.Packages), fixedHere(s, e)...)
	}
	slices.Sort(r.Packages)
	r.Packages, r.Errata = slices.Compact(r.Packages), nil
	return r, nil
}

// fixedHere names the pending updates that bring an advisory's fix: by
// binary or source package.
func fixedHere(s katprep.State, e katprep.Erratum) []string {
	sources := map[string]string{}
	for _, p := range s.Packages {
		src, _ := probe.SourceOf(p)
		sources[p.Name] = src
	}
	var names []string
	for _, u := range s.Updates {
		if slices.ContainsFunc(e.Packages, func(p katprep.Package) bool { return p.Name == u.Name || p.Name == sources[u.Name] }) {
			names = append(names, u.Name)
		}
	}
	return names
}

func patchJob(m, own act.Marker, r act.PatchRequest, family string) job {
	if m == "" {
		m = own
	}
	bit := map[bool]string{true: "1", false: "0"}
	return job{marker: jobMarker(m, r.Download), script: patchScript, env: map[string]string{
		"FAMILY": family, "ERRATA": strings.Join(r.Errata, " "), "PACKAGES": strings.Join(r.Packages, " "), "EXCLUDE": strings.Join(r.Exclude, " "),
		"ALL": bit[r.All], "SECURITY": bit[r.Security], "DOWNLOAD": bit[r.Download],
	}}
}

// jobMarker keeps a download apart from the installation that follows.
func jobMarker(m act.Marker, download bool) act.Marker {
	if download {
		return m + ".d"
	}
	return m
}

// checkRequest refuses what is empty, or could be more than names.
func checkRequest(r act.PatchRequest) error {
	if !r.All && len(r.Errata)+len(r.Packages) == 0 {
		return katprep.Errorf(katprep.Invalid, "patch: nothing is asked for")
	}
	if err := r.Marker.Check(); r.Marker != "" && err != nil {
		return err
	}
	for what, list := range map[string][]string{"advisory": r.Errata, "package": r.Packages, "pattern": r.Exclude} {
		more := map[string]string{"advisory": ":", "package": "", "pattern": "*?[]"}[what]
		for _, s := range list {
			if !isWord(s, more) {
				return katprep.Errorf(katprep.Invalid, "patch: %.80q is no %s", s, what)
			}
		}
	}
	return nil
}

func isWord(s, more string) bool {
	if s == "" || len(s) > 200 || strings.IndexByte("-+.", s[0]) >= 0 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("._+-"+more, c) < 0 {
			return false
		}
	}
	return true
}

// await waits for a patch job and reads its exit code.
func (d *Direct) await(ctx context.Context, h inventory.Host, sh shell, j job) (act.Ref, error) {
	st, err := d.follow(ctx, h, sh, j)
	if err != nil {
		return act.Ref{}, katprep.Errorf(katprep.KindOf(err), "patch %s: %w", h.Name, err)
	}
	ref := act.Ref{ID: string(j.marker), Data: map[string]string{
		"exit": fmt.Sprint(st.exit), "took": st.took.String(), "started": st.started, "output": st.output,
	}}
	if w := warnings(st.output); w != "" {
		ref.Data[act.DataWarning] = w
	}
	switch {
	case st.state == "none":
		return ref, katprep.Errorf(katprep.NotFound, "patch %s: there is no job %s", h.Name, j.marker)
	case st.state == "lost":
		return ref, katprep.Errorf(katprep.Unreachable, "patch %s: the job ended without a result: the host was rebooted, or the job killed", h.Name)
	case st.exit != 0:
		return ref, katprep.Errorf(katprep.Internal, "patch %s: exit code %d (%s): %s", h.Name, st.exit, meaning(st.exit), lastLine(st.output))
	}
	return ref, nil
}

// meaning says what the package managers' manuals say of an exit code.
func meaning(code int) string {
	switch code {
	case 65:
		return "refused by katprep"
	case 100:
		return "apt-get failed"
	case 200:
		return "dnf could not get its lock"
	case 7:
		return "zypper is locked by another program"
	case 104:
		return "zypper knows no such package or patch"
	case 105:
		return "zypper was interrupted"
	case 107:
		return "packages are installed, but one of their scripts failed"
	}
	return "failed"
}

func warnings(output string) string {
	var list []string
	for line := range strings.Lines(output) {
		if w, ok := strings.CutPrefix(line, "katprep: warning: "); ok {
			list = append(list, probe.Clean(w))
		}
	}
	return strings.Join(list, "; ")
}

func lastLine(s string) string {
	last := ""
	for line := range strings.Lines(s) {
		if line = probe.Clean(line); line != "" {
			last = line
		}
	}
	return last
}

// state reads the host as a collector does.
func (d *Direct) state(ctx context.Context, sh shell) (katprep.State, error) {
	mark := probe.NewMark()
	out, err := ask(ctx, sh, mark, probe.Script(mark, probe.Options{}))
	if err != nil {
		return katprep.State{}, err
	}
	s, _ := probe.State(katprep.Host{}, out, probe.Rules{Now: time.Unix(0, 0)})
	return s, nil
}

// confirm asks the host what is still pending.
func (d *Direct) confirm(ctx context.Context, h inventory.Host, ref act.Ref, r act.PatchRequest) (act.Ref, error) {
	sh, err := d.open(ctx, h)
	if err != nil {
		return ref, katprep.Errorf(katprep.KindOf(err), "patch %s: done, but not confirmed: %w", h.Name, err)
	}
	defer sh.Close()
	s, err := d.state(ctx, sh)
	if err != nil {
		return ref, katprep.Errorf(katprep.KindOf(err), "patch %s: done, but not confirmed: %w", h.Name, err)
	}
	if !s.Knows(katprep.AspectUpdates) || len(r.Errata) > 0 && !s.Knows(katprep.AspectErrata) {
		return ref, katprep.Errorf(katprep.Unreachable, "patch %s: done, but not confirmed: %s", h.Name, firstProblem(s))
	}
	if s.Reboot.Need != katprep.NeedUnknown {
		ref.Data[act.DataReboot] = string(s.Reboot.Need)
	}
	left := remaining(s, r)
	switch {
	case len(left) == 0:
	case r.All:
		ref.Data["remaining"] = strings.Join(left, " ")
	default:
		return ref, katprep.Errorf(katprep.Internal, "patch %s: the package manager is done, but still pending: %s", h.Name, strings.Join(left, ", "))
	}
	return ref, nil
}

func firstProblem(s katprep.State) string {
	for _, p := range s.Problems {
		if !p.Warning {
			return p.Message
		}
	}
	return "the host does not say what is pending"
}

// remaining lists what was asked for and is still pending.
func remaining(s katprep.State, r act.PatchRequest) []string {
	var left []string
	for _, e := range s.Errata {
		if slices.Contains(r.Errata, e.ID) {
			left = append(left, e.ID)
		}
	}
	for _, u := range s.Updates {
		asked := slices.Contains(r.Packages, u.Name) || r.All && (u.Security || !r.Security)
		if asked && !excludes(r.Exclude, u.Name) {
			left = append(left, u.Name)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

func excludes(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, err := path.Match(p, name); return err == nil && ok })
}

// FindPatch looks for the job of a marker on the host.
func (d *Direct) FindPatch(ctx context.Context, t act.Target) (act.Job, bool, error) {
	h, sh, err := d.reach(ctx, t)
	if err != nil {
		return act.Job{}, false, err
	}
	defer sh.Close()
	st, err := job{marker: t.Marker}.query(ctx, sh, false, 0)
	if err != nil {
		return act.Job{}, false, katprep.Errorf(katprep.KindOf(err), "look for a patch job on %s: %w", h.Name, err)
	}
	if st.state == "none" {
		return act.Job{}, false, nil
	}
	return act.Job{ID: string(t.Marker), Hosts: []katprep.HostID{t.Host.HostID}}, true, nil
}

// AwaitPatch waits for a job on the host. Unlike Patch it does not know what
// was asked for, so its word is the package manager's exit code.
func (d *Direct) AwaitPatch(ctx context.Context, t act.Target, j act.Job) (act.Ref, error) {
	h, sh, err := d.reach(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	defer sh.Close()
	return d.await(ctx, h, sh, job{marker: act.Marker(j.ID)})
}
