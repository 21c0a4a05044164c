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
	"net/url"
	"slices"
	"strings"
	"time"

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
	Patience   time.Duration // until a downtime must be listed; 0: 75 s
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
		o.Patience = 75 * time.Second
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

// parallel is how many commands are under way at once.
const parallel = 4

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
	return downtime.Each(len(rs), parallel, func(i int) error { return c.schedule(ctx, clock, rs[i]) })
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
	return downtime.Each(len(es), parallel, func(i int) error {
		command := nagioscgi.DeleteHost
		if es[i].Service != "" {
			command = nagioscgi.DeleteService
		}
		return c.cgi.Command(ctx, &nagioscgi.Form{}, command, url.Values{"down_id": {es[i].ID}})
	})
}
