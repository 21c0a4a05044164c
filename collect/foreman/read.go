package foreman

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// A job reads one host.
type job struct {
	*reader
	host  foremanapi.Host
	state katprep.State
}

// read asks for what the lists did not say. Its error means that the login
// was refused, or that the time is over.
func (j *job) read(ctx context.Context) (collect.Reading, error) {
	if err := j.readFacts(ctx); err != nil {
		return collect.Reading{}, err
	}
	if !j.host.Content.OK {
		j.unregistered()
		return collect.Reading{State: j.state}, nil
	}
	steps := []func(context.Context) error{j.readErrata}
	if j.o.Packages {
		steps = append(steps, j.readPackages)
	}
	if j.o.Traces {
		steps = append(steps, j.readTraces)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return collect.Reading{}, err
		}
	}
	j.doubtErrata()
	return collect.Reading{State: j.state, Errata: j.errata.take(j.state.Errata)}, nil
}

// readFacts asks for the host's facts where they are wanted, or where nobody
// asked for all hosts at once.
func (j *job) readFacts(ctx context.Context) error {
	if !j.o.Facts && !j.filter.few() {
		return nil
	}
	search := foremanapi.Any(foremanapi.Equal("name", isGuest), foremanapi.Equal("name", hardwareUUID))
	if j.o.Facts {
		search = ""
	}
	facts, err := j.api.HostFacts(ctx, j.host.ID.N, search)
	if err != nil {
		if j.o.Facts {
			return j.lost(ctx, "", "facts", err)
		}
		return j.onlyFatal(ctx, err)
	}
	if j.state.Facts.Hardware == katprep.HardwareUnknown {
		j.state.Facts.Hardware = hardwareOf(&j.host, facts[isGuest])
	}
	j.state.Facts.UUID = orElse(j.state.Facts.UUID, facts[hardwareUUID])
	if j.o.Facts {
		maps.DeleteFunc(facts, func(name, _ string) bool { return j.o.Secret(name) })
		j.state.Facts.Extra = facts
	}
	return nil
}

// unregistered is for a host of which Katello knows no content: whether it
// lacks errata nobody can say.
func (j *job) unregistered() {
	why := "the host is not registered for content"
	if !j.server.Has(foremanapi.Katello) {
		why = "the plugin katello is not installed on the server"
	}
	missing(&j.state, katprep.AspectErrata, "%s", why)
	if j.o.Applicable {
		missing(&j.state, katprep.AspectApplicable, "%s", why)
	}
	if j.o.Packages {
		missing(&j.state, katprep.AspectPackages, "%s", why)
	}
	if j.o.Traces {
		missing(&j.state, katprep.AspectProcesses, "%s", why)
	}
}

// lost records an aspect that could not be read, or returns the error if it
// ends the whole reading.
func (j *job) lost(ctx context.Context, a katprep.Aspect, what string, err error) error {
	if j.fatal(ctx, err) {
		return err
	}
	if a != "" { // the aspect says what
		missing(&j.state, a, "%v", err)
		return nil
	}
	missing(&j.state, a, "%s: %v", what, err)
	return nil
}

// errataUnknown is Katello's own word for a host whose errata it could not
// compute, although it counts none.
const errataUnknown = 1

func (j *job) readErrata(ctx context.Context) error {
	counts := j.host.Content.V.Counts
	total := counts.V.Total
	if j.host.ErrataStatus.Valid && j.host.ErrataStatus.N == errataUnknown && total.N == 0 {
		missing(&j.state, katprep.AspectErrata, "the server says: %s", orElse(string(j.host.ErrataLabel), "unknown"))
		if j.o.Applicable {
			missing(&j.state, katprep.AspectApplicable, "the server could not compute them")
		}
		return nil
	}
	installable, err := j.errataOf(ctx, false, total.N, total.Valid)
	if err != nil {
		return j.lost(ctx, katprep.AspectErrata, "errata", err)
	}
	know(&j.state, katprep.AspectErrata)
	j.merge(installable)
	if !j.o.Applicable {
		return nil
	}
	all := counts.V.Applicable.V.Total
	applicable, err := j.errataOf(ctx, true, all.N, all.Valid)
	if err != nil {
		return j.lost(ctx, katprep.AspectApplicable, "applicable errata", err)
	}
	know(&j.state, katprep.AspectApplicable)
	j.merge(applicable)
	return nil
}

