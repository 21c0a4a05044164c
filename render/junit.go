package render

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/stdevel/katprep"
)

// JUnit XML as CI systems read it: a suite for each host, a case for each
// erratum and pending update, and one for whether the host was read. What is
// pending is a failure, what is unknown an error, what nobody claims anything
// about is skipped: a pipeline is red unless everything is proven.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

func writeJUnit(w io.Writer, d *Data) error {
	all := junitSuites{Name: d.Heading()}
	for _, h := range d.all() {
		s := junitHost(d, h)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// all lists the hosts of the report, or the one that it is about; what is
// unknown comes first.
func (d *Data) all() []*katprep.HostChange {
	if d.Host != nil {
		return []*katprep.HostChange{d.Host}
	}
	return append(d.UnknownHosts(), d.KnownHosts()...)
}

func junitHost(d *Data, h *katprep.HostChange) junitSuite {
	s := junitSuite{Name: Line(h.Name)}
	if t := d.After.Snapshot.Finished; !t.IsZero() {
		s.Timestamp = t.UTC().Format("2006-01-02T15:04:05")
	}
	add := func(c junitCase) {
		s.Tests++
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	read := junitCase{Name: "read in full", Class: s.Name}
	if Gap(h) {
		read.Error = &junitMessage{Line("unknown: " + problems(h.Problems))}
	}
	add(read)
	if h.After != "" && h.After != katprep.Failed && !h.Knows(katprep.AspectErrata) {
		add(errataUnknown(s.Name, h))
	}
	for i := range h.Errata {
		e := &h.Errata[i]
		c := junitCase{Name: Line(e.ID + " " + e.Title), Class: s.Name}
		for _, p := range e.Proof {
			c.Out += Line(fmt.Sprintf("%s %s -> %s (fixed in %s)", p.Package, orNone(string(p.Before)), p.After, p.Fixed)) + "\n"
		}
		add(c.end(e.Ending, e.Reason))
	}
	for i := range h.Updates {
		u := &h.Updates[i]
		c := junitCase{Name: Line("update " + u.Name + " to " + string(u.To)), Class: s.Name}
		add(c.end(u.Ending, ""))
	}
	return s
}

// end says how a case ended.
func (c junitCase) end(e katprep.Ending, reason string) junitCase {
	m := EndingWord(e).Text
	if reason != "" {
		m += ": " + Line(reason)
	}
	msg := &junitMessage{m}
	switch e {
	case katprep.Installed:
	case katprep.Pending, katprep.RebootPending:
		c.Failure = msg
	case katprep.NoLonger, katprep.New:
		c.Skipped = msg
	default:
		c.Error = msg
	}
	return c
}

// errataUnknown is the case of a host without known errata. It is skipped if
// package updates tell what is pending, else an error.
func errataUnknown(class string, h *katprep.HostChange) junitCase {
	c := junitCase{Name: "errata known", Class: class}
	m := &junitMessage{"errata are not known for this host"}
	if h.Knows(katprep.AspectUpdates) {
		c.Skipped = m
	} else {
		c.Error = m
	}
	return c
}
