package alertmanager

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Status      struct {
		State string `json:"state"`
	} `json:"status"`
}

func (c *Client) alerts(ctx context.Context) ([]alert, error) {
	var as []alert
	err := c.call(ctx, http.MethodGet, "/alerts", nil, &as)
	return as, err
}

// Objects is as act.Inventory says, for the hosts that have alerts now.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	as, err := c.alerts(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, a := range as {
		for _, l := range c.labels {
			if v := withoutPort(a.Labels[l]); v != "" {
				names[v] = true
			}
		}
	}
	var objects []act.Object
	for _, n := range slices.Sorted(maps.Keys(names)) {
		o := act.Object{Name: n}
		if net.ParseIP(n) != nil {
			o.IPs = []string{n}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func withoutPort(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return strings.Trim(s, "[]")
}

// Health is as act.HealthReader says: each alert that fires for the host is a
// check that is not well. Alertmanager does not know checks that are well, and
// cannot tell a host without alerts from one that nobody watches.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	f := c.Find(ctx, []act.Target{t})[0]
	if f.Err != nil {
		return act.Health{}, f.Err
	}
	as, err := c.alerts(ctx)
	if err != nil {
		return act.Health{}, err
	}
	own := regexp.MustCompile(`^(?:` + pattern(f.Host) + `)$`)
	as = slices.DeleteFunc(as, func(a alert) bool {
		return !slices.ContainsFunc(c.labels, func(l string) bool { return own.MatchString(a.Labels[l]) })
	})
	h := act.Health{At: time.Now().UTC(), Host: act.CheckState{
		Status: act.CheckUnknown, Output: fmt.Sprintf("%d alerts; Alertmanager knows no states of hosts", len(as)),
	}}
	for i, a := range as {
		alone := !slices.ContainsFunc(slices.Delete(slices.Clone(as), i, i+1), func(o alert) bool { return o.Labels["alertname"] == a.Labels["alertname"] })
		h.Services = append(h.Services, c.check(a, alone))
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return cmp.Compare(a.Name, b.Name) })
	return h, nil
}

func (c *Client) check(a alert, alone bool) act.CheckState {
	s := act.CheckState{Name: a.Labels["alertname"], Status: act.CheckWarning, InDowntime: a.Status.State == "suppressed"}
	if !alone {
		s.Name += c.others(a.Labels)
	}
	switch strings.ToLower(a.Labels["severity"]) {
	case "critical", "page", "error", "high", "emergency", "disaster":
		s.Status = act.CheckCritical
	case "info", "informational", "none", "debug":
		s.Status = act.CheckOK
	}
	s.Output = downtime.FirstLine(cmp.Or(a.Annotations["summary"], a.Annotations["description"], a.Annotations["message"]))
	return s
}

// others tells alerts of one name apart.
func (c *Client) others(labels map[string]string) string {
	var pairs []string
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		if l != "alertname" && l != "severity" && !slices.Contains(c.labels, l) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", l, labels[l]))
		}
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
