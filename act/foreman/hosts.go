package foreman

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// A host is a target as the server knows it now.
type host struct {
	id    int64
	name  string
	host  foremanapi.Host
	wants act.Target
	index int // among the targets
}

// hostName is what a job's search can hold without being anything else.
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$`)

func nameOf(t act.Target) string { return strings.ToLower(orElse(t.Name, t.Host.Name)) }

// look finds the targets on the server. What is wrong with a target is in
// the results; the other hosts are returned. err means that nothing is known.
func (a *Actor) look(ctx context.Context, ts []act.Target, results []act.Result) ([]host, error) {
	wanted := map[string][]int{}
	var names []string
	for i, t := range ts {
		if name := nameOf(t); hostName.MatchString(name) {
			names = append(names, name)
			wanted[name] = append(wanted[name], i)
		} else {
			results[i].Err = katprep.Errorf(katprep.Invalid, "host name %q cannot be used in a job", name)
		}
	}
	var found []host
	for chunk := range slices.Chunk(names, 50) {
		q := foremanapi.HostQuery{Search: "name ^ (" + strings.Join(chunk, ", ") + ")", PerPage: 100, Ahead: 1}
		for rec, err := range a.api.Hosts(ctx, q) {
			if err != nil {
				return nil, err
			}
			name := strings.ToLower(string(rec.Host.Name))
			if !rec.Host.ID.Valid {
				continue
			}
			for _, i := range wanted[name] {
				found = append(found, host{id: rec.Host.ID.N, name: name, host: rec.Host, wants: ts[i], index: i})
			}
			delete(wanted, name)
		}
	}
	for name, left := range wanted {
		for _, i := range left {
			results[i].Err = katprep.Errorf(katprep.NotFound, "no host on %s is called %q", a.api.Host(), name)
		}
	}
	return slices.DeleteFunc(found, func(h host) bool { return a.another(h, results) }), nil
}

// another reports whether the host of that name is not the one that was
// meant: it was deleted and made again since.
func (a *Actor) another(h host, results []act.Result) bool {
	id := h.wants.Host.ID
	if h.wants.Host.Source != a.o.Name || id == "" || id == strconv.FormatInt(h.id, 10) {
		return false
	}
	results[h.index].Err = katprep.Errorf(katprep.Conflict, "host %q has the ID %d now, it had %s", h.name, h.id, id).WithHint("take another snapshot and plan again")
	return true
}

// one finds one target.
func (a *Actor) one(ctx context.Context, t act.Target) (host, error) {
	results := make([]act.Result, 1)
	found, err := a.look(ctx, []act.Target{t}, results)
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return host{}, err
	}
	return found[0], nil
}

// hostID is the host's identity for the archive.
func (a *Actor) hostID(id int64) katprep.HostID {
	return katprep.HostID{Source: a.o.Name, ID: strconv.FormatInt(id, 10)}
}
