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

// rounds is how often a list is read that changes while it is read.
const rounds = 5

// walk reads a list with pages of size per, ahead pages at once, and yields
// each record once, by the identity that id finds in it. Hosts come and go
// while we read, and then records move over page borders: whenever the pages
// do not agree on the number of records, or fewer came than were announced,
// the list is read again for what was missed. A list that never holds still
// ends with an error of kind katprep.Partial after all that was found.
func walk(ctx context.Context, what string, per, ahead int, id func(json.RawMessage) string, f fetch) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		seen := map[string]bool{}
		for range rounds {
			r := round{per: per, ahead: max(ahead, 1), fetch: f, id: id, seen: seen}
			ok, err := r.run(ctx, func(raw json.RawMessage) bool { return yield(raw, nil) })
			switch {
			case err != nil:
				yield(nil, err)
				return
			case r.stopped || ok:
				return
			}
		}
		yield(nil, katprep.Errorf(katprep.Partial, "%s: the list changed each of %d times it was read", what, rounds).WithHint("try again when fewer records come and go"))
	}
}

// A round is one reading of a list from its first to its last page.
type round struct {
	per, ahead int
	fetch      fetch
	id         func(json.RawMessage) string
	seen       map[string]bool // over all rounds

	distinct map[string]bool // in this round
	subtotal int64           // as the first page says
	known    bool
	steady   bool // all pages say the same
	stopped  bool // the reader wants no more
}

type fetched struct {
	page *Page[json.RawMessage]
	err  error
}

// run reports whether the list held still.
func (r *round) run(ctx context.Context, yield func(json.RawMessage) bool) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.distinct, r.steady = map[string]bool{}, true
	first, err := r.fetch(ctx, 1)
	if err != nil {
		return false, err
	}
	r.subtotal, r.known = first.Subtotal.N, first.Subtotal.Valid
	if r.take(first, yield); r.stopped || len(first.Results) == 0 {
		return r.complete(), nil
	}
	last := r.lastPage()
	queue := make(chan chan fetched, r.ahead-1) // with the one being waited for: ahead pages
	go func() {
		defer close(queue)
		for n := 2; n <= last; n++ {
			slot := make(chan fetched, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			go func() {
				p, err := r.fetch(ctx, n)
				slot <- fetched{p, err}
			}()
		}
	}()
	for slot := range queue {
		got := <-slot
		if got.err != nil {
			return false, got.err
		}
		if r.take(got.page, yield); r.stopped || len(got.page.Results) == 0 {
			break
		}
	}
	return r.complete(), ctx.Err()
}

// lastPage is the number of the last page; without a subtotal the pages are
// read until one is empty.
func (r *round) lastPage() int {
	if !r.known {
		return 1 << 20
	}
	return int((r.subtotal + int64(r.per) - 1) / int64(r.per))
}

func (r *round) take(p *Page[json.RawMessage], yield func(json.RawMessage) bool) {
	if p.Subtotal.Valid != r.known || p.Subtotal.N != r.subtotal {
		r.steady = false
	}
	for _, raw := range p.Results {
		key := r.id(raw)
		r.distinct[key] = true
		if r.seen[key] {
			continue
		}
		r.seen[key] = true
		if !yield(raw) {
			r.stopped = true
			return
		}
	}
}

func (r *round) complete() bool {
	return r.steady && (!r.known || int64(len(r.distinct)) >= r.subtotal)
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
