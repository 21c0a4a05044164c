package icinga2

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
)

// A server with ten thousand services walks over all of them to find those of
// one host. Whoever asks while such a query is under way therefore waits for
// the next one, which asks for the hosts of all who wait: it begins after
// each of them asked, so nobody gets anything stale.

// reads are the queries for objects of hosts, by what they ask for.
type reads struct {
	mu   sync.Mutex
	open map[string]*queue
}

type queue struct{ next *read }

// A read is one query for several askers.
type read struct {
	hosts []string
	all   bool // of all hosts
	done  chan struct{}
	raw   json.RawMessage // nil: none
	err   error
}

// together joins the next query for objects of the kind; without hosts, of
// all.
func (c *Client) together(ctx context.Context, kind string, attrs, hosts []string) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ask Icinga 2 at %s: %w", c.base, context.Cause(ctx))
	}
	key := kind + " " + strings.Join(attrs, " ")
	c.reads.mu.Lock()
	q := c.reads.open[key]
	begin := q == nil
	if begin {
		q = &queue{}
		if c.reads.open == nil {
			c.reads.open = map[string]*queue{}
		}
		c.reads.open[key] = q
	}
	if q.next == nil {
		q.next = &read{done: make(chan struct{})}
	}
	r := q.next
	r.hosts, r.all = append(r.hosts, hosts...), r.all || len(hosts) == 0
	c.reads.mu.Unlock()
	if begin {
		go c.serve(context.WithoutCancel(ctx), q, key, kind, attrs)
	}
	select {
	case <-r.done:
		return r.raw, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("ask Icinga 2 at %s: %w", c.base, context.Cause(ctx))
	}
}

// serve sends queries until nobody waits for one. Each has the deadline of a
// request.
func (c *Client) serve(ctx context.Context, q *queue, key, kind string, attrs []string) {
	for {
		c.reads.mu.Lock()
		r := q.next
		if q.next = nil; r == nil {
			delete(c.reads.open, key)
			c.reads.mu.Unlock()
			return
		}
		c.reads.mu.Unlock()
		slices.Sort(r.hosts)
		if r.hosts = slices.Compact(r.hosts); r.all || len(r.hosts) > few {
			r.hosts = nil
		}
		r.raw, r.err = c.fetch(ctx, kind, attrs, r.hosts)
		close(r.done)
	}
}

// fetch reads objects that belong to hosts; without hosts, all. A user without the permission
// for filter expressions gets them by reading all.
func (c *Client) fetch(ctx context.Context, kind string, attrs, hosts []string) (raw json.RawMessage, err error) {
	if hosts == nil {
		err = c.query(ctx, kind, map[string]any{"attrs": attrs}, &raw)
		return raw, err
	}
	body := map[string]any{"attrs": attrs, "filter": "host.name in hosts", "filter_vars": map[string]any{"hosts": hosts}}
	err = c.query(ctx, kind, body, &raw)
	if err != nil && katprep.KindOf(err) == katprep.Denied && strings.Contains(err.Error(), "filter-expression") {
		err = c.query(ctx, kind, map[string]any{"attrs": attrs}, &raw)
	}
	return raw, err
}
