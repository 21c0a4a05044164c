package livestatus

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// few is how many hosts are asked for by name; for more, all are listed.
const few = 50

// parallel is how many commands are under way at once.
const parallel = 8

// some narrows a query to hosts if they are few.
func some(q query, column string, hosts []string) query {
	if len(hosts) <= few {
		q.where, q.values = column, hosts
	}
	return q
}

// Objects is as act.Inventory says.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	v, err := c.program(ctx)
	if err != nil {
		return nil, err
	}
	q := query{table: "hosts", columns: []string{"name", "alias", "groups", "address"}}
	if isIcinga2(v) { // others have one address of either kind
		q.columns = append(q.columns, "address6")
	}
	rows, err := c.query(ctx, q)
	if err != nil {
		return nil, err
	}
	objects := make([]act.Object, len(rows))
	for i, r := range rows {
		objects[i] = act.Object{Name: text(r[0]), Display: text(r[1]), Groups: list(r[2])}
		for _, a := range r[3:] {
			if _, err := netip.ParseAddr(text(a)); err == nil {
				objects[i].IPs = append(objects[i].IPs, text(a))
			}
		}
	}
	slices.SortFunc(objects, func(a, b act.Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, nil
}

// Find implements downtime.Driver.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	if len(ts) == 1 && ts[0].Name != "" {
		rows, err := c.query(ctx, query{table: "hosts", columns: []string{"name"}, where: "name", values: []string{ts[0].Name}})
		switch {
		case err != nil:
			return []downtime.Found{{Err: err}}
		case len(rows) == 1 && text(rows[0][0]) == ts[0].Name:
			return []downtime.Found{{Host: ts[0].Name}}
		}
		return []downtime.Found{{Err: downtime.Unknown(ts[0])}}
	}
	objects, err := c.Objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

// Services implements downtime.Driver.
func (c *Client) Services(ctx context.Context, hosts []string) (map[string][]string, error) {
	rows, err := c.query(ctx, some(query{table: "services", columns: []string{"host_name", "description"}}, "host_name", hosts))
	if err != nil {
		return nil, err
	}
	by := map[string][]string{}
	for _, r := range rows {
		by[text(r[0])] = append(by[text(r[0])], text(r[1]))
	}
	for _, names := range by {
		slices.Sort(names)
	}
	return by, nil
}

type object struct{ host, service string }

// Entries implements downtime.Driver. No column says whether a downtime is in
// effect; it is if its time has come and the object's depth counts at least
// all of those.
func (c *Client) Entries(ctx context.Context, hosts []string) ([]downtime.Entry, error) {
	depth, err := c.depths(ctx, hosts)
	if err != nil {
		return nil, err
	}
	q := query{table: "downtimes", columns: []string{"id", "host_name", "service_description", "author", "comment", "start_time", "end_time", "is_service"}}
	rows, err := c.query(ctx, some(q, "host_name", hosts))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	es := make([]downtime.Entry, len(rows))
	running := map[object]float64{}
	for i, r := range rows {
		es[i] = downtime.Entry{
			ID: strconv.FormatFloat(number(r[0]), 'f', 0, 64), Host: text(r[1]), Service: text(r[2]), Author: text(r[3]), Comment: text(r[4]),
			Start: time.Unix(int64(number(r[5])), 0).UTC(), End: time.Unix(int64(number(r[6])), 0).UTC(),
		}
		if !es[i].Start.After(now) && es[i].End.After(now) {
			es[i].InEffect = true
			running[object{es[i].Host, es[i].Service}]++
		}
	}
	for i, e := range es {
		o := object{e.Host, e.Service}
		es[i].InEffect = e.InEffect && depth[o] >= running[o]
	}
	return es, nil
}

func (c *Client) depths(ctx context.Context, hosts []string) (map[object]float64, error) {
	depth := map[object]float64{}
	rows, err := c.query(ctx, some(query{table: "hosts", columns: []string{"name", "scheduled_downtime_depth"}}, "name", hosts))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		depth[object{text(r[0]), ""}] = number(r[1])
	}
	rows, err = c.query(ctx, some(query{table: "services", columns: []string{"host_name", "description", "scheduled_downtime_depth"}}, "host_name", hosts))
	for _, r := range rows {
		depth[object{text(r[0]), text(r[1])}] = number(r[2])
	}
	return depth, err
}

// Send implements downtime.Driver. Icinga 2 takes the command for the
// services of a host for the host as well; the others want two.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	v, err := c.program(ctx)
	if err != nil {
		return slices.Repeat([]error{err}, len(rs))
	}
	return downtime.Each(len(rs), parallel, func(i int) error {
		r := rs[i]
		start, end := r.Window.Start.Unix(), r.Window.End.Unix()
		fields := []string{r.Host, strconv.FormatInt(start, 10), strconv.FormatInt(end, 10), "1", "0", strconv.FormatInt(end-start, 10), c.author, r.Comment}
		if len(r.Services) == 0 || !isIcinga2(v) {
			if err := c.command(ctx, "SCHEDULE_HOST_DOWNTIME", fields...); err != nil {
				return err
			}
		}
		if len(r.Services) == 0 {
			return nil
		}
		return c.command(ctx, "SCHEDULE_HOST_SVC_DOWNTIME", fields...)
	})
}

// Remove implements downtime.Driver, by ID only: the commands that remove by
// host take everybody's.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	return downtime.Each(len(es), parallel, func(i int) error {
		if es[i].Service != "" {
			return c.command(ctx, "DEL_SVC_DOWNTIME", es[i].ID)
		}
		return c.command(ctx, "DEL_HOST_DOWNTIME", es[i].ID)
	})
}

var (
	hostStates    = [...]act.CheckStatus{act.CheckOK, act.CheckCritical, act.CheckCritical} // up, down, unreachable
	serviceStates = [...]act.CheckStatus{act.CheckOK, act.CheckWarning, act.CheckCritical, act.CheckUnknown}
)

var stateColumns = []string{"state", "has_been_checked", "acknowledged", "scheduled_downtime_depth", "plugin_output"}

// check translates a row of stateColumns.
func check(name string, row []any, states []act.CheckStatus) act.CheckState {
	s := act.CheckState{Name: name, Status: act.CheckUnknown, Acknowledged: number(row[2]) > 0, InDowntime: number(row[3]) > 0}
	if n := int(number(row[0])); n >= 0 && n < len(states) {
		s.Status = states[n]
	}
	if number(row[1]) == 0 {
		s.Status = act.CheckPending
	}
	s.Output = downtime.FirstLine(text(row[4]))
	return s
}

// Health is as act.HealthReader says.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	f := c.Find(ctx, []act.Target{t})[0]
	if f.Err != nil {
		return act.Health{}, f.Err
	}
	rows, err := c.query(ctx, query{table: "hosts", columns: append([]string{"name"}, stateColumns...), where: "name", values: []string{f.Host}})
	if err != nil {
		return act.Health{}, err
	}
	if len(rows) != 1 {
		return act.Health{}, downtime.Unknown(t)
	}
	h := act.Health{At: time.Now().UTC(), Host: check("", rows[0][1:], hostStates[:])}
	rows, err = c.query(ctx, query{table: "services", columns: append([]string{"description"}, stateColumns...), where: "host_name", values: []string{f.Host}})
	if err != nil {
		return act.Health{}, err
	}
	for _, r := range rows {
		h.Services = append(h.Services, check(text(r[0]), r[1:], serviceStates[:]))
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return strings.Compare(a.Name, b.Name) })
	return h, nil
}
