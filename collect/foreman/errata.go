package foreman

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// An index holds the errata of all hosts: small numbers for each host, the
// details of each erratum once, until some reading has taken them along.
type index struct {
	c      *Collector
	search string

	mu      sync.Mutex
	ids     []string
	numbers map[string]uint32
	counted []bool                     // by number: the host's own count includes its type
	details map[string]katprep.Erratum // not yet delivered
	done    map[string]bool            // delivered
	orgs    map[int64]*orgErrata
}

// orgErrata are the errata of one organization's hosts.
type orgErrata struct {
	installable, applicable *table
	err, errApplicable      error // why there is no table
}

// A table has the numbers of each host's errata, by host ID or by name.
type table struct {
	byID   map[int64][]uint32
	byName map[string][]uint32
}

func newIndex(c *Collector, search string) *index {
	return &index{c: c, search: search, numbers: map[string]uint32{}, details: map[string]katprep.Erratum{},
		done: map[string]bool{}, orgs: map[int64]*orgErrata{}}
}

// load reads the errata of the host's organization, unless they are there or
// not needed. Its error ends the reading; that the server refuses does not:
// then the hosts are read one by one.
func (x *index) load(ctx context.Context, h *foremanapi.Host) error {
	if x.c.o.ErrataSource == ErrataHost || !h.Content.OK || !h.OrganizationID.Valid || !x.c.server.Has(foremanapi.Katello) {
		return nil
	}
	id := h.OrganizationID.N
	if x.org(id) != nil || !mayHaveErrata(h, x.c.o.Applicable) {
		return nil
	}
	org := &orgErrata{}
	org.installable, org.err = x.tableOf(ctx, id, string(h.Organization), false)
	if x.c.fatal(ctx, org.err) {
		return org.err
	}
	if x.c.o.Applicable {
		org.applicable, org.errApplicable = x.tableOf(ctx, id, string(h.Organization), true)
		if x.c.fatal(ctx, org.errApplicable) {
			return org.errApplicable
		}
	}
	x.mu.Lock()
	x.orgs[id] = org
	x.mu.Unlock()
	return nil
}

// mayHaveErrata reports whether the host's own counts leave anything to ask.
func mayHaveErrata(h *foremanapi.Host, applicable bool) bool {
	c := h.Content.V.Counts
	if !c.OK || !c.V.Total.Valid || c.V.Total.N > 0 {
		return true
	}
	return applicable && (!c.V.Applicable.V.Total.Valid || c.V.Applicable.V.Total.N > 0)
}

// add remembers an erratum and its details, and returns its number.
func (x *index) add(e foremanapi.Erratum) uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := string(e.ID)
	n, ok := x.numbers[id]
	if !ok {
		n = uint32(len(x.ids))
		x.numbers[id] = n
		x.ids = append(x.ids, id)
		x.counted = append(x.counted, isCounted(string(e.Type)))
	}
	if !x.done[id] {
		full := erratum(e)
		if have, ok := x.details[id]; ok {
			full = have.Merge(full)
		}
		x.details[id] = full
	}
	return n
}

// isCounted reports whether Katello's own counts include errata of the type;
// those of some vendors are listed but not counted.
func isCounted(t string) bool {
	return slices.Contains([]string{"security", "bugfix", "recommended", "enhancement", "optional"}, strings.ToLower(t))
}

// take returns the details of the errata that no reading has delivered yet.
// The caller must deliver them.
func (x *index) take(errata []katprep.HostErratum) []katprep.Erratum {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []katprep.Erratum
	for _, e := range errata {
		if d, ok := x.details[e.ID]; ok {
			out = append(out, d)
			delete(x.details, e.ID)
			x.done[e.ID] = true
		}
	}
	return out
}

// of returns the IDs of a host's errata as the table has them. proven says
// that their number is what the host itself counts.
func (x *index) of(t *table, host int64, name string, want int64) (ids []string, proven bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	numbers := t.byID[host]
	if t.byName != nil {
		numbers = t.byName[name]
	}
	counted := 0
	for _, n := range numbers {
		ids = append(ids, x.ids[n])
		if x.counted[n] {
			counted++
		}
	}
	return ids, int64(len(ids)) == want || int64(counted) == want
}

func (x *index) org(id int64) *orgErrata {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.orgs[id]
}
