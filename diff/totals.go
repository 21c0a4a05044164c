package diff

import "github.com/stdevel/katprep"

// Totals sums changes up; every host counts once.
func Totals(hosts []katprep.HostChange) katprep.Totals {
	t := katprep.Totals{
		Hosts:     len(hosts),
		Errata:    map[katprep.Ending]int{},
		Updates:   map[katprep.Ending]int{},
		Packages:  map[katprep.PackageKind]int{},
		Installed: map[katprep.Severity]int{},
	}
	for i := range hosts {
		add(&t, &hosts[i])
	}
	return t
}

func add(t *katprep.Totals, h *katprep.HostChange) {
	switch {
	case h.Presence == katprep.NotCollected:
		t.Unknown++
	case h.Presence == katprep.OnlyAfter:
		t.Added++
	case h.Presence == katprep.OnlyBefore:
		t.Removed++
	case h.Presence == katprep.NotSelected:
		t.NotSelected++
	case h.Changed():
		t.Changed++
	default:
		t.Unchanged++
	}
	if h.Boot.Rebooted == katprep.Yes {
		t.Rebooted++
	}
	for _, e := range h.Errata {
		t.Errata[e.Ending]++
		if e.Type == katprep.Security && (e.Ending == katprep.Installed || e.Ending == katprep.RebootPending) {
			t.Installed[e.Severity]++
		}
	}
	for _, u := range h.Updates {
		t.Updates[u.Ending]++
	}
	for _, p := range h.Packages {
		t.Packages[p.Kind]++
	}
}
