package foremanapi

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/stdevel/katprep"
)

// A Page is one page of a list. Katello writes some numbers as text, and an
// invalid search as Problem with status 200.
type Page[T any] struct {
	Total    number `json:"total"`
	Subtotal number `json:"subtotal"`
	Problem  text   `json:"error"`
	Results  []T    `json:"results"`
}

// A fetch reads page n (from 1) of a list.
type fetch func(ctx context.Context, n int) (*Page[json.RawMessage], error)

// A record is one of a list: key is its identity.
type record[T any] struct {
	key string
	v   T
	err error
}

// A decode reads a record; it is called by many goroutines at once.
type decode[T any] func(raw json.RawMessage) record[T]

// plain decodes records that have an "id"; without one, the whole record is
// its identity.
func plain[T any](raw json.RawMessage) record[T] {
	r := record[T]{key: recordID(raw)}
	if err := json.Unmarshal(raw, &r.v); err != nil {
		r.err = katprep.Errorf(katprep.Corrupt, "a record is not what was expected: %w", err)
	}
	return r
}

// rounds is how often a list is read that changes while it is read.
const rounds = 5

// walk reads a list with pages of size per, ahead pages at once, and yields
// each record once. Hosts come and go while we read, and then records move
// over page borders: whenever the pages do not agree on the number of
// records, or fewer came than were announced, the list is read again for what
// was missed. A list that never holds still ends with an error of kind
// katprep.Partial after all that was found.
func walk[T any](ctx context.Context, what string, per, ahead int, d decode[T], f fetch) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]bool{}
		for range rounds {
			r := round[T]{per: per, ahead: max(ahead, 1), fetch: f, decode: d, seen: seen, yield: yield}
			switch steady, err := r.run(ctx); {
			case r.stopped:
				return
			case err != nil:
				yield(none, err)
				return
			case steady:
				return
			}
		}
		yield(none, katprep.Errorf(katprep.Partial, "%s: the list changed each of %d times it was read", what, rounds).WithHint("try again when fewer records come and go"))
	}
}

// A round is one reading of a list from its first to its last page.
type round[T any] struct {
	per, ahead int
	fetch      fetch
	decode     decode[T]
	seen       map[string]bool // over all rounds
	yield      func(T, error) bool

	distinct map[string]bool // in this round
	subtotal number          // as the first page says
	steady   bool            // all pages say the same
	stopped  bool            // the reader wants no more
}

type fetched[T any] struct {
	subtotal number
	records  []record[T]
	err      error
}

// get fetches and decodes a page.
func (r *round[T]) get(ctx context.Context, n int) fetched[T] {
	p, err := r.fetch(ctx, n)
	if err != nil {
		return fetched[T]{err: err}
	}
	out := fetched[T]{subtotal: p.Subtotal, records: make([]record[T], len(p.Results))}
	for i, raw := range p.Results {
		out.records[i] = r.decode(raw)
	}
	return out
}

// run reports whether the list held still.
func (r *round[T]) run(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.distinct, r.steady = map[string]bool{}, true
	first := r.get(ctx, 1)
	r.subtotal = first.subtotal
	if more, err := r.take(first); !more {
		return r.complete(), err
	}
	for slot := range r.follow(ctx) {
		if more, err := r.take(<-slot); !more {
			return r.complete(), err
		}
	}
	return r.complete(), ctx.Err()
}

// follow fetches the pages from the second to the last, some at once, and
// hands them out in order.
func (r *round[T]) follow(ctx context.Context) <-chan chan fetched[T] {
	last := 1 << 20 // without a subtotal, pages are read until one is empty
	if r.subtotal.Valid {
		last = int((r.subtotal.N + int64(r.per) - 1) / int64(r.per))
	}
	queue := make(chan chan fetched[T], r.ahead-1) // with the one being waited for: ahead pages
	go func() {
		defer close(queue)
		for n := 2; n <= last; n++ {
			slot := make(chan fetched[T], 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			go func() { slot <- r.get(ctx, n) }()
		}
	}()
	return queue
}

// take yields what is new of a page; more is false when the round is over.
func (r *round[T]) take(p fetched[T]) (more bool, err error) {
	if p.err != nil {
		return false, p.err
	}
	if p.subtotal != r.subtotal {
		r.steady = false
	}
	for _, rec := range p.records {
		r.distinct[rec.key] = true
		if r.seen[rec.key] {
			continue
		}
		if rec.err != nil {
			return false, rec.err
		}
		r.seen[rec.key] = true
		if !r.yield(rec.v, nil) {
			r.stopped = true
			return false, nil
		}
	}
	return len(p.records) > 0, nil
}

func (r *round[T]) complete() bool {
	return r.steady && (!r.subtotal.Valid || int64(len(r.distinct)) >= r.subtotal.N)
}

// pages makes a fetch of a call with page and per_page in the query.
func (c *Client) pages(e *Call, args []string, query url.Values, per int) fetch {
	return func(ctx context.Context, n int) (*Page[json.RawMessage], error) {
		q := url.Values{}
		for k, v := range query {
			q[k] = v
		}
		q.Set("page", strconv.Itoa(n))
		q.Set("per_page", strconv.Itoa(per))
		return c.page(ctx, e, args, q, nil)
	}
}

// page reads one page and turns Katello's "error" of a good answer into one.
func (c *Client) page(ctx context.Context, e *Call, args []string, query url.Values, body any) (*Page[json.RawMessage], error) {
	var p Page[json.RawMessage]
	if err := c.call(ctx, e, args, query, body, &p); err != nil {
		return nil, err
	}
	if p.Problem != "" {
		return nil, c.problem(e, args, p.Problem)
	}
	return &p, nil
}

func (c *Client) problem(e *Call, args []string, problem text) error {
	return katprep.Errorf(katprep.Invalid, "%s %s on %s: %s", e.Method, e.expand(args), c.base.Host, oneLine(string(problem), 300))
}

// recordID finds the "id" of a record; without one the whole record is its
// identity.
func recordID(raw json.RawMessage) string {
	var r struct {
		ID text `json:"id"`
	}
	if json.Unmarshal(raw, &r) != nil || r.ID == "" {
		return string(raw)
	}
	return string(r.ID)
}
