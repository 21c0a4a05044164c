package zabbix

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

type trigger struct {
	Description string `json:"description"`
	Priority    string `json:"priority"` // 0 to 5
	Value       string `json:"value"`    // "1": problem
	State       string `json:"state"`    // "1": cannot be evaluated
	Error       string `json:"error"`
	Items       []struct {
		Last string `json:"lastclock"`
	} `json:"items"`
	Event any `json:"lastEvent"` // an object, or an empty list if there is none
}

// Health is as act.HealthReader says: each enabled trigger is a check.
func (c *Client) Health(ctx context.Context, t act.Target) (act.Health, error) {
	f := c.Find(ctx, []act.Target{t})[0]
	if f.Err != nil {
		return act.Health{}, f.Err
	}
	hs, err := c.hosts(ctx, []string{f.Host})
	if err != nil {
		return act.Health{}, err
	}
	if len(hs) != 1 {
		return act.Health{}, downtime.Unknown(t)
	}
	var ts []trigger
	err = c.call(ctx, "trigger.get", map[string]any{
		"hostids": []string{hs[0].ID}, "monitored": true, "expandDescription": true,
		"output":      []string{"description", "priority", "value", "state", "error"},
		"selectItems": []string{"lastclock"}, "selectLastEvent": []string{"acknowledged"},
	}, &ts)
	if err != nil {
		return act.Health{}, err
	}
	h := act.Health{At: time.Now().UTC(), Host: hs[0].check()}
	for _, t := range ts {
		s := t.check()
		s.InDowntime = h.Host.InDowntime
		h.Services = append(h.Services, s)
	}
	slices.SortFunc(h.Services, func(a, b act.CheckState) int { return cmp.Compare(a.Name, b.Name) })
	return h, nil
}

// check is the host's own state: whether its interfaces answer. Hosts that
// only send data have none that is polled, and stay unknown.
func (h *host) check() act.CheckState {
	s := act.CheckState{Status: act.CheckUnknown, Output: "no interface was polled", InDowntime: h.Maintenance == "1"}
	for _, f := range h.Interfaces {
		switch {
		case f.Available == "2":
			s.Status, s.Output = act.CheckCritical, downtime.FirstLine(f.Error)
			return s
		case f.Available == "1":
			s.Status, s.Output = act.CheckOK, "available"
		}
	}
	if h.Status != "0" {
		s.Status, s.Output = act.CheckUnknown, "not monitored"
	}
	return s
}

func (t *trigger) check() act.CheckState {
	s := act.CheckState{Name: t.Description, Status: act.CheckOK}
	if e, ok := t.Event.(map[string]any); ok {
		s.Acknowledged = t.Value == "1" && number(e["acknowledged"]) == 1
	}
	switch {
	case t.State == "1":
		s.Status, s.Output = act.CheckUnknown, downtime.FirstLine(t.Error)
	case t.Value == "1" && number(t.Priority) >= 3:
		s.Status = act.CheckCritical
	case t.Value == "1":
		s.Status = act.CheckWarning
	case t.unfed():
		s.Status = act.CheckPending
	}
	return s
}

// unfed reports whether no item of the trigger ever had a value, so that its
// being well is only its initial state.
func (t *trigger) unfed() bool {
	for _, i := range t.Items {
		if number(i.Last) != 0 {
			return false
		}
	}
	return len(t.Items) > 0
}
