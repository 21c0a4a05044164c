package icinga1

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// Objects is as act.Inventory says.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	var hosts struct {
		Config struct {
			Hosts []struct {
				Name     string `json:"host_name"`
				Display  string `json:"host_display_name"`
				Address  string `json:"address"`
				Address6 string `json:"address6"` // the name if there is none
			} `json:"hosts"`
		} `json:"config"`
	}
	if _, err := c.page(ctx, "config.cgi", url.Values{"type": {"hosts"}}, &hosts); err != nil {
		return nil, err
	}
	var groups struct {
		Config struct {
			Groups []struct {
				Name    string   `json:"group_name"`
				Members []string `json:"hostgroup_members"`
			} `json:"hostgroups"`
		} `json:"config"`
	}
	if _, err := c.page(ctx, "config.cgi", url.Values{"type": {"hostgroups"}}, &groups); err != nil {
		return nil, err
	}
	of := map[string][]string{}
	for _, g := range groups.Config.Groups {
		for _, m := range g.Members {
			of[m] = append(of[m], g.Name)
		}
	}
	var objects []act.Object
	for _, h := range hosts.Config.Hosts {
		o := act.Object{Name: h.Name, Display: h.Display, Groups: of[h.Name]}
		for _, a := range []string{h.Address, h.Address6} {
			if _, err := netip.ParseAddr(a); err == nil && !slices.Contains(o.IPs, a) {
				o.IPs = append(o.IPs, a)
			}
		}
		objects = append(objects, o)
	}
	slices.SortFunc(objects, func(a, b act.Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, nil
}

// Find implements downtime.Driver.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	objects, err := c.Objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

type service struct {
	Host     string `json:"host_name"`
	Name     string `json:"service_description"`
	Status   string `json:"status"`
	Output   string `json:"status_information"`
	Ack      bool   `json:"has_been_acknowledged"`
	Downtime bool   `json:"in_scheduled_downtime"`
}

func (c *Client) services(ctx context.Context, hosts []string) ([]service, error) {
	q := url.Values{"host": {"all"}, "style": {"detail"}, "limit": {"0"}}
	if len(hosts) == 1 {
		q.Set("host", hosts[0])
	}
	var p struct {
		Status struct {
			Services []service `json:"service_status"`
		} `json:"status"`
	}
	_, err := c.page(ctx, "status.cgi", q, &p)
	return p.Status.Services, err
}

// Services implements downtime.Driver.
func (c *Client) Services(ctx context.Context, hosts []string) (map[string][]string, error) {
	list, err := c.services(ctx, hosts)
	if err != nil {
		return nil, err
	}
	by := map[string][]string{}
	for _, s := range list {
		by[s.Host] = append(by[s.Host], s.Name)
	}
	for _, names := range by {
		slices.Sort(names)
	}
	return by, nil
}

// Entries implements downtime.Driver.
func (c *Client) Entries(ctx context.Context, _ []string) ([]downtime.Entry, error) {
	type entry struct {
		ID       int    `json:"downtime_id"`
		Host     string `json:"host_name"`
		Service  string `json:"service_description"`
		Author   string `json:"author"`
		Comment  string `json:"comment"`
		Start    string `json:"start_time"`
		End      string `json:"end_time"`
		InEffect bool   `json:"is_in_effect"`
	}
	var p struct {
		Info struct {
			Hosts    []entry `json:"host_downtimes"`
			Services []entry `json:"service_downtimes"`
		} `json:"extinfo"`
	}
	h, err := c.page(ctx, "extinfo.cgi", url.Values{"type": {"6"}}, &p)
	if err != nil {
		return nil, err
	}
	clock, err := h.clock()
	if err != nil {
		return nil, err
	}
	var es []downtime.Entry
	for _, d := range append(p.Info.Hosts, p.Info.Services...) {
		e := downtime.Entry{ID: strconv.Itoa(d.ID), Host: d.Host, Service: d.Service, Author: d.Author, Comment: d.Comment, InEffect: d.InEffect}
		if e.Start, err = clock.Read(d.Start); err != nil {
			return nil, err
		}
		if e.End, err = clock.Read(d.End); err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return es, nil
}

var states = map[string]act.CheckStatus{
	"UP": act.CheckOK, "DOWN": act.CheckCritical, "UNREACHABLE": act.CheckCritical,
	"OK": act.CheckOK, "WARNING": act.CheckWarning, "CRITICAL": act.CheckCritical, "UNKNOWN": act.CheckUnknown, "PENDING": act.CheckPending,
}

func check(name, status, output string, ack, down bool) act.CheckState {
	s := act.CheckState{Name: name, Status: act.CheckUnknown, Acknowledged: ack, InDowntime: down}
	if st, ok := states[status]; ok {
		s.Status = st
	}
	s.Output = downtime.FirstLine(output)
	return s
}

// Health is as act.HealthReader says.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	f := c.Find(ctx, []act.Target{t})[0]
	if f.Err != nil {
		return act.Health{}, f.Err
	}
	var p struct {
		Info struct {
			Host struct {
				Status   string `json:"status"`
				Checked  bool   `json:"has_been_checked"`
				Output   string `json:"status_information"`
				Ack      bool   `json:"host_has_been_acknowledged"`
				Downtime bool   `json:"host_in_scheduled_downtime"`
			} `json:"host_info"`
		} `json:"extinfo"`
	}
	if _, err := c.page(ctx, "extinfo.cgi", url.Values{"type": {"1"}, "host": {f.Host}}, &p); err != nil {
		return act.Health{}, err
	}
	list, err := c.services(ctx, []string{f.Host})
	if err != nil {
		return act.Health{}, err
	}
	i := p.Info.Host
	h := act.Health{At: time.Now().UTC(), Host: check("", i.Status, i.Output, i.Ack, i.Downtime)}
	if !i.Checked {
		h.Host.Status = act.CheckPending
	}
	for _, s := range list {
		if s.Host == f.Host {
			h.Services = append(h.Services, check(s.Name, s.Status, s.Output, s.Ack, s.Downtime))
		}
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return strings.Compare(a.Name, b.Name) })
	return h, nil
}
