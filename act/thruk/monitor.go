package thruk

import (
	"cmp"
	"context"
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

// parallel is how many commands are under way at once.
const parallel = 4

// A row is a host, service or downtime; cores differ in how they write
// numbers and nothing.
type row map[string]any

func (r row) text(column string) string {
	s, _ := r[column].(string)
	return s
}

func (r row) number(column string) float64 { return number(r[column]) }

func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
	case string:
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}

func (r row) list(column string) (ss []string) {
	items, _ := r[column].([]any)
	for _, i := range items {
		if s, ok := i.(string); ok {
			ss = append(ss, s)
		}
	}
	return ss
}

// rows reads columns; with one host, only its rows.
func (c *Client) rows(ctx context.Context, path, columns, where string, hosts []string) ([]row, error) {
	q := url.Values{"columns": {columns}}
	if len(hosts) == 1 {
		q.Set(where, hosts[0])
	}
	var rs []row
	if err := c.get(ctx, path, q, &rs); err != nil {
		return nil, err
	}
	if len(hosts) == 1 {
		rs = slices.DeleteFunc(rs, func(r row) bool { return r.text(where) != hosts[0] })
	}
	return rs, nil
}

// Objects is as act.Inventory says. A host of several backends is listed
// once; see Options.Backend.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	rs, err := c.rows(ctx, "/hosts", "name,alias,address,groups", "", nil)
	if err != nil {
		return nil, err
	}
	objects := make([]act.Object, len(rs))
	for i, r := range rs {
		objects[i] = act.Object{Name: r.text("name"), Display: r.text("alias"), Groups: r.list("groups")}
		if _, err := netip.ParseAddr(r.text("address")); err == nil {
			objects[i].IPs = []string{r.text("address")}
		}
	}
	slices.SortFunc(objects, func(a, b act.Object) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(objects, func(a, b act.Object) bool { return a.Name == b.Name }), nil
}

// Find implements downtime.Driver.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	var objects []act.Object
	var err error
	if len(ts) == 1 && ts[0].Name != "" {
		var rs []row
		if rs, err = c.rows(ctx, "/hosts", "name", "name", []string{ts[0].Name}); len(rs) > 0 {
			objects = []act.Object{{Name: ts[0].Name}}
		}
	} else {
		objects, err = c.Objects(ctx)
	}
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

// Services implements downtime.Driver.
func (c *Client) Services(ctx context.Context, hosts []string) (map[string][]string, error) {
	rs, err := c.rows(ctx, "/services", "host_name,description", "host_name", hosts)
	if err != nil {
		return nil, err
	}
	by := map[string][]string{}
	for _, r := range rs {
		by[r.text("host_name")] = append(by[r.text("host_name")], r.text("description"))
	}
	for h := range by {
		slices.Sort(by[h])
		by[h] = slices.Compact(by[h])
	}
	return by, nil
}

type object struct{ peer, host, service string }

// Entries implements downtime.Driver. A downtime is in effect if its time has
// come and the object's depth counts at least all of those.
func (c *Client) Entries(ctx context.Context, hosts []string) ([]downtime.Entry, error) {
	depth := map[object]float64{}
	for _, q := range [][3]string{{"/hosts", "name", ""}, {"/services", "host_name", "description"}} {
		rs, err := c.rows(ctx, q[0], strings.TrimSuffix("peer_key,scheduled_downtime_depth,"+q[1]+","+q[2], ","), q[1], hosts)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			depth[object{r.text("peer_key"), r.text(q[1]), r.text(q[2])}] = r.number("scheduled_downtime_depth")
		}
	}
	rs, err := c.rows(ctx, "/downtimes", "id,peer_key,host_name,service_description,author,comment,start_time,end_time", "host_name", hosts)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	running := map[object]float64{}
	es := make([]downtime.Entry, len(rs))
	for i, r := range rs {
		es[i] = downtime.Entry{
			ID: r.text("peer_key") + "/" + strconv.FormatFloat(r.number("id"), 'f', 0, 64), Host: r.text("host_name"), Service: r.text("service_description"),
			Author: r.text("author"), Comment: r.text("comment"),
			Start: time.Unix(int64(r.number("start_time")), 0).UTC(), End: time.Unix(int64(r.number("end_time")), 0).UTC(),
		}
		if !es[i].Start.After(now) && es[i].End.After(now) {
			es[i].InEffect = true
			running[object{r.text("peer_key"), es[i].Host, es[i].Service}]++
		}
	}
	for i := range es {
		peer, _, _ := strings.Cut(es[i].ID, "/")
		o := object{peer, es[i].Host, es[i].Service}
		es[i].InEffect = es[i].InEffect && depth[o] >= running[o]
	}
	return es, nil
}

