package icinga2

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/downtime"
)

// author is who our downtimes are by. The API takes any text.
const author = "katprep"

// batch is how many hosts go into one action, and most how many downtimes:
// the server takes about 3 ms for each and answers when all are there.
const (
	batch = 50
	most  = 1000
)

// parallel is how many actions run at once: Icinga 2 has slots for one and a half
// times its cores, and what waits for one burns a core.
const parallel = 2

// Entries implements downtime.Driver.
func (c *Client) Entries(ctx context.Context, hosts []string) ([]downtime.Entry, error) {
	var list []struct {
		Name  string `json:"name"`
		Attrs struct {
			Host      string  `json:"host_name"`
			Service   string  `json:"service_name"`
			Author    string  `json:"author"`
			Comment   string  `json:"comment"`
			Start     float64 `json:"start_time"`
			End       float64 `json:"end_time"`
			Triggered float64 `json:"trigger_time"`
			By        string  `json:"triggered_by"`
			Parent    string  `json:"parent"`
		} `json:"attrs"`
	}
	attrs := []string{"host_name", "service_name", "author", "comment", "start_time", "end_time", "trigger_time", "triggered_by", "parent"}
	if c.children {
		hosts = nil // those of dependent hosts are wanted as well
	}
	if err := c.ofHosts(ctx, "downtimes", attrs, hosts, &list); err != nil {
		return nil, err
	}
	es := make([]downtime.Entry, len(list))
	now := time.Now()
	for i, d := range list {
		a := &d.Attrs
		es[i] = downtime.Entry{
			ID: d.Name, Host: a.Host, Service: a.Service, Author: a.Author, Comment: a.Comment,
			Start: instant(a.Start), End: instant(a.End), By: a.By,
			InEffect: a.Triggered > 0 && instant(a.End).After(now),
		}
		if a.Parent != "" {
			es[i].By = a.Parent
		}
	}
	return es, nil
}

// Send implements downtime.Driver: hosts that get the same go together.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	type what struct {
		comment string
		w       katprep.Window
	}
	groups := map[what][]int{}
	var order []what
	for i, r := range rs {
		k := what{r.Comment, r.Window}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	errs := make([]error, len(rs))
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, k := range order {
		for _, part := range parts(rs, groups[k]) {
			g.Go(func() error { c.schedule(ctx, rs, part, errs); return nil })
		}
	}
	_ = g.Wait()
	return errs
}

// parts divides requests, given by their indexes, into batches.
func parts(rs []downtime.Request, indexes []int) [][]int {
	var all [][]int
	n := 0
	for _, i := range indexes {
		size := 1 + len(rs[i].Services)
		if len(all) == 0 || len(all[len(all)-1]) == batch || n+size > most {
			all, n = append(all, nil), 0
		}
		all[len(all)-1], n = append(all[len(all)-1], i), n+size
	}
	return all
}

// schedule sends one action for the requests with the indexes. A name that is
// unknown by now spoils the whole list, so the list is halved until it is
// found.
func (c *Client) schedule(ctx context.Context, rs []downtime.Request, part []int, errs []error) {
	hosts := make([]string, len(part))
	for i, n := range part {
		hosts[i] = rs[n].Host
	}
	r := rs[part[0]]
	body := map[string]any{
		"type": "Host", "hosts": hosts, "author": author, "comment": r.Comment,
		"start_time": r.Window.Start.Unix(), "end_time": r.Window.End.Unix(), "fixed": true, "all_services": true,
	}
	if c.children {
		body["child_options"] = "DowntimeTriggeredChildren"
	}
	a, err := c.action(ctx, "schedule-downtime", body)
	if err == nil {
		err = c.refusal(a)
	}
	switch {
	case err == nil && a.nothing() && len(part) > 1:
		c.schedule(ctx, rs, part[:len(part)/2], errs)
		c.schedule(ctx, rs, part[len(part)/2:], errs)
		return
	case err == nil && a.nothing():
		err = katprep.Errorf(katprep.NotFound, "Icinga 2 has no host %q, or the permission actions/schedule-downtime does not cover it", r.Host)
	case err == nil:
		c.judge(a, rs, part, errs)
		return
	}
	for _, n := range part {
		errs[n] = err
	}
}

// judge gives an error to each host for which the answer has no success.
func (c *Client) judge(a *answer, rs []downtime.Request, part []int, errs []error) {
	var results []struct {
		Code   float64 `json:"code"`
		Name   string  `json:"name"`
		Status string  `json:"status"`
	}
	_ = json.Unmarshal(a.Results, &results) // not a list: no success
	ok := map[string]bool{}
	why := a.words()
	for _, r := range results {
		if i := strings.LastIndexByte(r.Name, '!'); i > 0 && r.Code == http.StatusOK {
			ok[r.Name[:i]] = true
		} else if r.Code != http.StatusOK {
			why = r.Status
		}
	}
	for _, n := range part {
		if !ok[rs[n].Host] {
			errs[n] = katprep.Errorf(katprep.Internal, "Icinga 2 answers %d: %s", a.code, why)
		}
	}
}

// Remove implements downtime.Driver, by name only. What hangs on a removed
// downtime of the same host goes with it.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	listed := map[string]string{}
	for _, e := range es {
		listed[e.ID] = e.Host
	}
	var roots []int
	for i, e := range es {
		if listed[e.By] != e.Host || e.By == "" {
			roots = append(roots, i)
		}
	}
	errs := make([]error, len(es))
	for part := range slices.Chunk(roots, 5*batch) {
		c.remove(ctx, es, part, errs)
	}
	return errs
}

func (c *Client) remove(ctx context.Context, es []downtime.Entry, part []int, errs []error) {
	names := make([]string, len(part))
	for i, n := range part {
		names[i] = es[n].ID
	}
	a, err := c.action(ctx, "remove-downtime", map[string]any{"downtimes": names, "type": "Downtime", "author": author})
	if err == nil {
		err = c.refusal(a)
	}
	switch {
	case err != nil:
	case a.nothing() && len(part) > 1:
		c.remove(ctx, es, part[:len(part)/2], errs)
		c.remove(ctx, es, part[len(part)/2:], errs)
		return
	case a.nothing(), a.code == http.StatusOK: // gone, now or before
		return
	default:
		err = katprep.Errorf(katprep.Internal, "Icinga 2 answers %d: %s", a.code, a.words())
	}
	for _, n := range part {
		errs[n] = err
	}
}
