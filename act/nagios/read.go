package nagios

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// A header stands before every answer of a JSON CGI, whose HTTP status is
// always 200. Times are milliseconds.
type header struct {
	Asked   float64 `json:"query_time"`
	Updated float64 `json:"last_data_update"`
	User    string  `json:"user"`
	Code    int     `json:"type_code"`
	Type    string  `json:"type_text"`
	Message string  `json:"message"`
}

func millis(ms float64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

// json asks a JSON CGI. Objects that do not exist are of kind
// katprep.NotFound.
func (c *Client) json(ctx context.Context, cgi string, q url.Values, data any) (header, error) {
	var a struct {
		Result header          `json:"result"`
		Data   json.RawMessage `json:"data"`
	}
	resp, err := c.cgi.Get(ctx, cgi, q)
	if err != nil {
		return a.Result, err
	}
	if len(bytes.TrimSpace(resp.Body)) == 0 {
		return a.Result, katprep.Errorf(katprep.Unreachable, "the CGIs at %s have nothing to say: the core of Nagios does not run", c.cgi.Base())
	}
	if err := json.Unmarshal(resp.Body, &a); err != nil {
		return a.Result, katprep.Errorf(katprep.Corrupt, "%s at %s answers no JSON", cgi, c.cgi.Base()).
			WithHint("this is no Nagios 4.1 or newer; check type and URL of the system")
	}
	switch {
	case a.Result.Code == 0:
	case strings.Contains(a.Result.Message, "could not be found"):
		return a.Result, katprep.Errorf(katprep.NotFound, "%s", a.Result.Message)
	default:
		return a.Result, katprep.Errorf(katprep.Internal, "%s at %s: %s: %s", cgi, c.cgi.Base(), a.Result.Type, a.Result.Message)
	}
	if err := json.Unmarshal(a.Data, data); err != nil {
		return a.Result, katprep.Errorf(katprep.Corrupt, "%s at %s: %w", cgi, c.cgi.Base(), err)
	}
	return a.Result, nil
}

type host struct {
	Name     string   `json:"name"`
	Alias    string   `json:"alias"`
	Address  string   `json:"address"`
	Services []string `json:"services"`
}

func (c *Client) hosts(ctx context.Context) (map[string]host, error) {
	var data struct {
		Hosts map[string]host `json:"hostlist"`
	}
	_, err := c.json(ctx, "objectjson.cgi", url.Values{"query": {"hostlist"}, "details": {"true"}}, &data)
	delete(data.Hosts, "") // names that are not ASCII arrive empty
	return data.Hosts, err
}

// Objects is as act.Inventory says. Hosts whose names are not ASCII are left
// out of the JSON CGIs, and groups out of the pages.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	if c.html(ctx) {
		return c.pages.objects(ctx)
	}
	hosts, err := c.hosts(ctx)
	if err != nil {
		return nil, err
	}
	var data struct {
		Groups map[string]struct {
			Members []string `json:"members"`
		} `json:"hostgrouplist"`
	}
	if _, err := c.json(ctx, "objectjson.cgi", url.Values{"query": {"hostgrouplist"}, "details": {"true"}}, &data); err != nil {
		return nil, err
	}
	groups := map[string][]string{}
	for _, g := range slices.Sorted(maps.Keys(data.Groups)) {
		for _, m := range data.Groups[g].Members {
			groups[m] = append(groups[m], g)
		}
	}
	objects := make([]act.Object, 0, len(hosts))
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		o := act.Object{Name: name, Display: hosts[name].Alias, Groups: groups[name]}
		if _, err := netip.ParseAddr(hosts[name].Address); err == nil {
			o.IPs = []string{hosts[name].Address}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// Find implements downtime.Driver.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	if c.html(ctx) {
		return c.pages.find(ctx, ts)
	}
	if len(ts) == 1 && ts[0].Name != "" {
		return []downtime.Found{c.byName(ctx, ts[0])}
	}
	objects, err := c.Objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

func (c *Client) byName(ctx context.Context, t act.Target) downtime.Found {
	h, err := c.host(ctx, t.Name)
	switch {
	case katprep.KindOf(err) == katprep.NotFound, err == nil && h.Name != t.Name:
		return downtime.Found{Err: downtime.Unknown(t)}
	case err != nil:
		return downtime.Found{Err: err}
	}
	return downtime.Found{Host: h.Name}
}

func (c *Client) host(ctx context.Context, name string) (host, error) {
	var data struct {
		Host host `json:"host"`
	}
	_, err := c.json(ctx, "objectjson.cgi", url.Values{"query": {"host"}, "hostname": {name}}, &data)
	return data.Host, err
}

