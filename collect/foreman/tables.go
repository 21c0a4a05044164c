package foreman

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// tableOf reads the errata of all hosts of an organization in the way that
// was asked for, or in the first way that the server allows.
func (x *index) tableOf(ctx context.Context, org int64, name string, applicable bool) (*table, error) {
	ways := map[ErrataSource]func(context.Context, int64, string, bool) (*table, error){
		ErrataBulk: x.bulk, ErrataReport: x.report, ErrataSearch: x.searched,
	}
	order := []ErrataSource{x.c.o.ErrataSource}
	if x.c.o.ErrataSource == ErrataAuto {
		order = []ErrataSource{ErrataBulk, ErrataReport, ErrataSearch}
	}
	var errs []error
	for _, way := range order {
		t, err := ways[way](ctx, org, name, applicable)
		if err == nil || x.c.fatal(ctx, err) {
			return t, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// bulk is one list of errata, each with its hosts. A user who may edit no
// host is refused with the same answer as an organization without hosts.
func (x *index) bulk(ctx context.Context, org int64, _ string, applicable bool) (*table, error) {
	if !x.c.server.Can(foremanapi.BulkErrata) {
		return nil, katprep.Errorf(katprep.NotFound, "the server cannot list errata of many hosts")
	}
	t := &table{byID: map[int64][]uint32{}}
	for e, err := range x.c.api.BulkErrata(ctx, org, x.search, applicable, x.c.o.ErrataPage, x.c.o.Concurrency) {
		if err != nil {
			return nil, err
		}
		n := x.add(e)
		for _, h := range e.Hosts.V {
			if h.ID.Valid {
				t.byID[h.ID.N] = append(t.byID[h.ID.N], n)
			}
		}
	}
	return t, nil
}

// report is the server's own report, with details from the catalogue.
func (x *index) report(ctx context.Context, org int64, name string, applicable bool) (*table, error) {
	search := foremanapi.All(foremanapi.Equal("organization", name), x.search)
	rows, err := x.c.api.ErrataReport(ctx, x.c.server, search, applicable)
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		if _, err := x.catalogue(ctx, org, applicable); err != nil {
			return nil, err
		}
	}
	t := &table{byName: map[string][]uint32{}}
	for _, r := range rows {
		n, ok := x.number(r.Erratum)
		if !ok {
			return nil, katprep.Errorf(katprep.Conflict, "the report names %s, the catalogue of errata does not", r.Erratum)
		}
		t.byName[r.Host] = append(t.byName[r.Host], n)
	}
	return t, nil
}

// catalogue reads the details of all errata of an organization and returns
// their IDs.
func (x *index) catalogue(ctx context.Context, org int64, applicable bool) (ids []string, err error) {
	for e, err := range x.c.api.Errata(ctx, x.c.server, org, applicable, x.c.o.ErrataPage, x.c.o.Concurrency) {
		if err != nil {
			return nil, err
		}
		x.add(e)
		ids = append(ids, string(e.ID))
	}
	return ids, nil
}

func (x *index) number(id string) (uint32, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok := x.numbers[id]
	return n, ok
}

// searched asks for the hosts of each erratum: all that a user needs is
// view_hosts. With more errata than hosts, host by host is cheaper.
func (x *index) searched(ctx context.Context, org int64, name string, applicable bool) (*table, error) {
	ids, err := x.catalogue(ctx, org, applicable)
	if err != nil {
		return nil, err
	}
	scope := foremanapi.All(foremanapi.Equal("organization", name), x.search)
	hosts, err := x.c.api.CountHosts(ctx, scope)
	if err != nil {
		return nil, err
	}
	if len(ids) > hosts && x.c.o.ErrataSource == ErrataAuto {
		return nil, katprep.Errorf(katprep.Conflict, "there are more errata than hosts")
	}
	field := "installable_errata"
	if applicable {
		field = "applicable_errata"
	}
	t, mu := &table{byID: map[int64][]uint32{}}, sync.Mutex{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(x.c.o.Concurrency)
	for _, id := range ids {
		n, _ := x.number(id)
		g.Go(func() error {
			found, err := x.c.api.HostNames(ctx, x.c.server, foremanapi.All(foremanapi.Equal(field, id), scope), 0)
			mu.Lock()
			defer mu.Unlock()
			for _, h := range found {
				t.byID[h.ID] = append(t.byID[h.ID], n)
			}
			return err
		})
	}
	return t, g.Wait()
}
