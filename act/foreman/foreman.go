// Package foreman patches, reboots and runs scripts on hosts through the
// remote execution of Foreman: one job for many hosts, which the smart
// proxies fan out. Old servers' katello-agent is used only when asked for.
//
// What a job claims is not believed: the hosts that it really targets are
// compared with those asked for, each host's own result is read, and a reboot
// is one only when the host shows another boot.
package foreman

import (
	"context"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/httpx"
)

// Options say which server acts, as whom, and how patiently.
type Options struct {
	Name  string // of the source that the hosts come from; "foreman" if empty
	URL   string
	Login creds.Login

	CAFile     string // trusted besides the system's authorities
	ServerName string // in the certificate, if not the URL's host
	Insecure   bool   // accept any certificate

	Concurrency int           // requests in flight; 0: 4
	Timeout     time.Duration // for one request; 0: 5 min
	Pause       time.Duration // before a request that only reads is repeated; 0: 500 ms

	Poll       time.Duration // first pause between looks at a job, doubled up to 30 s; 0: 2 s
	JobTimeout time.Duration // for one host of a job; 0: 2 h
	Gather     time.Duration // how long questions to hosts wait for others, to share a job; 0: 300 ms
	BootDelay  time.Duration // from a reboot's job until the first look; 0: 75 s (shutdown -r +1)
	BootWait   time.Duration // until a host must be back; 0: 20 min

	// Agent uses katello-agent where the server still has it (Katello 4.9 or
	// older): such tasks carry no marker and cannot be found after a crash.
	Agent bool
}

func (o Options) withDefaults() Options {
	o.Name = orElse(o.Name, "foreman")
	o.Poll = orElse(o.Poll, 2*time.Second)
	o.Gather = orElse(o.Gather, 300*time.Millisecond)
	o.JobTimeout = orElse(o.JobTimeout, 2*time.Hour)
	o.BootDelay = orElse(o.BootDelay, 75*time.Second)
	o.BootWait = orElse(o.BootWait, 20*time.Minute)
	return o
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// An Actor acts through one Foreman. It is safe for concurrent use.
type Actor struct {
	o   Options
	api *foremanapi.Client

	mu        sync.Mutex
	server    *foremanapi.Server
	features  map[string]int64         // template by feature, once asked
	command   int64                    // template that runs a command, once asked
	baselines map[katprep.HostID]state // what was pending before a patch

	demand  demand // that makes hosts reboot, once chosen
	batches batches
	reboots reboots
}

// state is what of a host shows that its errata were computed anew.
type state struct {
	total  int64    // installable errata
	errata []string // that were to be installed
}

// The interfaces that an Actor implements.
var (
	_ act.Patcher       = (*Actor)(nil)
	_ act.PatchCanceler = (*Actor)(nil)
	_ act.Refresher     = (*Actor)(nil)
	_ act.Rebooter      = (*Actor)(nil)
	_ act.RebootNeeder  = (*Actor)(nil)
	_ act.Hook          = (*Actor)(nil)
	_ act.ScriptFinder  = (*Actor)(nil)
)

// New checks the options; nothing is sent yet.
func New(o Options) (*Actor, error) {
	o = o.withDefaults()
	api, err := foremanapi.New(foremanapi.Options{URL: o.URL, Login: o.Login, HTTP: httpx.Options{
		CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Concurrency: o.Concurrency, Timeout: o.Timeout, Pause: o.Pause,
	}})
	if err != nil {
		return nil, err
	}
	return &Actor{o: o, api: api, baselines: map[katprep.HostID]state{}, batches: batches{open: map[question]*batch{}},
		reboots: reboots{byRun: map[act.Marker]map[int64]int64{}}}, nil
}

// Identify logs in and says which permissions for jobs are missing. That jobs
// may be created is known only when one is.
func (a *Actor) Identify(ctx context.Context) (act.Identity, error) {
	id, err := a.api.IdentifyJobs(ctx)
	return act.Identity{Product: id.Product, Version: id.Version, User: id.User, Missing: id.Missing, CertExpires: id.CertExpires, ClockSkew: id.ClockSkew}, err
}

// about returns what the server is, asking once.
func (a *Actor) about(ctx context.Context) (*foremanapi.Server, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server == nil {
		s, err := a.api.Server(ctx)
		if err != nil {
			return nil, err
		}
		a.server = s
	}
	return a.server, nil
}

// feature returns the template that serves a purpose; ok is false if the
// server has none.
func (a *Actor) feature(ctx context.Context, label string) (id int64, ok bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.features == nil {
		f, err := a.api.JobFeatures(ctx)
		if err != nil {
			return 0, false, err
		}
		a.features = f
	}
	id, ok = a.features[label]
	return id, ok, nil
}

// commandTemplate returns the template that runs a command.
func (a *Actor) commandTemplate(ctx context.Context) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.command == 0 {
		id, err := a.api.TemplateByName(ctx, "Run Command - Script Default", "Run Command - SSH Default")
		if err != nil {
			return 0, err
		}
		a.command = id
	}
	return a.command, nil
}
