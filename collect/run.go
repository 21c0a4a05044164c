package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdevel/katprep"
)

// A Source is a collector under its name in the configuration, which is the
// source of all its hosts' IDs.
type Source struct {
	Name string
	Collector
}

// Options bound a run. Zero values are the defaults.
type Options struct {
	Concurrency int           // hosts read at once; default 8
	PerHost     time.Duration // deadline of one host, and of a source's first answer; default 5 minutes
	Progress    func(Event)   // called after each host, from one goroutine
	Now         func() time.Time

	grace time.Duration // for a collector that does not heed its deadline
}

// An Event says how far a run is.
type Event struct {
	Source string       // being read
	Host   katprep.Host // just read
	Status katprep.Status
	Total  int // hosts of the source; 0 as long as that is not known
	Done   int // of them
	Gaps   int // of those
}

const (
	defaultConcurrency = 8
	defaultPerHost     = 5 * time.Minute
	defaultGrace       = 3 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.PerHost <= 0 {
		o.PerHost = defaultPerHost
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.grace <= 0 {
		o.grace = defaultGrace
	}
	return o
}

// Run reads the selected hosts of all sources into the sink: source by
// source, hosts of one source in parallel. It returns the snapshot without
// Run, Phase, Format and Version. A host that cannot be read becomes a state
// with status Failed, a source whose list breaks has a Problem, and neither
// stops the others. An error means that the sink refused something or that
// ctx ended; the snapshot is then worth nothing.
func Run(ctx context.Context, sources []Source, sel katprep.Selection, sink Sink, o Options) (katprep.Snapshot, error) {
	o = o.withDefaults()
	r := &runner{o: o, sel: sel, sink: sink, seen: map[katprep.HostID]bool{}, tally: newTally()}
	snap := katprep.Snapshot{Started: seconds(o.Now()), Selection: sel}
	for _, s := range sources {
		if err := r.source(ctx, s); err != nil {
			return katprep.Snapshot{}, err
		}
	}
	snap.Sources = r.sourceRecords()
	snap.Counts, snap.Gaps, snap.Warnings = r.tally.sums()
	snap.Finished = seconds(o.Now())
	return snap, nil
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// A runner reads one source after the other.
type runner struct {
	o     Options
	sel   katprep.Selection
	sink  Sink
	seen  map[katprep.HostID]bool // listed already
	tally *tally
	infos []sourceInfo
}

// A listing is what came of asking a source for its hosts.
type listing struct {
	total  atomic.Int64 // hosts listed until now
	done   atomic.Bool  // there are no more
	err    error        // why the list is not complete
	twice  []string     // hosts listed again, and dropped
	unkept int          // hosts without any ID
}

// source reads all hosts of one source.
func (r *runner) source(ctx context.Context, s Source) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	info, err := r.identify(ctx, s)
	info.Name = s.Name
	if err != nil {
		r.infos = append(r.infos, sourceInfo{Source: info, err: err})
		return context.Cause(ctx)
	}
	l := &listing{}
	n, err := r.takeAll(ctx, cancel, s.Name, l, r.start(ctx, s, l))
	if err != nil {
		return err
	}
	r.infos = append(r.infos, sourceInfo{Source: info, err: l.problem(), listed: true, hosts: n})
	return nil
}

// identify asks the source what it is.
func (r *runner) identify(ctx context.Context, s Source) (katprep.Source, error) {
	return guarded(ctx, r.o, func(ctx context.Context) (katprep.Source, error) { return s.Source(ctx) })
}

// start lists the source's hosts and reads them, at most Concurrency at
// once. The channel is closed when all have been sent, or ctx has ended.
func (r *runner) start(ctx context.Context, s Source, l *listing) <-chan Reading {
	readings := make(chan Reading)
	slots := make(chan struct{}, r.o.Concurrency)
	go func() {
		defer close(readings)
		var workers sync.WaitGroup
		defer workers.Wait()
		defer l.done.Store(true)
		defer func() {
			if p := recover(); p != nil {
				l.err = panicError(p)
			}
		}()
		for t, err := range s.Targets(ctx, r.sel) {
			if err != nil {
				l.err = err
				return
			}
			if t.Host.Source = s.Name; !r.first(&t, l) {
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			workers.Go(func() {
				defer func() { <-slots }()
				select {
				case readings <- r.read(ctx, t):
				case <-ctx.Done():
				}
			})
		}
	}()
	return readings
}

// first counts the target unless it was listed before.
func (r *runner) first(t *Target, l *listing) bool {
	if t.Host.ID == "" {
		t.Host.ID = t.Host.Name
	}
	switch {
	case t.Host.ID == "":
		l.unkept++
		return false
	case r.seen[t.Host.HostID]:
		l.twice = append(l.twice, t.Host.Name+" ("+t.Host.ID+")")
		return false
	}
	r.seen[t.Host.HostID] = true
	l.total.Add(1)
	return true
}

// problem says why the source's list is doubtful.
func (l *listing) problem() error {
	var errs []error
	if l.err != nil {
		errs = append(errs, l.err)
	}
	if n := len(l.twice); n > 0 {
		errs = append(errs, fmt.Errorf("listed more than once, kept once: %s", firstOf(l.twice, 5)))
	}
	if l.unkept > 0 {
		errs = append(errs, fmt.Errorf("%d hosts without ID and name were dropped", l.unkept))
	}
	if len(errs) == 1 {
		return errs[0] // its kind counts
	}
	return errors.Join(errs...)
}

// takeAll stores the readings of one source as they come.
func (r *runner) takeAll(ctx context.Context, cancel func(), name string, l *listing, readings <-chan Reading) (int, error) {
	ev := Event{Source: name}
	for {
		select {
		case rd, open := <-readings:
			if !open {
				return ev.Done, context.Cause(ctx)
			}
			if err := r.take(ctx, rd, l, &ev); err != nil {
				cancel()
				drain(readings, r.o.grace)
				return 0, err
			}
		case <-ctx.Done():
			drain(readings, r.o.grace)
			return 0, context.Cause(ctx)
		}
	}
}

// clockSkew is how far the clocks of hosts may be ahead of ours.
const clockSkew = 5 * time.Minute

// doubtBoot warns of a boot that has not happened yet: it proves no reboot.
func (r *runner) doubtBoot(s *katprep.State) {
	if !s.Boot.Time.After(r.o.Now().Add(clockSkew)) {
		return
	}
	s.Problems = append(slices.Clip(s.Problems), katprep.Problem{
		Aspect: katprep.AspectBoot, Warning: true, Message: "the boot time lies in the future: clocks differ",
	})
}

// drain waits a little for goroutines that were told to end.
func drain(readings <-chan Reading, grace time.Duration) {
	enough := time.After(grace)
	for {
		select {
		case _, open := <-readings:
			if !open {
				return
			}
		case <-enough:
			return
		}
	}
}

// take stores one reading, and counts it.
func (r *runner) take(ctx context.Context, rd Reading, l *listing, ev *Event) error {
	s := &rd.State
	ev.Done++
	if Match(r.sel, *s) {
		r.doubtBoot(s)
		for _, e := range rd.Errata {
			r.tally.erratum(e)
			if err := r.sink.PutErratum(ctx, e); err != nil {
				return fmt.Errorf("store erratum %q: %w", e.ID, err)
			}
		}
		r.tally.host(s)
		if err := r.sink.Put(ctx, *s); err != nil {
			return fmt.Errorf("store host %q: %w", s.Name, err)
		}
		if s.Status != katprep.Collected {
			ev.Gaps++
		}
	}
	if l.done.Load() {
		ev.Total = int(l.total.Load())
	}
	ev.Host, ev.Status = s.Host, s.Status
	r.o.Progress(*ev)
	return nil
}
