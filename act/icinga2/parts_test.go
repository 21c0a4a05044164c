package icinga2

import (
	"slices"
	"testing"

	"github.com/stdevel/katprep/internal/downtime"
)

// TestParts: no action has too many hosts or downtimes, and none is left out.
func TestParts(t *testing.T) {
	for _, test := range []struct {
		hosts, services int
		want            []int // hosts in each part
	}{
		{1, 5000, []int{1}}, {3, 5000, []int{1, 1, 1}}, {120, 10, []int{50, 50, 20}}, {25, 99, []int{10, 10, 5}}, {0, 0, nil},
	} {
		rs, indexes := make([]downtime.Request, test.hosts), []int{}
		for i := range rs {
			rs[i].Services = make([]string, test.services)
			indexes = append(indexes, i)
		}
		var got, all []int
		for _, p := range parts(rs, indexes) {
			got, all = append(got, len(p)), append(all, p...)
		}
		if !slices.Equal(got, test.want) || !slices.Equal(all, indexes) {
			t.Errorf("%d hosts with %d services: %v, want %v", test.hosts, test.services, got, test.want)
		}
	}
}
