package refs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/archive/object"
)

const main = "refs/heads/main"

func hash(b byte) object.Hash { return object.Hash{b} }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLooseBeforePacked(t *testing.T) {
	d := Dir(t.TempDir())
	write(t, d.file("packed-refs"), "# pack-refs with: peeled\n"+hash(1).String()+" "+main+"\n"+hash(2).String()+" refs/tags/a/b\n^"+hash(3).String()+"\n")
	for name, want := range map[string]object.Hash{main: hash(1), "refs/tags/a/b": hash(2), "refs/heads/x": {}, "refs/tags/a": {}} {
		if got, err := d.Read(name); err != nil || got != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if err := d.Apply(t.Context(), Update{Name: main, Old: hash(1), New: hash(9)}, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Read(main); err != nil || got != hash(9) {
		t.Errorf("main: %s, %v", got, err)
	}
	list, err := d.List("refs/")
	if err != nil || len(list) != 2 || list[0] != (Ref{main, hash(9)}) || list[1] != (Ref{"refs/tags/a/b", hash(2)}) {
		t.Errorf("list %v, %v", list, err)
	}
}

func TestApply(t *testing.T) {
	d := Dir(t.TempDir())
	ctx := t.Context()
	if err := d.Apply(ctx, Update{Name: main, New: hash(1), Why: "a\nb"}, 0); err != nil {
		t.Fatal(err)
	}
	for _, old := range []object.Hash{{}, hash(2)} {
		if err := d.Apply(ctx, Update{Name: main, Old: old, New: hash(3)}, 0); !errors.Is(err, ErrChanged) {
			t.Errorf("from %s: %v", old, err)
		}
	}
	if _, err := os.Stat(d.file(main + ".lock")); err == nil {
		t.Error("lock left")
	}
	if logged, err := d.Logged(main); !logged || err != nil {
		t.Errorf("reflog: %v, %v", logged, err)
	}
	write(t, d.file(main+".lock"), "")
	err := d.Apply(ctx, Update{Name: main, Old: hash(1), New: hash(2)}, 20*time.Millisecond)
	if held, ok := errors.AsType[*LockedError](err); !ok || held.File != d.file(main+".lock") || held.Since.IsZero() {
		t.Errorf("held: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := d.Apply(stopped, Update{Name: main, Old: hash(1), New: hash(2)}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got, err := d.Read(main); got != hash(1) || err != nil {
		t.Errorf("main is %s, %v", got, err)
	}
	for _, text := range []string{"", "x", object.Hash{}.String() + "\n", "ref: refs/heads/x\n"} {
		write(t, d.file(main), text)
		if _, err := d.Read(main); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestCounters lets many count with one reference: no step is lost.
func TestCounters(t *testing.T) {
	d := Dir(t.TempDir())
	if err := d.Apply(t.Context(), Update{Name: main, New: hash(1)}, 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 30 {
				for {
					old, err := d.Read(main)
					if err != nil {
						t.Error(err)
						return
					}
					to := old
					to[1]++
					err = d.Apply(t.Context(), Update{Name: main, Old: old, New: to}, time.Minute)
					if err == nil {
						break
					}
					if !errors.Is(err, ErrChanged) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if got, err := d.Read(main); err != nil || got[1] != 120 {
		t.Errorf("counted %d, %v", got[1], err)
	}
}

func FuzzPacked(f *testing.F) {
	f.Add("# x\n" + hash(1).String() + " refs/heads/main\n^x\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := Dir(t.TempDir())
		write(t, d.file("packed-refs"), text)
		if h, err := d.Read(main); err == nil && h != (object.Hash{}) {
			if _, ok := object.ParseHash(h.String()); !ok {
				t.Fatal("no hash")
			}
		}
	})
}
