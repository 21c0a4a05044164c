package pack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/peers"
)

// readEach reads a list by Each, which must hand every one out once.
func readEach(t *testing.T, s *Store, list []object.Hash) (data [][]byte, errs []error) {
	t.Helper()
	var mu sync.Mutex
	calls := make([]int, len(list))
	data, errs = make([][]byte, len(list)), make([]error, len(list))
	err := s.Each(t.Context(), len(list), func(i int) object.Hash { return list[i] }, func(worker, i int, kind object.Kind, b []byte, err error) {
		mu.Lock()
		defer mu.Unlock()
		calls[i]++
		data[i], errs[i] = bytes.Clone(b), err
		if err == nil && (kind != object.BlobKind || worker < 0 || worker >= Workers()) {
			t.Errorf("object %d: kind %s, worker %d", i, kind, worker)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range calls {
		if n != 1 {
			t.Errorf("object %d was handed out %d times", i, n)
		}
	}
	return data, errs
}

// TestEach reads what we wrote and what Git packed of it, with chains of
// deltas, loose objects, duplicates, and objects that are not there.
func TestEach(t *testing.T) {
	peers.Need(t, "git")
	dir := filepath.Join(t.TempDir(), "r.git")
	git := func(stdin []byte, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
		c.Stdin = bytes.NewReader(stdin)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	os.MkdirAll(dir, 0o755)
	git(nil, "init", "-q", "--bare")
	var list []object.Hash
	var want [][]byte
	content := text(300, 0)
	for pack := range 3 {
		w, err := NewWriter(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for n := range 50 {
			line := fmt.Appendf(nil, "  {\"name\":\"changed-%d-%d\"},\n", pack, n)
			at := bytes.IndexByte(content[n*37:], '\n') + n*37 + 1
			content = append(content[:at:at], append(line, content[at:]...)...)
			b := bytes.Clone(content)
			want = append(want, b)
			if err := w.Add(t.Context(), object.BlobKind, b, object.Hash{}, func(h object.Hash) { list = append(list, h) }); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	loose, _ := object.ParseHash(git([]byte("loose"), "hash-object", "-w", "--stdin"))
	missing := object.Sum(object.BlobKind, []byte("missing"))
	list = append(list, list[7], loose, missing, list[7])
	want = append(want, want[7], []byte("loose"), nil, want[7])
	check := func() {
		t.Helper()
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		data, errs := readEach(t, s, list)
		for i := range list {
			if list[i] == missing {
				if !errors.Is(errs[i], ErrNotFound) {
					t.Errorf("missing: %v", errs[i])
				}
			} else if errs[i] != nil || !bytes.Equal(data[i], want[i]) {
				t.Errorf("object %d: %v", i, errs[i])
			}
		}
	}
	check()
	// All in one pack, as Git makes it: as few whole ones as it can.
	names := ""
	for i, h := range list {
		if list[i] != missing {
			names += h.String() + " host.json\n"
		}
	}
	git([]byte(names), "-c", "core.fsync=none", "pack-objects", "-q", "--depth=40", "--delta-base-offset", "objects/pack/pack")
	old, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*.keep"))
	for _, k := range old {
		for _, ext := range []string{".keep", ".idx", ".pack"} {
			os.Remove(strings.TrimSuffix(k, ".keep") + ext)
		}
	}
	check()
}

// TestEachDamaged flips bits of a pack: what is damaged is named, once, and
// no wrong content is handed out.
func TestEachDamaged(t *testing.T) {
	dir := repository(t)
	w, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	var list []object.Hash
	for n := range 30 {
		if err := w.Add(t.Context(), object.BlobKind, text(200, n+1), object.Hash{}, func(h object.Hash) { list = append(list, h) }); err != nil {
			t.Fatal(err)
		}
	}
	p, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(p.File())
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(p.File(), 0o600)
	damaged := 0
	for i := 12; i < len(whole)-20; i += len(whole) / 60 {
		broken := bytes.Clone(whole)
		broken[i] ^= 1 << (i % 8)
		if err := os.WriteFile(p.File(), broken, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		data, errs := readEach(t, s, list)
		s.Close()
		for k := range list {
			if errs[k] == nil && object.Sum(object.BlobKind, data[k]) != list[k] {
				t.Fatalf("byte %d: object %d has other content", i, k)
			}
			if errs[k] != nil {
				damaged++
				if !errors.Is(errs[k], ErrDamaged) {
					t.Errorf("byte %d: %v", i, errs[k])
				}
			}
		}
	}
	if damaged < 30 {
		t.Errorf("only %d objects were found damaged", damaged)
	}
}

// TestHolds asks a pack for what it holds, for what only another one holds,
// and for what is damaged in it.
func TestHolds(t *testing.T) {
	dir := repository(t)
	var files []string
	var list []object.Hash
	for n := range 2 {
		w, err := NewWriter(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for k := range 5 {
			if err := w.Add(t.Context(), object.BlobKind, text(100, 10*n+k+1), object.Hash{}, func(h object.Hash) { list = append(list, h) }); err != nil {
				t.Fatal(err)
			}
		}
		p, err := w.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, p.File())
	}
	name := func(i int) object.Hash { return list[i] }
	if err := Holds(t.Context(), files[0], 5, name); err != nil {
		t.Error(err)
	}
	if err := Holds(t.Context(), files[0], 6, name); !errors.Is(err, ErrNotFound) {
		t.Errorf("an object of the other pack: %v", err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(files[0], 0o600)
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Holds(t.Context(), files[0], 5, name); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
}