// backends returns the backend of each host, and whether it is an Icinga 2. A
// host of several backends is a conflict, because the downtime of one would be
// taken for that of the other.
func (c *Client) backends(ctx context.Context, hosts []string) (peers map[string][]string, icinga map[string]bool, err error) {
	rs, err := c.rows(ctx, "/hosts", "name,peer_key", "name", hosts)
	if err != nil {
		return nil, nil, err
	}
	peers, icinga = map[string][]string{}, map[string]bool{}
	for _, r := range rs {
		peers[r.text("name")] = append(peers[r.text("name")], r.text("peer_key"))
	}
	cores, err := c.rows(ctx, "/processinfo", "peer_key,program_version", "", nil)
	for _, r := range cores {
		v := r.text("program_version")
		icinga[r.text("peer_key")] = strings.HasPrefix(v, "r2.") || strings.HasPrefix(v, "v2.")
	}
	return peers, icinga, err
}

// Send implements downtime.Driver. Icinga 2 takes the command for the
// services of a host for the host as well; the others want two.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	hosts := make([]string, len(rs))
	for i, r := range rs {
		hosts[i] = r.Host
	}
	peers, icinga, err := c.backends(ctx, hosts)
	if err != nil {
		return slices.Repeat([]error{err}, len(rs))
	}
	return downtime.Each(len(rs), parallel, func(i int) error {
		r := rs[i]
		on := peers[r.Host]
		if len(on) != 1 {
			return katprep.Errorf(katprep.Conflict, "host %q is on %d backends of Thruk", r.Host, len(on)).
				WithHint("name the one that is meant as the system's backend")
		}
		form := url.Values{
			"host": {r.Host}, "comment_data": {r.Comment}, "fixed": {"1"},
			"start_time": {strconv.FormatInt(r.Window.Start.Unix(), 10)}, "end_time": {strconv.FormatInt(r.Window.End.Unix(), 10)},
		}
		if len(r.Services) == 0 || !icinga[on[0]] {
			form.Set("cmd", "schedule_host_downtime")
			if err := c.command(ctx, "/cmd", on[0], form); err != nil {
				return err
			}
		}
		if len(r.Services) == 0 {
			return nil
		}
		form.Set("cmd", "schedule_host_svc_downtime")
		return c.command(ctx, "/cmd", on[0], form)
	})
}

// Remove implements downtime.Driver, by ID and backend only: the commands
// that remove by host take everybody's.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	return downtime.Each(len(es), parallel, func(i int) error {
		peer, id, _ := strings.Cut(es[i].ID, "/")
		path := "/system/cmd/del_host_downtime"
		if es[i].Service != "" {
			path = "/system/cmd/del_svc_downtime"
		}
		return c.command(ctx, path, peer, url.Values{"downtime_id": {id}})
	})
}

var (
	hostStates    = [...]act.CheckStatus{act.CheckOK, act.CheckCritical, act.CheckCritical} // up, down, unreachable
	serviceStates = [...]act.CheckStatus{act.CheckOK, act.CheckWarning, act.CheckCritical, act.CheckUnknown}
)

const stateColumns = ",state,has_been_checked,acknowledged,scheduled_downtime_depth,plugin_output"

func (r row) check(name string, states []act.CheckStatus) act.CheckState {
	s := act.CheckState{Name: name, Status: act.CheckUnknown, Acknowledged: r.number("acknowledged") > 0, InDowntime: r.number("scheduled_downtime_depth") > 0}
	if n := int(r.number("state")); n >= 0 && n < len(states) {
		s.Status = states[n]
	}
	if r.number("has_been_checked") == 0 {
		s.Status = act.CheckPending
	}
	s.Output = downtime.FirstLine(r.text("plugin_output"))
	return s
}

// Health is as act.HealthReader says.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	f := c.Find(ctx, []act.Target{t})[0]
	if f.Err != nil {
		return act.Health{}, f.Err
	}
	hosts, err := c.rows(ctx, "/hosts", "name"+stateColumns, "name", []string{f.Host})
	if err != nil {
		return act.Health{}, err
	}
	if len(hosts) != 1 {
		return act.Health{}, katprep.Errorf(katprep.Conflict, "host %q is on %d backends of Thruk", f.Host, len(hosts)).
			WithHint("name the one that is meant as the system's backend")
	}
	services, err := c.rows(ctx, "/services", "host_name,description"+stateColumns, "host_name", []string{f.Host})
	if err != nil {
		return act.Health{}, err
	}
	h := act.Health{At: time.Now().UTC(), Host: hosts[0].check("", hostStates[:])}
	for _, s := range services {
		h.Services = append(h.Services, s.check(s.text("description"), serviceStates[:]))
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return cmp.Compare(a.Name, b.Name) })
	return h, nil
}
