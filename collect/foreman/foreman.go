// Package foreman collects hosts from Foreman with Katello: Red Hat
// Satellite 6, orcharhino and the upstream projects.
//
// The list of hosts holds nearly everything; the errata of all hosts of an
// organization come as one list of errata with their hosts, which is proven
// against each host's own count and read host by host where it differs.
package foreman

import (
	"context"
	"iter"
	"regexp"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/httpx"
)

// ErrataSource says how the errata of the hosts are found.
type ErrataSource string

// The ways.
const (
	ErrataAuto   ErrataSource = "auto"   // the first of the others that the server allows
	ErrataBulk   ErrataSource = "bulk"   // one list of errata with their hosts; needs edit_hosts
	ErrataReport ErrataSource = "report" // the server's own report; needs generate_report_templates
	ErrataSearch ErrataSource = "search" // one search for hosts by each erratum
	ErrataHost   ErrataSource = "host"   // host by host; always done where the others do not add up
)

// Options say which server is read, as whom, and how much of it.
type Options struct {
	Name  string // of the source, in every HostID; "foreman" if empty
	URL   string
	Login creds.Login

	CAFile     string // trusted besides the system's authorities
	ServerName string // in the certificate, if not the URL's host
	Insecure   bool   // accept any certificate

	Concurrency int           // requests in flight; 0: 4
	Timeout     time.Duration // for one request; 0: 5 min
	PerPage     int           // hosts in one request; 0: 250
	ErrataPage  int           // errata in one request; 0: 100
	Retries     int           // of requests that only read; 0: 3
	Pause       time.Duration // before the first repetition; 0: 500 ms

	Packages     bool // installed packages, and the versions on offer
	Applicable   bool // errata that are applicable but not installable, too
	Traces       bool // processes that use replaced files
	Facts        bool // all facts of each host, in Facts.Extra
	ErrataSource ErrataSource

	Organization string // only this one: name, title or ID
	Location     string // only this one

	// StaleAfter is the age of a host's last check-in from which its
	// inventory is doubtful; 0: 7 days, negative: never.
	StaleAfter time.Duration
	// Secret says which parameters are masked, by name; nil: those whose
	// name speaks of passwords, secrets, tokens or keys.
	Secret func(name string) bool
	// Now is the clock for StaleAfter; nil: the real one.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	o.Name = orElse(o.Name, "foreman")
	o.Concurrency = orElse(o.Concurrency, 4)
	o.PerPage = orElse(o.PerPage, 250)
	o.ErrataPage = orElse(o.ErrataPage, 100)
	o.ErrataSource = orElse(o.ErrataSource, ErrataAuto)
	o.StaleAfter = orElse(o.StaleAfter, 7*24*time.Hour)
	if o.Secret == nil {
		o.Secret = looksSecret
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

var secretName = regexp.MustCompile(`(?i)pass(w|ph|$|_)|secret|token|credential|private_?key|api_?key`)

func looksSecret(name string) bool { return secretName.MatchString(name) }

// A Collector reads one Foreman. It implements [collect.Collector]; Targets
// may be called once at a time.
type Collector struct {
	o      Options
	api    *foremanapi.Client
	server *foremanapi.Server // set by Source
}

var _ collect.Collector = (*Collector)(nil)

// New checks the options; nothing is sent yet.
func New(o Options) (*Collector, error) {
	o = o.withDefaults()
	switch o.ErrataSource {
	case ErrataAuto, ErrataBulk, ErrataReport, ErrataSearch, ErrataHost:
	default:
		return nil, katprep.Errorf(katprep.Invalid, "errata source %q is unknown", o.ErrataSource).WithHint("use auto, bulk, report, search or host")
	}
	api, err := foremanapi.New(foremanapi.Options{URL: o.URL, Login: o.Login, HTTP: httpx.Options{
		CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure,
		Concurrency: o.Concurrency, Timeout: o.Timeout, Retries: o.Retries, Pause: o.Pause,
	}})
	if err != nil {
		return nil, err
	}
	return &Collector{o: o, api: api}, nil
}

// Requests returns how many requests were sent so far.
func (c *Collector) Requests() int64 { return c.api.Requests() }

// Source logs in and asks for versions and plugins.
func (c *Collector) Source(ctx context.Context) (katprep.Source, error) {
	s := katprep.Source{Name: c.o.Name, Type: "foreman", URL: c.api.URL(), User: c.o.Login.User}
	server, err := c.api.Server(ctx)
	if err != nil {
		return s, err
	}
	c.server = server
	s.Product, s.Version = server.Product, server.FullVersion
	return s, nil
}

// Targets yields the selected hosts page by page, by name.
func (c *Collector) Targets(ctx context.Context, sel katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(yield func(collect.Target, error) bool) {
		if c.server == nil {
			if _, err := c.Source(ctx); err != nil {
				yield(collect.Target{}, err)
				return
			}
		}
		r, err := c.newReader(ctx, sel)
		if err != nil {
			yield(collect.Target{}, err)
			return
		}
		r.targets(ctx, yield)
	}
}
