package foreman

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// state is what the list of hosts alone says.
func (r *reader) state(host katprep.Host, h *foremanapi.Host) katprep.State {
	s := katprep.State{Host: host, Status: katprep.Collected, Facts: factsOf(h), Aspects: []katprep.Aspect{katprep.AspectFacts}}
	s.Facts.Hardware = hardwareOf(h, r.facts[string(h.Name)][isGuest])
	s.Facts.UUID = orElse(s.Facts.UUID, r.facts[string(h.Name)][hardwareUUID])
	s.Format = formatOf(s.Facts.OS)
	r.parameters(&s, h)
	if kernel := string(h.Reported.V.Kernel); kernel != "" {
		s.Kernel.Running = kernel
		know(&s, katprep.AspectKernel)
	}
	if boot := foremanapi.ParseTime(string(h.Reported.V.BootTime)); !boot.IsZero() {
		s.Boot.Time = boot
		know(&s, katprep.AspectBoot)
	}
	if s.Reboot = rebootOf(h); s.Reboot.Need != katprep.NeedUnknown {
		know(&s, katprep.AspectReboot)
	}
	r.warnStale(&s, h)
	return s
}

func know(s *katprep.State, a katprep.Aspect) {
	if i, found := slices.BinarySearch(s.Aspects, a); !found {
		s.Aspects = slices.Insert(s.Aspects, i, a)
	}
}

// missing records why an aspect that was asked for is not known.
func missing(s *katprep.State, a katprep.Aspect, format string, args ...any) {
	s.Status = katprep.Incomplete
	s.Problems = append(s.Problems, katprep.Problem{Aspect: a, Message: fmt.Sprintf(format, args...)})
}

func factsOf(h *foremanapi.Host) katprep.Facts {
	env, view := contentOf(&h.Content.V)
	return katprep.Facts{
		OS:           osOf(string(h.OS)),
		Arch:         string(h.Architecture),
		IP:           string(h.IP),
		IP6:          string(h.IP6),
		MAC:          string(h.MAC),
		UUID:         string(h.UUID),
		Owner:        string(h.OwnerName),
		OwnerType:    string(h.OwnerType),
		Organization: string(h.Organization),
		Location:     string(h.Location),
		HostGroup:    string(h.HostGroup),
		Environment:  env,
		ContentView:  view,
		Comment:      foremanapi.WithoutAnnouncement(string(h.Comment)),
	}
}

// contentOf returns lifecycle environment and content view; several of each
// are joined.
func contentOf(c *foremanapi.Content) (env, view string) {
	env = string(orElse(c.Environment.V.Name, c.EnvironmentName))
	view = string(orElse(c.View.V.Name, c.ViewName))
	var envs, views []string
	for _, e := range c.Environments.V {
		envs = append(envs, string(e.Environment.V.Name))
		views = append(views, string(e.View.V.Name))
	}
	return orElse(env, strings.Join(envs, ", ")), orElse(view, strings.Join(views, ", "))
}

// osOf splits Foreman's label of an operating system, "RedHat 9.4". The label
// is kept as the name; only families that are known get an ID.
func osOf(label string) katprep.OS {
	os := katprep.OS{Name: label}
	words := strings.Fields(label)
	for _, w := range words {
		if w[0] >= '0' && w[0] <= '9' {
			os.Version = w
			break
		}
	}
	flat := strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(label))
	for _, known := range osIDs {
		if strings.HasPrefix(flat, known.prefix) {
			os.ID = known.id
			break
		}
	}
	return os
}

var osIDs = []struct{ prefix, id string }{
	{"redhat", "rhel"}, {"rhel", "rhel"}, {"centosstream", "centos"}, {"centos", "centos"}, {"almalinux", "almalinux"}, {"alma", "almalinux"},
	{"rocky", "rocky"}, {"oraclelinux", "ol"}, {"oracle", "ol"}, {"fedora", "fedora"}, {"amazon", "amzn"}, {"debian", "debian"}, {"ubuntu", "ubuntu"},
	{"sles", "sles"}, {"suse", "sles"}, {"opensuse", "opensuse-leap"},
}

