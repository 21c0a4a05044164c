package collect_test

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// inventory is a collector of one's own: a name and a function for each host.
type inventory map[string]func() error

func (inventory) Source(context.Context) (katprep.Source, error) {
	return katprep.Source{Type: "inventory", Product: "an example"}, nil
}

func (in inventory) Targets(_ context.Context, _ katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(yield func(collect.Target, error) bool) {
		for _, name := range []string{"db01.example.com", "web01.example.com"} {
			h := katprep.Host{HostID: katprep.HostID{Source: "mine", ID: name}, Name: name}
			read := func(context.Context) (collect.Reading, error) {
				return collect.Reading{State: katprep.State{Host: h, Status: katprep.Collected}}, in[name]()
			}
			if !yield(collect.Target{Host: h, Read: read}, nil) {
				return
			}
		}
	}
}

// printer is a sink that only tells.
type printer struct{}

func (printer) Put(_ context.Context, s katprep.State) error {
	fmt.Println(s.Name, s.Status)
	return nil
}

func (printer) PutErratum(context.Context, katprep.Erratum) error { return nil }

// A host that cannot be read is a gap in the snapshot, and stops nobody.
func ExampleRun() {
	mine := inventory{
		"db01.example.com":  func() error { return errors.New("connection refused") },
		"web01.example.com": func() error { return nil },
	}
	snap, err := collect.Run(context.Background(), []collect.Source{{Name: "mine", Collector: mine}}, katprep.Selection{}, printer{}, collect.Options{Concurrency: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(snap.Counts.Hosts, "hosts,", snap.Counts.Failed, "failed:", snap.Gaps[0].Problems[0].Message)
	// Output:
	// db01.example.com failed
	// web01.example.com collected
	// 2 hosts, 1 failed: connection refused
}