// doubtErrata takes back that a Debian host has no errata: Katello has errata
// of Debian packages only where a repository brings them, and counts none
// elsewhere, whatever is pending.
func (j *job) doubtErrata() {
	counts := j.host.Content.V.Counts.V
	if j.state.Format != katprep.Deb || len(j.state.Errata) > 0 || counts.Total.N > 0 || counts.Applicable.V.Total.N > 0 || !j.state.Knows(katprep.AspectErrata) {
		return
	}
	j.state.Aspects = slices.DeleteFunc(j.state.Aspects, func(a katprep.Aspect) bool {
		return a == katprep.AspectErrata || a == katprep.AspectApplicable
	})
	j.state.Problems = append(j.state.Problems, katprep.Problem{
		Aspect: katprep.AspectErrata, Warning: true,
		Message: "Katello knows no errata for this host's packages (Debian): package updates say what is pending",
	})
}

// errataOf takes the host's errata from the table of all hosts if their
// number is what the host itself counts, and asks for this host alone
// otherwise.
func (j *job) errataOf(ctx context.Context, applicable bool, want int64, counted bool) ([]katprep.HostErratum, error) {
	org := j.errata.org(j.host.OrganizationID.N)
	if org == nil {
		if counted && want == 0 {
			return nil, nil
		}
		return j.alone(ctx, applicable)
	}
	list, refused := org.installable, org.err
	if applicable {
		list, refused = org.applicable, org.errApplicable
	}
	if refused == nil && counted {
		if ids, proven := j.errata.of(list, j.host.ID.N, j.state.Name, want); proven {
			return hostErrata(ids, !applicable), nil
		}
	}
	found, err := j.alone(ctx, applicable)
	if err != nil && refused != nil && !j.fatal(ctx, err) {
		err = fmt.Errorf("%w; and for all hosts: %w", err, refused)
	}
	return found, err
}

// alone reads the errata of this host by themselves.
func (j *job) alone(ctx context.Context, applicable bool) ([]katprep.HostErratum, error) {
	if applicable && !j.server.Can(foremanapi.Applicable) {
		return nil, katprep.Errorf(katprep.NotFound, "needs Katello 4.3 or newer")
	}
	errata, err := j.api.HostErrata(ctx, j.host.ID.N, applicable)
	if err != nil {
		return nil, err
	}
	out := make([]katprep.HostErratum, 0, len(errata))
	for _, e := range errata {
		j.errata.add(e)
		out = append(out, katprep.HostErratum{ID: string(e.ID), Installable: !applicable || e.Installable != nil && bool(*e.Installable)})
	}
	return out, nil
}

func hostErrata(ids []string, installable bool) []katprep.HostErratum {
	out := make([]katprep.HostErratum, len(ids))
	for i, id := range ids {
		out[i] = katprep.HostErratum{ID: id, Installable: installable}
	}
	return out
}

// merge adds errata to the state: each once, installable if either list says
// so.
func (j *job) merge(more []katprep.HostErratum) {
	have := map[string]bool{}
	for _, e := range slices.Concat(j.state.Errata, more) {
		have[e.ID] = have[e.ID] || e.Installable
	}
	out := make([]katprep.HostErratum, 0, len(have))
	for id, installable := range have {
		out = append(out, katprep.HostErratum{ID: id, Installable: installable})
	}
	slices.SortFunc(out, func(a, b katprep.HostErratum) int { return cmp.Compare(a.ID, b.ID) })
	j.state.Errata = out
}

func (j *job) readTraces(ctx context.Context) error {
	if !j.host.TracesStatus.Valid || j.host.TracesStatus.N < 0 {
		// Nothing was asked for in vain: the host has no means to answer. Its
		// state is whole without, but its need of a reboot stays unknown.
		j.state.Problems = append(j.state.Problems, katprep.Problem{
			Aspect: katprep.AspectProcesses, Warning: true,
			Message: "the host has no tracer: which processes need a restart, and whether a reboot is needed, is not known",
		})
		return nil
	}
	var traces []foremanapi.Trace
	if j.host.TracesStatus.N > 0 {
		var err error
		if traces, err = j.api.Traces(ctx, j.host.ID.N); err != nil {
			return j.lost(ctx, katprep.AspectProcesses, "traces", err)
		}
	}
	know(&j.state, katprep.AspectProcesses)
	j.takeTraces(traces)
	return nil
}

func (j *job) takeTraces(traces []foremanapi.Trace) {
	for _, t := range traces {
		if t.Type == "session" {
			continue // ends with the session
		}
		j.state.Processes = append(j.state.Processes, katprep.Process{Name: string(t.Application), Unit: unitOf(t)})
		if t.NeedsReboot() {
			j.state.Reboot.Reasons = append(j.state.Reboot.Reasons, string(t.Application))
			j.state.Reboot.Need = katprep.Needed
		}
	}
	slices.SortFunc(j.state.Processes, func(a, b katprep.Process) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	j.state.Processes = slices.Compact(j.state.Processes)
	slices.Sort(j.state.Reboot.Reasons)
	j.state.Reboot.Reasons = slices.Compact(j.state.Reboot.Reasons)
}
