package policy

import (
	"maps"
	"slices"
)

// Stats sums judgements up: how many stand how, and how long installations
// took.
type Stats struct {
	Counts   map[Standing]int
	Excepted int         // open ones under an exception that holds
	Lapsed   int         // open ones under an exception that has expired
	days     map[int]int // of installations
}

// Add counts a judgement.
func (s *Stats) Add(j Judgement, installed bool) { s.AddN(j, installed, 1) }

// AddN counts n judgements that are alike.
func (s *Stats) AddN(j Judgement, installed bool, n int) {
	if s.Counts == nil {
		s.Counts, s.days = map[Standing]int{}, map[int]int{}
	}
	s.Counts[j.Standing] += n
	if installed && j.Days >= 0 {
		s.days[j.Days] += n
	}
	switch {
	case j.Exception == nil:
	case j.Expired:
		s.Lapsed += n
	default:
		s.Excepted += n
	}
}

// N is how many were judged against a deadline that is past or was met: the
// basis of Share. What is still due is not in it.
func (s *Stats) N() int { return s.Counts[InTime] + s.Counts[Late] + s.Counts[Overdue] }

// Share is the part in percent, rounded down so that 100 means all, that was
// installed in time; ok is false if there is none to judge.
func (s *Stats) Share() (percent int, ok bool) {
	if s.N() == 0 {
		return 0, false
	}
	return s.Counts[InTime] * 100 / s.N(), true
}

// Installed is how many installations have a known duration.
func (s *Stats) Installed() int {
	n := 0
	for _, c := range s.days {
		n += c
	}
	return n
}

// Mean is the mean number of days from issue to proof of installation,
// rounded; ok is false without any.
func (s *Stats) Mean() (days int, ok bool) {
	n, sum := s.Installed(), 0
	if n == 0 {
		return 0, false
	}
	for d, c := range s.days {
		sum += d * c
	}
	return (sum + n/2) / n, true
}

// Quantile is the smallest number of days in which the given percentage of
// installations was proven: 50 is the median.
func (s *Stats) Quantile(percent int) (days int, ok bool) {
	n, seen := s.Installed(), 0
	for _, d := range slices.Sorted(maps.Keys(s.days)) {
		seen += s.days[d]
		if seen*100 >= percent*n {
			return d, true
		}
	}
	return 0, false
}

// Histogram returns how many installations took up to each of the limits, and
// longer than the last.
func (s *Stats) Histogram(limits []int) []int {
	out := make([]int, len(limits)+1)
	for d, c := range s.days {
		i, _ := slices.BinarySearch(limits, d)
		out[i] += c
	}
	return out
}
