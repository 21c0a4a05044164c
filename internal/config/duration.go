package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Duration is a span of time as people write it: "90s", "8h", "7d", "1w2d".
type Duration time.Duration

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Or returns the duration, or another one if it is zero.
func (d Duration) Or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}

// String writes whole days as such.
func (d Duration) String() string {
	if t := time.Duration(d); t != 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// ParseDuration reads "7d", "1w2d", "8h30m".
func ParseDuration(s string) (Duration, error) {
	rest, total := strings.TrimSpace(s), time.Duration(0)
	for _, unit := range []struct {
		suffix string
		length time.Duration
	}{{"w", week}, {"d", day}} {
		n, after, found := strings.Cut(rest, unit.suffix)
		if !found {
			continue
		}
		v, err := strconv.Atoi(n)
		if err != nil || v < 0 || v > 36500 {
			return 0, durationError(s)
		}
		total, rest = total+time.Duration(v)*unit.length, after
	}
	if rest != "" || total == 0 {
		t, err := time.ParseDuration(rest)
		if err != nil || t < 0 {
			return 0, durationError(s)
		}
		total += t
	}
	return Duration(total), nil
}

func durationError(s string) error {
	return fmt.Errorf("%q is not a duration such as 90s, 8h or 7d", s)
}

// UnmarshalYAML reads a duration and names the line of a bad one.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		return fmt.Errorf("line %d: %w", n.Line, durationError(n.Value))
	}
	*d = v
	return nil
}

// MarshalYAML writes a duration as it is read.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }
