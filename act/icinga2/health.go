package icinga2

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// A checkable is the state of a host or service as the API gives it.
type checkable struct {
	Attrs struct {
		Name     string  `json:"name"`
		Host     string  `json:"host_name"` // of services
		State    float64 `json:"state"`
		Last     float64 `json:"last_check"`
		Ack      float64 `json:"acknowledgement"`
		Downtime float64 `json:"downtime_depth"`
		Result   *struct {
			Output string `json:"output"`
		} `json:"last_check_result"`
	} `json:"attrs"`
}

var stateAttrs = []string{"name", "state", "last_check", "acknowledgement", "downtime_depth", "last_check_result"}

// Health is as act.HealthReader says.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	name := cmp.Or(t.Name, t.Host.Name)
	host, err := c.stateOf(ctx, name)
	if err == nil && host == nil { // it has another name, or none
		f := c.Find(ctx, []act.Target{t})[0]
		if f.Err != nil {
			return act.Health{}, f.Err
		}
		name = f.Host
		host, err = c.stateOf(ctx, name)
	}
	switch {
	case err != nil:
		return act.Health{}, err
	case host == nil:
		return act.Health{}, downtime.Unknown(t)
	}
	var services []checkable
	attrs := append(slices.Clone(stateAttrs), "host_name")
	if err := c.ofHosts(ctx, "services", attrs, []string{name}, &services); err != nil {
		return act.Health{}, err
	}
	h := act.Health{At: time.Now().UTC(), Host: host.check(hostStates[:])}
	h.Host.Name = ""
	for _, s := range services {
		if s.Attrs.Host == name {
			h.Services = append(h.Services, s.check(serviceStates[:]))
		}
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return strings.Compare(a.Name, b.Name) })
	return h, nil
}

// stateOf reads a host by its exact name; nil is none.
func (c *Client) stateOf(ctx context.Context, name string) (*checkable, error) {
	if name == "" {
		return nil, nil
	}
	var hosts []checkable
	err := c.query(ctx, "hosts", map[string]any{"host": name, "attrs": stateAttrs}, &hosts)
	if err != nil || len(hosts) != 1 || hosts[0].Attrs.Name != name {
		return nil, err
	}
	return &hosts[0], nil
}

var (
	hostStates    = [...]act.CheckStatus{act.CheckOK, act.CheckCritical}
	serviceStates = [...]act.CheckStatus{act.CheckOK, act.CheckWarning, act.CheckCritical, act.CheckUnknown}
)

// check translates a state; what was never checked is pending, whatever its
// number says.
func (o *checkable) check(states []act.CheckStatus) act.CheckState {
	a := &o.Attrs
	s := act.CheckState{Name: a.Name, Status: act.CheckUnknown, Acknowledged: a.Ack > 0, InDowntime: a.Downtime > 0}
	if n := int(a.State); n >= 0 && n < len(states) {
		s.Status = states[n]
	}
	if a.Result == nil || a.Last <= 0 {
		s.Status = act.CheckPending
		return s
	}
	s.Output = downtime.FirstLine(a.Result.Output)
	return s
}
