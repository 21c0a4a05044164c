package landscape

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

const stamp = "2006-01-02 15:04:05 UTC"

func at(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	v := t.UTC().Format(stamp)
	return &v
}

// A hostJSON has the keys of a host in the list, in their order.
type hostJSON struct {
	IP               *string        `json:"ip"`
	IP6              *string        `json:"ip6"`
	LastReport       *string        `json:"last_report"`
	MAC              *string        `json:"mac"`
	DomainID         *int           `json:"domain_id"`
	DomainName       *string        `json:"domain_name"`
	ArchitectureID   *int           `json:"architecture_id"`
	ArchitectureName *string        `json:"architecture_name"`
	OSID             *int           `json:"operatingsystem_id"`
	OSName           *string        `json:"operatingsystem_name"`
	Build            bool           `json:"build"`
	Comment          string         `json:"comment"`
	InstalledAt      *string        `json:"installed_at"`
	HostgroupID      *int           `json:"hostgroup_id"`
	OwnerID          *int           `json:"owner_id"`
	OwnerName        *string        `json:"owner_name"`
	OwnerType        *string        `json:"owner_type"`
	Enabled          bool           `json:"enabled"`
	Managed          bool           `json:"managed"`
	UUID             *string        `json:"uuid"`
	ComputeID        *int           `json:"compute_resource_id"`
	ComputeName      *string        `json:"compute_resource_name"`
	Capabilities     []string       `json:"capabilities"`
	Certname         string         `json:"certname"`
	CreatedAt        *string        `json:"created_at"`
	UpdatedAt        *string        `json:"updated_at"`
	GlobalStatus     int            `json:"global_status"`
	GlobalLabel      string         `json:"global_status_label"`
	Uptime           *int64         `json:"uptime_seconds"`
	BMC              bool           `json:"bmc_available"`
	OrgID            *int           `json:"organization_id"`
	OrgName          *string        `json:"organization_name"`
	LocationID       *int           `json:"location_id"`
	LocationName     *string        `json:"location_name"`
	PuppetStatus     int            `json:"puppet_status"`
	ModelName        *string        `json:"model_name"`
	ExecStatus       *int           `json:"execution_status,omitempty"`
	ExecLabel        *string        `json:"execution_status_label,omitempty"`
	ErrataStatus     *int           `json:"errata_status,omitempty"`
	ErrataLabel      *string        `json:"errata_status_label,omitempty"`
	TracesStatus     *int           `json:"traces_status,omitempty"`
	TracesLabel      *string        `json:"traces_status_label,omitempty"`
	Name             string         `json:"name"`
	ID               int            `json:"id"`
	DisplayName      string         `json:"display_name"`
	HostgroupName    *string        `json:"hostgroup_name"`
	HostgroupTitle   *string        `json:"hostgroup_title"`
	Content          *contentFacet  `json:"content_facet_attributes,omitempty"`
	Subscription     map[string]any `json:"subscription_facet_attributes,omitempty"`
	Reported         map[string]any `json:"reported_data,omitempty"`
	Infrastructure   map[string]any `json:"infrastructure_facet,omitempty"`
	Parameters       *[]paramJSON   `json:"parameters,omitempty"`
	AllParameters    *[]paramJSON   `json:"all_parameters,omitempty"`

	*hostDetails // of one host only
}

type hostDetails struct {
	Permissions map[string]bool   `json:"permissions"`
	Interfaces  []any             `json:"interfaces"`
	Facts       map[string]string `json:"facts"`
	Collections []any             `json:"host_collections"`
}

type idName struct {
	ID        int    `json:"id"`
	Name      string `json:"name"`
	Composite *bool  `json:"composite,omitempty"`
}

type contentFacet struct {
	ID               int            `json:"id"`
	UUID             string         `json:"uuid"`
	ViewID           *int           `json:"content_view_id,omitempty"` // until Katello 4.7
	ViewName         *string        `json:"content_view_name,omitempty"`
	EnvID            *int           `json:"lifecycle_environment_id,omitempty"`
	EnvName          *string        `json:"lifecycle_environment_name,omitempty"`
	ErrataCounts     map[string]any `json:"errata_counts"`
	ApplicableDebs   int            `json:"applicable_deb_count"`
	UpgradableDebs   int            `json:"upgradable_deb_count"`
	ApplicableRPMs   int            `json:"applicable_package_count"`
	UpgradableRPMs   int            `json:"upgradable_package_count"`
	View             *idName        `json:"content_view"`
	Env              *idName        `json:"lifecycle_environment"`
	ViewEnvironments []any          `json:"content_view_environments,omitempty"` // from 4.8
}

func ref[T any](v T) *T { return &v }

