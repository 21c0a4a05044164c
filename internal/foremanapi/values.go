package foremanapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// text is a string that may come as null, number, bool or anything: then it
// is empty, or the JSON itself.
type text string

// UnmarshalJSON never fails on valid JSON.
func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		*t = ""
	case len(b) > 1 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b):
		*t = text(b[1 : len(b)-1])
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	default:
		var c bytes.Buffer
		if err := json.Compact(&c, b); err != nil {
			return err
		}
		*t = text(c.String())
	}
	return nil
}

// number is an integer that may come as text; Valid is false for null, "" and
// what is no integer ("N/A").
type number struct {
	N     int64
	Valid bool
}

// UnmarshalJSON never fails on valid JSON.
func (n *number) UnmarshalJSON(b []byte) error {
	*n = number{}
	v, err := strconv.ParseInt(strings.Trim(string(b), `" `), 10, 64)
	if err == nil {
		*n = number{N: v, Valid: true}
	}
	return nil
}

// flag is a boolean that may come as text or number.
type flag bool

// UnmarshalJSON never fails on valid JSON.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1", "yes", "t":
		*f = true
	default:
		*f = false
	}
	return nil
}

// names is a list of strings; null, objects and further nonsense in it are
// left out.
type names []string

// UnmarshalJSON never fails on valid JSON.
func (l *names) UnmarshalJSON(b []byte) error {
	*l = nil
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		return nil
	}
	for _, raw := range list {
		if s := asText(raw); s != "" {
			*l = append(*l, s)
		}
	}
	return nil
}

// object is a JSON object that may be null, missing, or something else; OK
// says whether it was one.
type object[T any] struct {
	V  T
	OK bool
}

// UnmarshalJSON never fails on valid JSON that is no object.
func (o *object[T]) UnmarshalJSON(b []byte) error {
	*o = object[T]{}
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(b, &o.V); err != nil {
		return err
	}
	o.OK = true
	return nil
}

// list is a JSON array that may be null, missing or something else; Given
// says whether it was one. Elements that do not decode are left out.
type list[T any] struct {
	V     []T
	Given bool
}

// UnmarshalJSON never fails on valid JSON.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	*l = list[T]{}
	if json.Unmarshal(b, &l.V) == nil && len(b) > 0 && b[0] == '[' {
		l.Given = true
		return nil
	}
	var raws []json.RawMessage
	if json.Unmarshal(b, &raws) != nil || raws == nil {
		return nil
	}
	l.V, l.Given = nil, true
	for _, raw := range raws {
		var v T
		if json.Unmarshal(raw, &v) == nil {
			l.V = append(l.V, v)
		}
	}
	return nil
}

// Offered is a list of versions that may be null for none; Known is false
// if the server did not speak of it at all.
type Offered struct {
	Versions []string
	Known    bool
}

// UnmarshalJSON never fails on valid JSON.
func (o *Offered) UnmarshalJSON(b []byte) error {
	var l names
	err := l.UnmarshalJSON(b)
	*o = Offered{Versions: l, Known: true}
	return err
}

var layouts = []string{
	"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", time.RFC3339Nano, "2006-01-02 15:04:05", time.DateOnly,
}

// ParseTime reads a time in any of the forms that Foreman writes, as UTC in
// seconds; zero if it is none.
func ParseTime(s string) time.Time {
	s = strings.TrimSpace(s)
	for _, l := range layouts {
		t, err := time.Parse(l, s)
		if err == nil && (!strings.HasSuffix(l, "MST") || strings.HasSuffix(s, "UTC")) {
			return t.UTC().Truncate(time.Second)
		}
	}
	return time.Time{}
}
