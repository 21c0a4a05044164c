package foreman

import (
	"context"
	"iter"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// Hosts yields the selected hosts by name with their facts and parameters and
// nothing else: what the list of hosts says, without any request of their
// own. A host whose record cannot be read is a state with status Failed. An
// error ends it: the list is not complete, or a name of the selection is
// unknown.
func (c *Collector) Hosts(ctx context.Context, sel katprep.Selection) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) {
		if _, err := c.Server(ctx); err != nil {
			yield(katprep.State{}, err)
			return
		}
		f, err := c.resolve(ctx, sel)
		if err != nil {
			yield(katprep.State{}, err)
			return
		}
		r := &reader{Collector: c, filter: f}
		q := foremanapi.HostQuery{Search: f.search, PerPage: c.o.PerPage, Ahead: c.o.Concurrency, Parameters: c.server.Can(foremanapi.Include),
			Organization: f.org, Location: f.location}
		for rec, err := range c.api.Hosts(ctx, q) {
			s, wanted := katprep.State{}, true
			if err == nil {
				s, wanted, err = r.listed(ctx, rec)
			}
			if err != nil {
				yield(katprep.State{}, err)
				return
			}
			if wanted && !yield(s, nil) {
				return
			}
		}
		if err := f.unfound(); err != nil {
			yield(katprep.State{}, err)
		}
	}
}

// listed is a host as the list shows it, if it is selected.
func (r *reader) listed(ctx context.Context, rec foremanapi.HostRecord) (s katprep.State, wanted bool, err error) {
	host := katprep.Host{HostID: katprep.HostID{Source: r.o.Name, ID: idOf(rec.Host)}, Name: string(rec.Host.Name)}
	if rec.Err != nil || !rec.Host.ID.Valid || host.Name == "" {
		t := nameless(host, rec.Err)
		_, err := t.Read(ctx)
		return katprep.State{Host: t.Host, Status: katprep.Failed, Problems: []katprep.Problem{{Message: err.Error()}}}, true, nil
	}
	if err := r.shared(ctx, &rec.Host); err != nil {
		return s, false, err
	}
	s = r.state(host, &rec.Host)
	return s, r.filter.match(&s, &rec.Host), nil
}

// Client is the client that the collector reads with, and Server what its
// server can; both share one login with the collector.
func (c *Collector) Client() *foremanapi.Client { return c.api }

// Server logs in, if that has not happened, and says what the server can.
func (c *Collector) Server(ctx context.Context) (*foremanapi.Server, error) {
	if c.server == nil {
		if _, err := c.Source(ctx); err != nil {
			return nil, err
		}
	}
	return c.server, nil
}

// LooksSecret reports whether a parameter's name speaks of passwords, secrets,
// tokens or keys: its value is masked unless the options say otherwise.
func LooksSecret(name string) bool { return looksSecret(name) }
