package legacy

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// text is a string that may be written as a number, a boolean or null.
type text string

// UnmarshalJSON reads any scalar; what is no scalar is no text.
func (t *text) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '{', '[', 'n':
		*t = ""
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = text(s)
	default:
		*t = text(data)
	}
	return nil
}

func (t text) yes() bool { return strings.EqualFold(string(t), "true") || t == "1" }

// list is a JSON list, for which the old katprep also wrote {} and null.
// There says whether it was a list.
type list[T any] struct {
	items []T
	there bool
}

// UnmarshalJSON reads a list.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return nil
	}
	l.there = true
	return json.Unmarshal(data, &l.items)
}

// texts is an object of scalars.
type texts map[string]text

// UnmarshalJSON reads an object, and nothing else as an empty one.
func (t *texts) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return nil
	}
	var m map[string]text
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*t = m
	return nil
}

// nameOf is a name, or an object that holds it in one of its members.
type nameOf string

// UnmarshalJSON reads "CVE-1" and {"cve_id": "CVE-1"}.
func (n *nameOf) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("{")) {
		var t text
		err := json.Unmarshal(data, &t)
		*n = nameOf(t)
		return err
	}
	var o texts
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	for _, member := range []string{"cve_id", "bug_id", "href"} {
		if v := o[member]; v != "" {
			*n = nameOf(v)
			return nil
		}
	}
	return nil
}

var isoDate = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}`)

// date reads "2021-03-23", a time that begins so, or Uyuni's "8/27/21".
func date(s text) katprep.Date {
	if d := isoDate.FindString(string(s)); d != "" {
		if _, err := time.Parse(time.DateOnly, d); err == nil {
			return katprep.Date(d)
		}
		return ""
	}
	first, _, _ := strings.Cut(string(s), " ")
	for _, layout := range []string{"1/2/06", "1/2/2006"} {
		if t, err := time.Parse(layout, first); err == nil {
			return katprep.Date(t.Format(time.DateOnly))
		}
	}
	return ""
}

// typeOf reads the kinds of advisory of Katello ("security") and Uyuni
// ("Security Advisory").
func typeOf(s text) katprep.ErratumType {
	switch t := strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.ToLower(string(s)), "advisory"))); t {
	case "bug fix", "bugfix":
		return katprep.Bugfix
	case "product enhancement", "enhancement":
		return katprep.Enhancement
	default:
		return katprep.ErratumType(t)
	}
}

// severityIn finds the severity that SUSE puts before a title:
// "moderate: Security update for …".
func severityIn(title text) katprep.Severity {
	head, _, found := strings.Cut(string(title), ":")
	switch s := katprep.ParseSeverity(head); {
	case !found:
		return katprep.SeverityNone
	case s == katprep.Critical, s == katprep.Important, s == katprep.Moderate, s == katprep.Low:
		return s
	}
	return katprep.SeverityNone
}
