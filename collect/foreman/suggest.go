package foreman

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// glob matches as the runner does.
func glob(pattern, text string) bool {
	return collect.Match(katprep.Selection{Hosts: []string{pattern}}, katprep.State{Host: katprep.Host{Name: text}})
}

// A tracker notes which names of a selection were found on any host.
type tracker struct {
	what    string
	missing map[string]bool
	seen    map[string]bool // for suggestions, bounded
	similar func(name string) []string
	exists  func(name string) bool // elsewhere than among the hosts listed
}

func newTracker(what string, patterns []string) *tracker {
	t := &tracker{what: what, missing: map[string]bool{}, seen: map[string]bool{}}
	for _, p := range patterns {
		t.missing[p] = true
	}
	return t
}

func (t *tracker) see(values ...string) {
	for p := range t.missing {
		for _, v := range values {
			if glob(p, v) {
				delete(t.missing, p)
			}
		}
	}
	for _, v := range values {
		if len(t.missing) > 0 && len(t.seen) < 1000 && v != "" && v != " " {
			t.seen[v] = true
		}
	}
}

// unfound is an error of kind katprep.NotFound for each name not found.
func (t *tracker) unfound() error {
	var errs []error
	for _, p := range sortedKeys(t.missing) {
		if t.exists != nil && t.exists(p) {
			continue
		}
		known := sortedKeys(t.seen)
		if t.similar != nil {
			known = append(known, t.similar(p)...)
		}
		errs = append(errs, unknown(t.what, p, known))
	}
	return errors.Join(errs...)
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// unknown says that nothing has the name, and which names are similar.
func unknown(what, name string, known []string) error {
	e := katprep.Errorf(katprep.NotFound, "no %s is called %q", what, name)
	if close := similar(name, known, 5); len(close) > 0 {
		return e.WithHint("similar names are: %s", strings.Join(close, ", "))
	}
	if len(known) == 0 {
		return e.WithHint("the server shows this user no %s at all", what)
	}
	return e
}

// similar returns the n known names that are closest to the name, the closest
// first, and none that is entirely different.
func similar(name string, known []string, n int) []string {
	type near struct {
		name     string
		distance int
	}
	want := strings.ToLower(strings.Trim(name, "*?"))
	var all []near
	for _, k := range slices.Compact(slices.Sorted(slices.Values(known))) {
		d := distance(want, strings.ToLower(k))
		if strings.Contains(strings.ToLower(k), want) && want != "" {
			d = 1
		}
		if d <= max(2, len([]rune(want))/2) {
			all = append(all, near{k, d})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, a := range all[:min(n, len(all))] {
		out = append(out, a.name)
	}
	return out
}

// distance is how many characters must be changed, added or removed.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
