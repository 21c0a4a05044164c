package site_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

// archive is a source of one's own: one snapshot of one host.
type archive struct{}

func (archive) Snapshots(context.Context) iter.Seq2[katprep.SnapshotRef, error] {
	at := time.Date(2026, 11, 12, 20, 0, 0, 0, time.UTC)
	return one(katprep.SnapshotRef{Commit: "0123456789abcdef", Snapshot: katprep.Snapshot{Started: at, Finished: at, Counts: katprep.Counts{Hosts: 1}}})
}

func (archive) States(context.Context, katprep.CommitID) iter.Seq2[katprep.State, error] {
	return one(katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "mine", ID: "1"}, Name: "web01.example.com"}, Status: katprep.Collected})
}

func (archive) Compare(context.Context, katprep.CommitID, katprep.CommitID) (int, iter.Seq2[site.Pair, error], error) {
	return 1, none[site.Pair], nil
}
func (archive) Errata(context.Context, katprep.CommitID) iter.Seq2[katprep.Erratum, error] {
	return none[katprep.Erratum]
}
func (archive) Runs(context.Context) iter.Seq2[katprep.RunRecord, error] {
	return none[katprep.RunRecord]
}
func (archive) Exceptions(context.Context) ([]katprep.Exception, error) { return nil, nil }

func one[T any](v T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(v, nil) }
}

func none[T any](func(T, error) bool) {}

// The page of each host is where HostPath says.
func ExampleBuild() {
	dir, err := os.MkdirTemp("", "site")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "public")
	if _, err := site.Build(context.Background(), archive{}, out, site.Options{Title: "Evidence"}); err != nil {
		fmt.Println(err)
		return
	}
	path := site.HostPath(katprep.Host{HostID: katprep.HostID{Source: "mine", ID: "1"}, Name: "web01.example.com"})
	_, err = os.Stat(filepath.Join(out, path))
	fmt.Println(path, err)
	// Output:
	// hosts/web01.example.com-3aea24.html <nil>
}