// formatOf tells the packaging format; "" if the OS does not tell.
func formatOf(os katprep.OS) katprep.Format {
	switch os.ID {
	case "debian", "ubuntu":
		return katprep.Deb
	case "":
		return ""
	}
	return katprep.RPM
}

// hardwareOf takes a compute resource or a known hypervisor as proof of a
// virtual machine, and believes the facts otherwise.
func hardwareOf(h *foremanapi.Host, isGuest string) katprep.Hardware {
	switch {
	case h.ComputeResource != "", h.Subscription.V.VirtualHost.OK:
		return katprep.Virtual
	case h.Reported.V.Virtual != nil && bool(*h.Reported.V.Virtual):
		return katprep.Virtual
	case h.Reported.V.Virtual != nil:
		return katprep.Physical
	}
	switch strings.ToLower(isGuest) {
	case "true", "1":
		return katprep.Virtual
	case "false", "0":
		return katprep.Physical
	}
	return katprep.HardwareUnknown
}

// rebootOf reads the state of the traces. It is absent where the tracer is
// not installed: then nobody knows.
func rebootOf(h *foremanapi.Host) katprep.Reboot {
	if !h.TracesStatus.Valid {
		return katprep.Reboot{}
	}
	switch h.TracesStatus.N {
	case 0, 1: // 1: services must be restarted, not the host
		return katprep.Reboot{Need: katprep.NotNeeded}
	case 2:
		return katprep.Reboot{Need: katprep.Needed}
	}
	return katprep.Reboot{}
}

func (r *reader) parameters(s *katprep.State, h *foremanapi.Host) {
	switch {
	case r.params != nil:
		missing(s, katprep.AspectParameters, "parameters: %v", r.params)
		return
	case !h.AllParameters.Given && !h.Parameters.Given:
		missing(s, katprep.AspectParameters, "parameters: the server's list of hosts holds none")
		return
	}
	know(s, katprep.AspectParameters)
	byName, rank := map[string]katprep.Parameter{}, map[string]int64{}
	for _, p := range h.AllParameters.V { // the nearest to the host wins
		if name := string(p.Name); p.Priority.N >= rank[name] {
			byName[name], rank[name] = r.parameter(p), p.Priority.N
		}
	}
	for _, p := range h.Parameters.V { // the host's own win
		own := r.parameter(p)
		own.Origin = "host"
		byName[string(p.Name)] = own
	}
	for _, p := range byName {
		s.Parameters = append(s.Parameters, p)
	}
	slices.SortFunc(s.Parameters, func(a, b katprep.Parameter) int { return strings.Compare(a.Name, b.Name) })
}

func (r *reader) parameter(p foremanapi.Parameter) katprep.Parameter {
	out := katprep.Parameter{Name: string(p.Name), Value: valueOf(p.Value), Origin: originOf(p)}
	if t := string(p.Type); t != "string" {
		out.Type = t
	}
	if bool(p.Hidden) || r.o.Secret(out.Name) {
		out.Value, out.Masked = "", true
	}
	return out
}

func valueOf(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// originOf tells where a parameter is set: by its type, or, where old
// versions leave that out, by the priority that goes with it.
func originOf(p foremanapi.Parameter) string {
	switch t := strings.ReplaceAll(string(p.Associated), " ", ""); {
	case t != "":
		return t
	case !p.Priority.Valid:
		return ""
	}
	return origins[p.Priority.N]
}

var origins = map[int64]string{0: "global", 10: "organization", 20: "location", 30: "domain", 40: "subnet", 50: "operatingsystem", 60: "hostgroup", 70: "host"}

// warnStale says when the server's own knowledge of the host is old.
func (r *reader) warnStale(s *katprep.State, h *foremanapi.Host) {
	seen := foremanapi.ParseTime(string(h.Subscription.V.LastCheckin))
	if r.o.StaleAfter < 0 || seen.IsZero() || r.o.Now().Sub(seen) < r.o.StaleAfter {
		return
	}
	s.Problems = append(s.Problems, katprep.Problem{Warning: true,
		Message: "the host last reported to the server on " + seen.Format("2006-01-02") + ": what is known may be old"})
}
