package archive

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

// TestMaintain packs an archive by itself and by Git, while snapshots go on:
// nothing is lost.
func TestMaintain(t *testing.T) {
	peers.Need(t, "git")
	program, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	for name, git := range map[string]string{"ours": "", "git": program} {
		t.Run(name, func(t *testing.T) {
			a, path := create(t)
			ctx := t.Context()
			maintained(t, a)
			var commits []katprep.CommitID
			for n := range 20 {
				commits = append(commits, shot(t, a, katprep.Snapshot{}, host("s", "1", "h1.example.com", noise("m", n, 0)...), host("s", "2", "h2.example.com", noise("m", n/5, 1)...)))
			}
			m, err := a.Maintain(ctx, git)
			if err != nil || m.PacksBefore < 20 || m.PacksAfter != 1 || m.BytesAfter >= m.BytesBefore {
				t.Fatalf("%+v, %v", m, err)
			}
			fsck(t, path)

			b := open(t, path)
			var wg sync.WaitGroup
			wg.Go(func() {
				for n := range 10 {
					commits = append(commits, shot(t, b, katprep.Snapshot{Version: fmt.Sprint(n)}, host("s", "1", "h1.example.com", noise("n", n, 0)...)))
				}
			})
			for range 5 {
				if _, err := a.Maintain(ctx, git); err != nil {
					t.Error(err)
				}
			}
			wg.Wait()
			if m, err := a.Maintain(ctx, git); err != nil || m.PacksAfter != 1 {
				t.Errorf("%+v, %v", m, err)
			}
			fsck(t, path)
			if v := verify(t, a, VerifyOptions{}); v.Broken() != nil || v.Commits != 35 {
				t.Errorf("%d commits, %v", v.Commits, v.Findings)
			}
			for _, c := range commits {
				if _, err := a.State(ctx, c, "h1.example.com"); err != nil {
					t.Fatal(err)
				}
			}
			// What was packed travels, through go-git as well.
			remote := bare(t)
			if _, err := a.Push(ctx, Remote{Name: "copy", URL: remote}); err != nil {
				t.Fatal(err)
			}
			fsck(t, remote)
			c, _ := create(t)
			if _, err := c.Pull(ctx, Remote{Name: "copy", URL: remote}); err != nil {
				t.Fatal(err)
			}
			if v := verify(t, c, VerifyOptions{}); v.Broken() != nil || v.Commits != 35 {
				t.Errorf("pulled: %d commits, %v", v.Commits, v.Findings)
			}
		})
	}
}

func TestMaintainOnce(t *testing.T) {
	a, _ := create(t)
	if m, err := a.Maintain(t.Context(), ""); err != nil || m.PacksAfter != 0 {
		t.Errorf("empty archive: %+v, %v", m, err)
	}
	lock, err := a.maintainLock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := a.Maintain(t.Context(), ""); katprep.KindOf(err) != katprep.Locked {
		t.Errorf("held: %v", err)
	}
}
