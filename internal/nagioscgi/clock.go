package nagioscgi

import (
	"time"

	"github.com/stdevel/katprep"
)

// layouts are the values of date_format.
var layouts = map[string]string{
	"us":             "01-02-2006 15:04:05",
	"euro":           "02-01-2006 15:04:05",
	"iso8601":        "2006-01-02 15:04:05",
	"strict-iso8601": "2006-01-02T15:04:05",
}

// order is the order in which formats are tried: the default first.
var order = [...]string{"us", "euro", "iso8601", "strict-iso8601"}

// A Clock writes and reads times as a server does.
type Clock struct {
	layout string
	zone   *time.Location
	other  string // a layout that reads the server's present time in the same way
}

// NewClock returns the clock of a date format and a zone that the server
// named.
func NewClock(format string, zone *time.Location) (Clock, error) {
	layout, ok := layouts[format]
	if !ok {
		return Clock{}, katprep.Errorf(katprep.Invalid, "unknown date format %q", format).WithHint("use us, euro, iso8601 or strict-iso8601")
	}
	return Clock{layout: layout, zone: zone}, nil
}

// Detect finds the format and the zone that make the server's present time,
// as it writes it, nearest to ours. With a format, only the zone is found.
func Detect(written, format string, now time.Time) (Clock, error) {
	if format != "" {
		if _, ok := layouts[format]; !ok {
			return NewClock(format, nil)
		}
	}
	var best Clock
	least := 26 * time.Hour // zones are within a day
	for _, name := range order {
		if format != "" && name != format {
			continue
		}
		t, err := time.Parse(layouts[name], written)
		if err != nil {
			continue
		}
		off := t.Sub(now.UTC())
		switch {
		case off.Abs() < least:
			least = off.Abs()
			best = Clock{layout: layouts[name], zone: zoneOf(off)}
		case off.Abs() == least && best.layout != "":
			best.other = layouts[name]
		}
	}
	if best.layout == "" {
		return best, katprep.Errorf(katprep.Internal, "cannot tell the server's date format and zone from %q", written).
			WithHint("compare the server's clock with ours")
	}
	return best, nil
}

// zoneOf makes a zone of a difference: zones are multiples of 15 minutes, the
// rest is delay and skew.
func zoneOf(d time.Duration) *time.Location {
	d = d.Round(15 * time.Minute)
	return time.FixedZone("", int(d/time.Second))
}

// Write returns the time as the server reads it. On days such as 5 May two
// formats look the same; then only times for which they agree can be written.
func (c Clock) Write(t time.Time) (string, error) {
	s := t.In(c.zone).Format(c.layout)
	if c.other != "" && t.In(c.zone).Format(c.other) != s {
		return "", katprep.Errorf(katprep.Conflict, "today the server's date format cannot be told from another one").
			WithHint("set date_format of this system to the value in its nagios.cfg")
	}
	return s, nil
}

// Read reads a time that the server wrote.
func (c Clock) Read(s string) (time.Time, error) {
	t, err := time.ParseInLocation(c.layout, s, c.zone)
	if err != nil {
		return t, katprep.Errorf(katprep.Corrupt, "time %q: %w", s, err)
	}
	return t.UTC(), nil
}
