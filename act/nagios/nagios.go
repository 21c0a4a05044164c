// Package nagios speaks to Nagios Core 3 and 4 through its CGIs: downtimes of
// hosts with their services, health, and the list of hosts.
//
// It reads the JSON CGIs where there are some (4.1 and newer) and the pages for
// people where there are none, and sends through cmd.cgi, which says "submitted" and never "done": every downtime is looked for until
// the core lists it.
package nagios

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
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

// Options say where Nagios is and who we are to it.
type Options struct {
	URL        string // https://HOST/nagios4, with or without /cgi-bin
	Login      creds.Login
	CAFile     string
	ServerName string
	Insecure   bool
	Timeout    time.Duration // for one request; 0: 20 s
	Patience   time.Duration // until a downtime must be listed; 0: 75 s, twice a status_update_interval of 30
	DateFormat string        // us, euro, iso8601, strict-iso8601; "": found out
	Children   bool          // downtimes of the hosts below a host as well
}

// A Client is a connection to one Nagios. It is safe for concurrent use.
type Client struct {
	*downtime.Scheduler

	cgi      *nagioscgi.Client
	login    creds.Login
	format   string
	children bool
	reads    atomic.Int32 // what is read: see pages
	pages    htmlReader
}

// What a client reads.
const (
	readsUnknown int32 = iota
	readsJSON
	readsPages
)

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	cgi, err := nagioscgi.New(nagioscgi.Options{URL: o.URL, Login: o.Login, CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout})
	if err != nil {
		return nil, err
	}
	if o.DateFormat != "" {
		if _, err := nagioscgi.NewClock(o.DateFormat, time.UTC); err != nil {
			return nil, err
		}
	}
	if o.Patience == 0 {
		o.Patience = 75 * time.Second
	}
	c := &Client{cgi: cgi, login: o.Login, format: o.DateFormat, children: o.Children, pages: htmlReader{cgi}}
	c.Scheduler = downtime.New(c, downtime.Rules{System: "Nagios", Patience: o.Patience, ASCII: true, Skew: cgi.Skew})
	return c, nil
}

// Identify is as act.System says.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	st, err := c.running(ctx)
	if err != nil {
		return act.Identity{}, err
	}
	id := act.Identity{Product: "Nagios Core", Version: st.Version, User: st.user, CertExpires: c.cgi.CertExpires()}
	id.ClockSkew, _ = c.cgi.Skew()
	objects, err := c.Objects(ctx)
	if err != nil {
		return id, err
	}
	if len(objects) == 0 {
		id.Missing = append(id.Missing, "to see hosts (authorized_for_all_hosts, or be a contact)")
		return id, nil
	}
	if _, err := c.cgi.Form(ctx, nagioscgi.ScheduleHost, objects[0].Name); katprep.KindOf(err) == katprep.Denied {
		id.Missing = append(id.Missing, "to send commands (authorized_for_all_host_commands, or be a contact with can_submit_commands)")
	} else if err != nil {
		return id, err
	}
	return id, nil
}

// stale is how old the status may be of a core that lives.
const stale = 3 * time.Minute

type program struct {
	Version string `json:"version"`
	user    string
}

// html reports whether pages must be read, because there are no JSON CGIs.
func (c *Client) html(ctx context.Context) bool {
	if c.reads.Load() == readsUnknown {
		_, err := c.cgi.Get(ctx, "statusjson.cgi", url.Values{"query": {"programstatus"}})
		switch {
		case err == nil:
			c.reads.Store(readsJSON)
		case katprep.KindOf(err) == katprep.NotFound:
			c.reads.Store(readsPages)
		}
	}
	return c.reads.Load() == readsPages
}

// running asks whether a core is there: its CGIs live without one, and a
// command would then wait for a reader for ever.
func (c *Client) running(ctx context.Context) (program, error) {
	if c.html(ctx) {
		return c.pages.running(ctx)
	}
	var data struct {
		Status program `json:"programstatus"`
	}
	head, err := c.json(ctx, "statusjson.cgi", url.Values{"query": {"programstatus"}}, &data)
	if err != nil {
		return program{}, err
	}
	if age := millis(head.Asked).Sub(millis(head.Updated)); age > stale {
		return program{}, katprep.Errorf(katprep.Unreachable, "the status of Nagios at %s is %v old: its core does not run", c.cgi.Base(), age.Round(time.Second))
	}
	data.Status.user = head.User
	return data.Status, nil
}

// parallel is how many commands are under way at once.
const parallel = 4

// Send implements downtime.Driver: two commands for each host, one for the
// host itself, one for its services.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	return c.each(ctx, len(rs), rs[0].Host, func(f *nagioscgi.Form, i int) error { return c.schedule(ctx, f, rs[i]) })
}

// prepare fetches the form that all commands of a batch use.
func (c *Client) prepare(ctx context.Context, host string) (*nagioscgi.Form, error) {
	if _, err := c.running(ctx); err != nil {
		return nil, err
	}
	return c.cgi.Form(ctx, nagioscgi.ScheduleHost, host)
}

// each sends for 0 to n-1 with a form that is fetched once for a host.
func (c *Client) each(ctx context.Context, n int, host string, send func(f *nagioscgi.Form, i int) error) []error {
	form, err := c.prepare(ctx, host)
	if err != nil {
		return slices.Repeat([]error{err}, n)
	}
	return downtime.Each(n, parallel, func(i int) error { return send(form, i) })
}

func (c *Client) schedule(ctx context.Context, f *nagioscgi.Form, r downtime.Request) error {
	clock, err := nagioscgi.Detect(f.Now, c.format, time.Now())
	if err != nil {
		return err
	}
	start, err := clock.Write(r.Window.Start)
	if err != nil {
		return err
	}
	end, err := clock.Write(r.Window.End)
	if err != nil {
		return err
	}
	length := r.Window.End.Sub(r.Window.Start)
	fields := url.Values{
		"host": {r.Host}, "com_author": {c.login.User}, "com_data": {r.Comment}, "trigger": {"0"}, "fixed": {"1"},
		"start_time": {start}, "end_time": {end}, "childoptions": {"0"},
		"hours": {fmt.Sprint(int(length.Hours()))}, "minutes": {fmt.Sprint(int(length.Minutes()) % 60)},
	}
	if c.children {
		fields.Set("childoptions", "1")
	}
	if err := c.cgi.Command(ctx, f, nagioscgi.ScheduleHost, fields); err != nil {
		return err
	}
	if len(r.Services) == 0 {
		return nil
	}
	fields.Del("childoptions")
	return c.cgi.Command(ctx, f, nagioscgi.ScheduleHostService, fields)
}

// Remove implements downtime.Driver, by ID. What is triggered by a removed
// downtime goes with it.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	gone := map[string]bool{}
	for _, e := range es {
		gone[e.ID] = true
	}
	return c.each(ctx, len(es), es[0].Host, func(f *nagioscgi.Form, i int) error {
		if gone[es[i].By] {
			return nil
		}
		command := nagioscgi.DeleteHost
		if es[i].Service != "" {
			command = nagioscgi.DeleteService
		}
		return c.cgi.Command(ctx, f, command, url.Values{"down_id": {es[i].ID}})
	})
}