// hostList returns the hosts that a user may see in the call's scope.
func (s *Server) hostList(c *call) []*host {
	list := make([]*host, 0, len(s.hosts))
	group, _ := strconv.Atoi(c.q.Get("hostgroup_id"))
	for _, h := range s.hosts {
		if c.sees(h) && (group == 0 || h.group == group) {
			list = append(list, h)
		}
	}
	return list
}

func (c *call) sees(h *host) bool {
	return c.user.inOrg(h.org()) && (c.org == 0 || c.org == h.org()) && (c.loc == 0 || inside(locations, sites[h.site].location, c.loc))
}

func (h *host) org() int {
	if sites[h.site].location == 14 && h.index%5 == 0 {
		return 4
	}
	return 3
}

// inside reports whether a place is another one or below it.
func inside(list []place, id, in int) bool {
	for id != 0 {
		if id == in {
			return true
		}
		p, _ := placeByID(list, id)
		id = p.parent
	}
	return false
}

func (s *Server) listHosts(c *call) *reply {
	all := s.hostList(c)
	found, err := s.searchHosts(all, c.q.Get("search"))
	if err != nil {
		return badSearch(err)
	}
	if order := strings.Fields(strings.ToLower(c.q.Get("order"))); len(order) > 0 {
		found = slices.Clone(found)
		sortHosts(found, order)
	}
	if c.q.Has("thin") && c.q.Get("thin") != "" { // "false" is truthy, too
		return page(c, len(all), found, func(h *host) any { return idName{ID: h.id, Name: h.name} })
	}
	include := append(c.q["include[]"], c.q["include"]...)
	return page(c, len(all), found, func(h *host) any {
		j := s.hostJSON(c, h)
		s.addParameters(c, h, &j, include)
		return j
	})
}

func sortHosts(list []*host, order []string) {
	sign := 1
	if len(order) > 1 && order[1] == "desc" {
		sign = -1
	}
	slices.SortFunc(list, func(a, b *host) int {
		if order[0] == "id" {
			return sign * cmp.Compare(a.id, b.id)
		}
		return sign * cmp.Compare(a.name, b.name)
	})
}

// host finds the host of the path: by ID, by name or by "id-name".
func (s *Server) host(c *call) (*host, *reply) {
	key := c.PathValue("host")
	h := s.byName[key]
	if h == nil {
		digits, _, _ := strings.Cut(key, "-")
		if id, err := strconv.Atoi(digits); err == nil {
			h = s.byID[id]
		}
	}
	if h == nil || !c.sees(h) {
		return nil, noSuch("host", key)
	}
	if h.fault.Unreadable != 0 {
		return nil, (&Fault{Status: h.fault.Unreadable}).apply(&reply{header: http.Header{}})
	}
	return h, nil
}

func (s *Server) showHost(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	j := s.hostJSON(c, h)
	s.addParameters(c, h, &j, []string{"parameters", "all_parameters"})
	j.hostDetails = &hostDetails{
		Permissions: map[string]bool{"view_hosts": true, "edit_hosts": c.user.may("edit_hosts"), "power_hosts": c.user.may("power_hosts")},
		Interfaces:  []any{map[string]any{"id": h.id, "name": h.name, "ip": j.IP, "ip6": j.IP6, "mac": j.MAC, "identifier": "ens192", "primary": true, "type": "interface"}},
		Facts:       s.facts(h), Collections: []any{},
	}
	for _, p := range s.collectionsOf(h) {
		j.Collections = append(j.Collections, idName{ID: p.id, Name: p.name})
	}
	return object(200, j)
}

func (s *Server) hostJSON(c *call, h *host) hostJSON {
	loc, _ := placeByID(locations, sites[h.site].location)
	org, _ := placeByID(organizations, h.org())
	group, _ := placeByID(hostGroups, h.group)
	j := hostJSON{
		DomainID: ref(1 + h.site), DomainName: ref(h.domain()), OSID: &h.fam.osID, OSName: &h.fam.foreman,
		ArchitectureID: ref(1), ArchitectureName: ref("x86_64"), Comment: h.comment, Enabled: true, Capabilities: []string{"build"}, Certname: h.name,
		InstalledAt: at(s.o.Start.AddDate(-1, 0, 0)), CreatedAt: at(s.o.Start.AddDate(-1, 0, 0)), UpdatedAt: at(s.o.Start.AddDate(0, 0, -1)),
		GlobalLabel: "OK", OrgID: &org.id, OrgName: &org.name, LocationID: &loc.id, LocationName: &loc.name,
		HostgroupID: &h.group, HostgroupName: &group.name, HostgroupTitle: &group.title, Name: h.name, ID: h.id, DisplayName: h.name,
	}
	if !h.fault.NoFacts {
		s.addFacts(h, &j)
	}
	if h.self {
		j.Infrastructure = map[string]any{"foreman_instance": true, "smart_proxy_id": 1}
	}
	if h.exec >= 0 {
		j.ExecStatus, j.ExecLabel = ref(h.exec), ref([]string{"Last execution succeeded", "Last execution failed", "Queued", "In progress"}[h.exec])
	}
	if h.view != 0 && !h.fault.NoContent && s.hasPlugin("katello") {
		s.addContent(h, &j)
	}
	return j
}

