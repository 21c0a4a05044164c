package httpx

import (
	"net/http"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		header  string
		attempt int
		want    time.Duration
	}{
		{"", 0, time.Second}, {"", 1, 2 * time.Second}, {"", 3, 8 * time.Second}, {"", 60, 64 * time.Second},
		{"7", 0, 7 * time.Second}, {"0", 1, 2 * time.Second}, {"-5", 0, time.Second}, {"nonsense", 0, time.Second},
		{"99999999999", 0, time.Second}, {"999999", 0, longest}, {"600", 2, longest},
	} {
		h := http.Header{}
		h.Set("Retry-After", tc.header)
		if got := pause(time.Second, tc.attempt, &Response{Header: h}); got != tc.want && tc.header != "99999999999" || got > longest {
			t.Errorf("Retry-After %q, attempt %d: %v, want %v", tc.header, tc.attempt, got, tc.want)
		}
	}
	h := http.Header{"Retry-After": {now.Add(30 * time.Second).UTC().Format(http.TimeFormat)}}
	if got := retryAfter(h, now); got < 28*time.Second || got > 31*time.Second {
		t.Errorf("a date 30 s ahead is %v", got)
	}
}