// Services implements downtime.Driver.
func (c *Client) Services(ctx context.Context, names []string) (map[string][]string, error) {
	if c.html(ctx) {
		return c.pages.services(ctx, names)
	}
	var hosts map[string]host
	if len(names) == 1 {
		h, err := c.host(ctx, names[0])
		if err != nil {
			return nil, err
		}
		hosts = map[string]host{names[0]: h}
	} else {
		var err error
		if hosts, err = c.hosts(ctx); err != nil {
			return nil, err
		}
	}
	by := map[string][]string{}
	for name, h := range hosts {
		for _, s := range h.Services {
			by[name] = append(by[name], legible(s))
		}
		slices.Sort(by[name])
	}
	return by, nil
}

// legible gives a name to services whose own is not ASCII: it arrives empty.
func legible(service string) string {
	if service == "" {
		return "\ufffd"
	}
	return service
}

// Entries implements downtime.Driver.
func (c *Client) Entries(ctx context.Context, hosts []string) ([]downtime.Entry, error) {
	if c.html(ctx) {
		return c.pages.entries(ctx, hosts, c.format)
	}
	var data struct {
		List map[string]struct {
			ID       int     `json:"downtime_id"`
			Type     int     `json:"type"` // 1: service, 2: host
			Host     string  `json:"host_name"`
			Service  string  `json:"service_description"`
			Author   string  `json:"author"`
			Comment  string  `json:"comment"`
			Start    float64 `json:"start_time"`
			End      float64 `json:"end_time"`
			InEffect bool    `json:"is_in_effect"`
			By       int     `json:"triggered_by"`
		} `json:"downtimelist"`
	}
	if _, err := c.json(ctx, "statusjson.cgi", url.Values{"query": {"downtimelist"}, "details": {"true"}}, &data); err != nil {
		return nil, err
	}
	es := make([]downtime.Entry, 0, len(data.List))
	for _, d := range data.List {
		e := downtime.Entry{
			ID: strconv.Itoa(d.ID), Host: d.Host, Service: d.Service, Author: d.Author, Comment: d.Comment,
			Start: millis(d.Start), End: millis(d.End), InEffect: d.InEffect,
		}
		if d.Type == 1 {
			e.Service = legible(d.Service)
		}
		if d.By != 0 {
			e.By = strconv.Itoa(d.By)
		}
		es = append(es, e)
	}
	slices.SortFunc(es, func(a, b downtime.Entry) int { return strings.Compare(a.ID, b.ID) })
	return es, nil
}

// A status is the state of a host or service; Status is one bit.
type status struct {
	Name     string `json:"description"`
	Status   int    `json:"status"`
	Output   string `json:"plugin_output"`
	Checked  bool   `json:"has_been_checked"`
	Ack      bool   `json:"problem_has_been_acknowledged"`
	Downtime int    `json:"scheduled_downtime_depth"`
}

var (
	hostStates    = map[int]act.CheckStatus{1: act.CheckPending, 2: act.CheckOK, 4: act.CheckCritical, 8: act.CheckCritical}
	serviceStates = map[int]act.CheckStatus{1: act.CheckPending, 2: act.CheckOK, 4: act.CheckWarning, 8: act.CheckUnknown, 16: act.CheckCritical}
)

func (s *status) check(states map[int]act.CheckStatus) act.CheckState {
	c := act.CheckState{Status: act.CheckUnknown, Output: downtime.FirstLine(s.Output), Acknowledged: s.Ack, InDowntime: s.Downtime > 0}
	if st, ok := states[s.Status]; ok {
		c.Status = st
	}
	if !s.Checked {
		c.Status = act.CheckPending
	}
	return c
}

// Health is as act.HealthReader says.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	f := c.Find(ctx, []act.Target{t})[0]
	if f.Err != nil {
		return act.Health{}, f.Err
	}
	if c.html(ctx) {
		return c.pages.health(ctx, t, f.Host)
	}
	var data struct {
		Host     status                       `json:"host"`
		Services map[string]map[string]status `json:"servicelist"`
	}
	head, err := c.json(ctx, "statusjson.cgi", url.Values{"query": {"host"}, "hostname": {f.Host}}, &data)
	if err != nil {
		return act.Health{}, err
	}
	if _, err := c.json(ctx, "statusjson.cgi", url.Values{"query": {"servicelist"}, "hostname": {f.Host}, "details": {"true"}}, &data); err != nil {
		return act.Health{}, err
	}
	h := act.Health{At: millis(head.Asked), Host: data.Host.check(hostStates)}
	list := data.Services[f.Host]
	for _, name := range slices.Sorted(maps.Keys(list)) {
		s := list[name]
		st := s.check(serviceStates)
		st.Name = legible(name)
		h.Services = append(h.Services, st)
	}
	return h, nil
}
