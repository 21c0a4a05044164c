// Package icinga1 speaks to Icinga 1.x through its Classic UI: downtimes of
// hosts with their services, health, and the list of hosts.
//
// Pages are read as JSON; commands go through cmd.cgi, which wants a Referer,
// and says "submitted" and never "done": every downtime is looked for until
// the core lists it.
package icinga1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/downtime"
	"github.com/stdevel/katprep/internal/nagioscgi"
)

var (
	_ act.Downtimer     = (*Client)(nil)
	_ act.BulkDowntimer = (*Client)(nil)
	_ act.HealthReader  = (*Client)(nil)
	_ act.Inventory     = (*Client)(nil)
)

// Options say where Icinga is and who we are to it.
type Options struct {
	URL        string // https://HOST/icinga, with or without /cgi-bin
	Login      creds.Login
	CAFile     string
	ServerName string
	Insecure   bool
	Timeout    time.Duration // for one request; 0: 20 s
	Patience   time.Duration // until a downtime must be listed; 0: 45 s
}

// A Client is a connection to one Icinga 1. It is safe for concurrent use.
type Client struct {
	*downtime.Scheduler

	cgi   *nagioscgi.Client
	login creds.Login
}

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	cgi, err := nagioscgi.New(nagioscgi.Options{URL: o.URL, Login: o.Login, CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout})
	if err != nil {
		return nil, err
	}
	if o.Patience == 0 {
		o.Patience = 45 * time.Second
	}
	c := &Client{cgi: cgi, login: o.Login}
	c.Scheduler = downtime.New(c, downtime.Rules{System: "Icinga", Patience: o.Patience, ASCII: true, Skew: cgi.Skew})
	return c, nil
}

// A head stands in every JSON page. It saves guessing how times are written.
type head struct {
	Age     int    `json:"status_data_age"` // seconds
	Read    bool   `json:"reading_status_data_ok"`
	Version string `json:"program_version"`
	Zone    string `json:"timezone"`
	Format  string `json:"date_format"`
}

// stale is how old the status may be of a core that lives.
const stale = 3 * time.Minute

// page reads a CGI as JSON. An object that does not exist is of kind
// katprep.NotFound.
func (c *Client) page(ctx context.Context, cgi string, q url.Values, data any) (head, error) {
	q.Set("jsonoutput", "")
	resp, err := c.cgi.Get(ctx, cgi, q)
	if err != nil {
		return head{}, err
	}
	var p struct {
		Head head `json:"icinga_status"`
		Info struct {
			Error *struct {
				Title string `json:"title"`
				Text  string `json:"text"`
			} `json:"error"`
		} `json:"extinfo"`
	}
	if err := json.Unmarshal(resp.Body, &p); err != nil {
		return head{}, katprep.Errorf(katprep.Corrupt, "%s at %s answers no JSON", cgi, c.cgi.Base()).
			WithHint("this is no Icinga 1.x with its Classic UI; check type and URL of the system")
	}
	age := time.Duration(p.Head.Age) * time.Second
	switch e := p.Info.Error; {
	case !p.Head.Read || age > stale:
		return p.Head, katprep.Errorf(katprep.Unreachable, "the status of Icinga at %s is %v old or not readable: its core does not run", c.cgi.Base(), age)
	case e != nil && strings.Contains(e.Title, "Not Found"):
		return p.Head, katprep.Errorf(katprep.NotFound, "%s", strings.TrimSpace(e.Title+" "+e.Text))
	case e != nil:
		return p.Head, katprep.Errorf(katprep.Denied, "%s at %s: %s %s", cgi, c.cgi.Base(), e.Title, e.Text)
	}
	if err := json.Unmarshal(resp.Body, data); err != nil {
		return p.Head, katprep.Errorf(katprep.Corrupt, "%s at %s: %w", cgi, c.cgi.Base(), err)
	}
	return p.Head, nil
}

func (h head) clock() (nagioscgi.Clock, error) {
	zone, err := time.LoadLocation(strings.TrimPrefix(h.Zone, ":"))
	if err != nil {
		return nagioscgi.Clock{}, katprep.Errorf(katprep.Invalid, "time zone of Icinga: %w", err).WithHint("set use_timezone in icinga.cfg to a name such as Europe/Berlin")
	}
	return nagioscgi.NewClock(h.Format, zone)
}

// Identify is as act.System says.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	var none struct{}
	h, err := c.page(ctx, "extinfo.cgi", url.Values{"type": {"6"}}, &none)
	if err != nil {
		return act.Identity{}, err
	}
	id := act.Identity{Product: "Icinga", Version: h.Version, User: c.login.User, CertExpires: c.cgi.CertExpires()}
	id.ClockSkew, _ = c.cgi.Skew()
	objects, err := c.Objects(ctx)
	if err != nil {
		return id, err
	}
	if len(objects) == 0 {
		id.Missing = append(id.Missing, "to see the configuration of hosts (authorized_for_configuration_information)")
	}
	return id, nil
}

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

// parallel is how many commands are under way at once.
const parallel = 4

func each(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var g errgroup.Group
	g.SetLimit(parallel)
	for i := range n {
		g.Go(func() error { errs[i] = do(i); return nil })
	}
	_ = g.Wait()
	return errs
}

// Send implements downtime.Driver. The command for the services of a host is
// one for the host as well.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	var none struct{}
	h, err := c.page(ctx, "extinfo.cgi", url.Values{"type": {"6"}}, &none)
	if err != nil {
		return slices.Repeat([]error{err}, len(rs))
	}
	clock, err := h.clock()
	if err != nil {
		return slices.Repeat([]error{err}, len(rs))
	}
	return each(len(rs), func(i int) error { return c.schedule(ctx, clock, rs[i]) })
}

func (c *Client) schedule(ctx context.Context, clock nagioscgi.Clock, r downtime.Request) error {
	start, err := clock.Write(r.Window.Start)
	if err != nil {
		return err
	}
	end, err := clock.Write(r.Window.End)
	if err != nil {
		return err
	}
	command := nagioscgi.ScheduleHostService
	if len(r.Services) == 0 {
		command = nagioscgi.ScheduleHost
	}
	length := r.Window.End.Sub(r.Window.Start)
	return c.cgi.Command(ctx, &nagioscgi.Form{}, command, url.Values{
		"host": {r.Host}, "com_author": {c.login.User}, "com_data": {r.Comment}, "trigger": {"0"}, "fixed": {"1"},
		"start_time": {start}, "end_time": {end}, "childoptions": {"0"},
		"hours": {fmt.Sprint(int(length.Hours()))}, "minutes": {fmt.Sprint(int(length.Minutes()) % 60)},
	})
}

// Remove implements downtime.Driver, by ID: the commands that remove by host
// take everybody's.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	return each(len(es), func(i int) error {
		command := nagioscgi.DeleteHost
		if es[i].Service != "" {
			command = nagioscgi.DeleteService
		}
		return c.cgi.Command(ctx, &nagioscgi.Form{}, command, url.Values{"down_id": {es[i].ID}})
	})
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
	s.Output, _, _ = strings.Cut(output, "\n")
	s.Output = strings.TrimRight(s.Output, "\r")
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
