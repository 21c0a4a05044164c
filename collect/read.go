package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// maxMessage bounds what of an error goes into the archive.
const maxMessage = 500

// read reads one host; whatever goes wrong becomes a state that says so.
func (r *runner) read(ctx context.Context, t Target) Reading {
	rd, err := guarded(ctx, r.o, func(ctx context.Context) (Reading, error) {
		if t.Read == nil {
			return Reading{}, errors.New("the collector gave no way to read it")
		}
		return t.Read(ctx)
	})
	if err != nil {
		return Reading{State: katprep.State{Host: t.Host, Status: katprep.Failed,
			Problems: []katprep.Problem{{Message: message(err)}}}}
	}
	settle(&rd.State, t.Host)
	return rd
}

// settle makes what a collector returned consistent: the listed identity, and
// no claim of completeness without a word for it.
func settle(s *katprep.State, h katprep.Host) {
	s.HostID = h.HostID
	s.Name = cmp.Or(s.Name, h.Name, h.ID)
	slices.Sort(s.Aspects)
	s.Aspects = slices.Compact(s.Aspects)
	switch s.Status {
	case katprep.Collected, katprep.Incomplete, katprep.Failed:
	default:
		s.Status = katprep.Incomplete
		s.Problems = append(s.Problems, katprep.Problem{Message: "the collector did not say whether it read everything"})
	}
	if s.Status != katprep.Collected && !slices.ContainsFunc(s.Problems, func(p katprep.Problem) bool { return !p.Warning }) {
		s.Problems = append(s.Problems, katprep.Problem{Message: "the collector did not say what is missing"})
	}
	if s.Status == katprep.Failed {
		*s = katprep.State{Host: s.Host, Status: s.Status, Problems: s.Problems}
	}
}

// guarded calls f with the deadline, turns a panic into an error, and leaves
// f alone when it does not come back soon after its deadline.
func guarded[T any](ctx context.Context, o Options, f func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, o.PerHost)
	defer cancel()
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: panicError(p)}
			}
			answers <- a
		}()
		a.value, a.err = f(ctx)
	}()
	select {
	case a := <-answers:
		return a.value, late(ctx, o, a.err)
	case <-ctx.Done():
	}
	select {
	case a := <-answers:
		return a.value, late(ctx, o, a.err)
	case <-time.After(o.grace):
		var none T
		return none, late(ctx, o, ctx.Err())
	}
}

// late says in words that the deadline was the cause.
func late(ctx context.Context, o Options, err error) error {
	if err != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return katprep.Errorf(katprep.Unreachable, "no answer within %s: %w", o.PerHost, err)
	}
	return err
}

func panicError(p any) error {
	return katprep.Errorf(katprep.Internal, "the collector broke down: %v", p)
}

// message is the error as one bounded line of valid text.
func message(err error) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "\uFFFD")), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + " …"
	}
	return cmp.Or(s, "unknown error")
}

// firstOf joins the first n of the words and says how many more there are.
func firstOf(words []string, n int) string {
	if len(words) <= n {
		return strings.Join(words, ", ")
	}
	return strings.Join(words[:n], ", ") + fmt.Sprintf(" and %d more", len(words)-n)
}
