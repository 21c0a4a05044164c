package foreman

import (
	"context"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// A reader is one reading of the server with one selection.
type reader struct {
	*Collector
	filter filter
	errata *index

	asked  bool                         // whether the following is known
	params error                        // why parameters are not
	facts  map[string]map[string]string // by host name: isGuest, hardwareUUID
	owners [2]map[int64]string
}

// The facts that are asked of all hosts: what tells virtual from physical
// ones, and what finds a host's VM.
const (
	isGuest      = "virt::is_guest"
	hardwareUUID = "dmi::system::uuid"
)

func (c *Collector) newReader(ctx context.Context, sel katprep.Selection) (*reader, error) {
	f, err := c.resolve(ctx, sel)
	if err != nil {
		return nil, err
	}
	return &reader{Collector: c, filter: f, errata: newIndex(c, f.search)}, nil
}

// targets reads what concerns all hosts before the first of them is yielded,
// so that nothing shared depends on the deadline of a single host.
func (r *reader) targets(ctx context.Context, yield func(collect.Target, error) bool) {
	if len(r.filter.sel.Sources) > 0 && !slices.ContainsFunc(r.filter.sel.Sources, func(p string) bool { return glob(p, r.o.Name) }) {
		return
	}
	q := foremanapi.HostQuery{Search: r.filter.search, PerPage: r.o.PerPage, Ahead: r.o.Concurrency, Parameters: r.server.Can(foremanapi.Include),
		Organization: r.filter.org, Location: r.filter.location}
	for rec, err := range r.api.Hosts(ctx, q) {
		if err != nil {
			yield(collect.Target{}, err)
			return
		}
		t, wanted, err := r.target(ctx, rec)
		if err != nil {
			yield(collect.Target{}, err)
			return
		}
		if wanted && !yield(t, nil) {
			return
		}
	}
	if err := r.filter.unfound(); err != nil {
		yield(collect.Target{}, err)
	}
}

// target prepares one host. Its error ends the list: the login was refused,
// or the run was cancelled.
func (r *reader) target(ctx context.Context, rec foremanapi.HostRecord) (t collect.Target, wanted bool, err error) {
	host := katprep.Host{HostID: katprep.HostID{Source: r.o.Name, ID: idOf(rec.Host)}, Name: string(rec.Host.Name)}
	if rec.Err != nil || !rec.Host.ID.Valid || host.Name == "" {
		return nameless(host, rec.Err), true, nil
	}
	if err := r.shared(ctx, &rec.Host); err != nil {
		return t, false, err
	}
	state := r.state(host, &rec.Host)
	if !r.filter.match(&state, &rec.Host) {
		return t, false, nil
	}
	if err := r.errata.load(ctx, &rec.Host); err != nil {
		return t, false, err
	}
	j := &job{reader: r, host: rec.Host, state: state}
	return collect.Target{Host: host, Read: j.read}, true, nil
}

// nameless is a target for a record without name or ID: it stays visible as
// one that could not be read.
func nameless(host katprep.Host, err error) collect.Target {
	if err == nil {
		err = katprep.Errorf(katprep.Corrupt, "the server's record of the host has no name or no ID")
	}
	host.Name = orElse(host.Name, host.ID)
	return collect.Target{Host: host, Read: func(context.Context) (collect.Reading, error) { return collect.Reading{}, err }}
}

func idOf(h foremanapi.Host) string {
	if !h.ID.Valid {
		return ""
	}
	return strconv.FormatInt(h.ID.N, 10)
}

// shared asks once what the list of hosts does not say.
func (r *reader) shared(ctx context.Context, h *foremanapi.Host) error {
	if r.asked {
		return r.ownerOf(ctx, h)
	}
	r.asked = true
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		r.params = r.api.CanSeeParameters(gctx, h.ID.N)
		return r.onlyFatal(gctx, r.params)
	})
	g.Go(func() (err error) {
		if r.filter.few() || r.o.Facts {
			return nil // then each host is asked by itself
		}
		r.facts, err = r.api.Facts(gctx, 2000, isGuest, hardwareUUID)
		return r.onlyFatal(gctx, err) // without the permission, they stay unknown
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return r.ownerOf(ctx, h)
}

func (c *Collector) onlyFatal(ctx context.Context, err error) error {
	if c.fatal(ctx, err) {
		return err
	}
	return nil
}

// ownerOf finds the owner's name for servers before Foreman 1.17, which give
// its ID only.
func (r *reader) ownerOf(ctx context.Context, h *foremanapi.Host) error {
	if h.OwnerName != "" || !h.OwnerID.Valid || !r.server.Foreman.Before(1, 17) {
		return nil
	}
	group := 0
	if h.OwnerType == "Usergroup" {
		group = 1
	}
	if r.owners[group] == nil {
		owners, err := r.api.Owners(ctx, group == 1)
		if r.fatal(ctx, err) {
			return err
		}
		if owners == nil {
			owners = map[int64]string{} // without the permission, the owner stays unknown
		}
		r.owners[group] = owners
	}
	h.SetOwner(r.owners[group][h.OwnerID.N])
	return nil
}

// fatal reports whether an error means that nothing more can be read.
func (c *Collector) fatal(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || c.api.Refused() != nil)
}