func (s *Server) addFacts(h *host, j *hostJSON) {
	j.IP, j.IP6, j.MAC = ref(s.ip(h)), ref(s.ip6(h)), ref(s.mac(h))
	b := s.reportedBoot(h)
	j.Uptime = ref(int64(s.clock.now().Sub(b.at) / time.Second))
	j.Reported = map[string]any{
		"boot_time": at(b.at), "cores": 2, "sockets": 1, "disks_total": 42_949_672_960, "kernel_version": h.release(b.kernel), "virtual": h.virtual,
	}
	j.ModelName = ref("PowerEdge R640")
	if h.virtual {
		j.ModelName, j.UUID = ref("KVM"), ref(s.uuid(h))
		j.ComputeID, j.ComputeName = ref(1), ref("libvirt-cgn")
	}
	if h.owner >= 0 {
		o := people[h.owner]
		j.OwnerID, j.OwnerName, j.OwnerType = &o.id, &o.name, ref("User")
		if o.group {
			j.OwnerType = ref("Usergroup")
		}
	}
}

// reportedBoot is the last boot that the host told the server about: facts
// come half a minute after it.
func (s *Server) reportedBoot(h *host) boot {
	for _, b := range slices.Backward(h.boots) {
		if !b.at.Add(s.clock.takes(30 * time.Second)).After(s.clock.now()) {
			return b
		}
	}
	return h.boots[0]
}

func (s *Server) addContent(h *host, j *hostJSON) {
	view, _ := placeByID(contentViews, h.view)
	env := environments[h.env]
	f := &contentFacet{ID: h.id + 500, UUID: s.uuid(h), View: &idName{view.id, view.name, ref(strings.HasPrefix(view.name, "ccv"))}, Env: &idName{ID: env.id, Name: env.name}}
	if s.katelloAt(4, 8) {
		f.ViewEnvironments = []any{map[string]any{"content_view": f.View, "lifecycle_environment": f.Env}}
	} else {
		f.ViewID, f.ViewName, f.EnvID, f.EnvName = &view.id, &view.name, &env.id, &env.name
	}
	n := s.countErrata(h)
	f.ErrataCounts = n.json(s.katelloAt(4, 7))
	f.ApplicableRPMs, f.UpgradableRPMs = s.countUpdates(h)
	if h.fam.format == katprep.Deb {
		f.ApplicableDebs, f.UpgradableDebs, f.ApplicableRPMs, f.UpgradableRPMs = f.ApplicableRPMs, f.UpgradableRPMs, 0, 0
	}
	j.Content = f
	j.Subscription = map[string]any{"id": h.id, "uuid": f.UUID, "last_checkin": at(s.clock.now().Add(-time.Hour)), "registered_at": at(s.o.Start.AddDate(-1, 0, 0)), "hypervisor": false}
	j.ErrataStatus, j.ErrataLabel = n.status()
	if h.tracer && !h.fault.NoTracer && h.fam.format == katprep.RPM {
		t := s.tracesStatus(h, s.packageView(h))
		j.TracesStatus, j.TracesLabel = &t, ref([]string{"All processes up to date", "Required process restart", "Reboot required"}[t])
	}
	if s, _ := n.status(); *s > 0 {
		j.GlobalStatus, j.GlobalLabel = *s-1, []string{"OK", "Warning", "Error"}[*s-1]
	}
}

// collectionsOf returns the host collections of a host.
func (s *Server) collectionsOf(h *host) []place {
	list := []place{collections[h.index%2]}
	if sites[h.site].domain == "dmz.example.com" {
		list = append(list, collections[2])
	}
	return list
}

// facts are the RHSM facts of a host.
func (s *Server) facts(h *host) map[string]string {
	if h.fault.NoFacts {
		return map[string]string{}
	}
	b := s.reportedBoot(h)
	m := map[string]string{
		"network::fqdn": h.name, "network::hostname": h.name, "uname::release": h.release(b.kernel), "uname::machine": "x86_64",
		"distribution::name": strings.TrimSuffix(h.fam.os.Name, " "+h.fam.os.Version), "distribution::version": h.fam.os.Version,
		"virt::is_guest": strconv.FormatBool(h.virtual), "dmi::system::uuid": s.uuid(h), "net::interface::ens192::mac_address": s.mac(h),
		"cpu::cpu(s)": "2", "memory::memtotal": "8009972", "dmi::system::manufacturer": "Dell Inc.",
	}
	if h.virtual {
		m["virt::host_type"], m["virt::uuid"], m["dmi::system::manufacturer"] = "kvm", s.uuid(h), "QEMU"
	}
	return m
}
