package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/peers"
)

func text(lines int, change int) []byte {
	var b bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&b, "  {\"name\":\"package-%d\",\"evr\":\"1.%d\",\"vendor\":\"example\"},\n", i, i*i%97)
		if change > 0 && i%change == 0 {
			fmt.Fprintf(&b, "  {\"name\":\"changed-%d-%d\"},\n", change, i)
		}
	}
	return b.Bytes()
}

func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "objects", "pack"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRoundTrip writes objects of all sizes and reads them back, by itself
// and by Git.
func TestRoundTrip(t *testing.T) {
	peers.Need(t, "git")
	dir := filepath.Join(t.TempDir(), "r.git")
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx := t.Context()
	w, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	var want [][]byte
	for i := range 60 {
		want = append(want, text(i*i, i%7), text(400, 3+i%5))
	}
	want = append(want, nil, bytes.Repeat([]byte("x"), 200000), []byte("no newline"))
	var got []object.Hash
	skip := object.Sum(object.BlobKind, []byte("skipped"))
	for _, b := range append(want, []byte("skipped")) {
		if err := w.Add(ctx, object.BlobKind, b, skip, func(h object.Hash) { got = append(got, h) }); err != nil {
			t.Fatal(err)
		}
	}
	if data, found, err := w.Read(ctx, object.Sum(object.BlobKind, want[50])); err != nil || !found || !bytes.Equal(data, want[50]) {
		t.Errorf("read before the end: %v %v", found, err)
	}
	if _, found, err := w.Read(ctx, skip); found || err != nil {
		t.Errorf("skipped object: %v %v", found, err)
	}
	p, err := w.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.base + ".keep"); err != nil {
		t.Error("the pack is not kept until Release")
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, b := range want {
		kind, data, err := s.Read(ctx, got[i])
		if err != nil || kind != object.BlobKind || !bytes.Equal(data, b) {
			t.Fatalf("object %d: %v %v", i, kind, err)
		}
	}
	if _, _, err := s.Read(ctx, skip); !errors.Is(err, ErrNotFound) {
		t.Errorf("skipped object: %v", err)
	}
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "verify-pack", "-v", p.base+".idx").CombinedOutput()
	if err != nil || !strings.Contains(string(out), ".pack: ok") || !strings.Contains(string(out), "chain length = 1") {
		t.Errorf("git verify-pack: %v\n%s", err, out)
	}
	if err := w.Add(ctx, object.BlobKind, nil, skip, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("add after the end: %v", err)
	}
}

// TestVersions writes long chains of versions, of files and folders: each is
// made of the one before, and no chain is longer than Git's own.
func TestVersions(t *testing.T) {
	peers.Need(t, "git")
	dir := filepath.Join(t.TempDir(), "r.git")
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w, err := NewMaintainer(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	var want [][]byte
	content := text(200, 0)
	var folder []object.Entry
	for n := range 100 {
		folder = append(folder, object.Entry{Name: fmt.Sprintf("host%03d.json", n), Hash: object.Sum(object.BlobKind, []byte{byte(n)})})
	}
	for _, kind := range []object.Kind{object.BlobKind, object.TreeKind} {
		var last *Link
		for n := range 120 {
			data := append(bytes.Clone(content), fmt.Appendf(nil, "  {\"name\":\"version-%d\"},\n", n)...)
			if kind == object.TreeKind {
				folder[n*7%100].Hash[3]++
				data = object.EncodeTree(folder)
			}
			if last, err = w.AddAfter(t.Context(), kind, data, last); err != nil {
				t.Fatal(err)
			}
			want = append(want, data)
		}
	}
	p, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(p.File())
	if err != nil || st.Size() > 30000 {
		t.Errorf("%d bytes, %v", st.Size(), err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n, data := range want {
		kind := object.BlobKind
		if n >= 120 {
			kind = object.TreeKind
		}
		if got, read, err := s.Read(t.Context(), object.Sum(kind, data)); err != nil || got != kind || !bytes.Equal(read, data) {
			t.Fatalf("version %d: %s %v", n, got, err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", dir, "verify-pack", "-v", p.base+".idx").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "chain length = 50:") || strings.Contains(string(out), "chain length = 51:") {
		t.Errorf("git verify-pack: %v\n%s", err, out)
	}
}

func TestNothingLeft(t *testing.T) {
	dir := repository(t)
	ctx := t.Context()
	empty, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	aborted, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := aborted.Add(ctx, object.BlobKind, []byte("x"), object.Hash{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := aborted.Abort(); err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancelled, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range 100 {
		if err = cancelled.Add(stopped, object.BlobKind, []byte("x"), object.Hash{}, nil); err != nil {
			break
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := cancelled.Abort(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{TempDir + "/*", "objects/pack/*"} {
		if left, _ := filepath.Glob(filepath.Join(dir, p)); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// TestReads holds that a store finds objects that Git packs and repacks
// under its hands.
func TestRepackedMeanwhile(t *testing.T) {
	peers.Need(t, "git")
	dir := filepath.Join(t.TempDir(), "r.git")
	git := func(stdin string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
		c.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		c.Stdin = strings.NewReader(stdin)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", "-b", "main", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := map[object.Hash][]byte{}
	parent := ""
	for i := range 40 {
		b := text(300, 2+i)
		h, ok := object.ParseHash(git(string(b), "hash-object", "-w", "--stdin"))
		if !ok {
			t.Fatal("no hash")
		}
		want[h] = b
		tree := git(fmt.Sprintf("100644 blob %s\tf\n", h), "mktree")
		args := []string{"commit-tree", "-m", "x", tree}
		if parent != "" {
			args = append(args, "-p", parent)
		}
		parent = git("", args...)
		git("", "update-ref", "refs/heads/main", parent)
		switch i {
		case 10:
			git("", "repack", "-q", "-a", "-d")
		case 20:
			git("", "gc", "-q", "--prune=now")
		case 30:
			git("", "repack", "-q", "-a", "-d", "--depth=50", "-F")
		}
		for h, b := range want {
			if _, data, err := s.Read(t.Context(), h); err != nil || !bytes.Equal(data, b) {
				t.Fatalf("round %d: %v", i, err)
			}
		}
	}
	for h := range want {
		if found, err := s.Prefix(h.String()[:6]); err != nil || len(found) != 1 || found[0] != h {
			t.Errorf("prefix: %v, %v", found, err)
		}
	}
}

func FuzzDelta(f *testing.F) {
	entries := []object.Entry{{Name: "a", Hash: object.Hash{1}}, {Name: "b", Hash: object.Hash{2}}, {Name: "c", Hash: object.Hash{3}}}
	f.Add(object.EncodeTree(entries), object.EncodeTree(append(entries[1:], object.Entry{Name: "d", Hash: object.Hash{4}})))
	f.Add(text(20, 3), text(20, 4))
	f.Add([]byte("a\nb\n"), []byte(""))
	f.Add(bytes.Repeat([]byte("0123456789abcdef\n"), 9000), bytes.Repeat([]byte("0123456789abcdef\n"), 9001))
	f.Fuzz(func(t *testing.T, from, to []byte) {
		tree := newBase(from, 0)
		tree.tree = true
		if got, err := applyDelta(nil, from, tree.delta(nil, to)); err != nil || !bytes.Equal(got, to) {
			t.Fatalf("as trees: %q, %v, want %q", got, err, to)
		}
		got, err := applyDelta(nil, from, newBase(from, 0).delta(nil, to))
		if err != nil || !bytes.Equal(got, to) {
			t.Fatalf("got %q, %v; want %q", got, err, to)
		}
		_, _ = applyDelta(nil, from, to) // anything may be damaged; nothing may panic
	})
}

// FuzzReader feeds damaged packs and indexes.
func FuzzReader(f *testing.F) {
	dir := f.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "objects", "pack"), 0o755); err != nil {
		f.Fatal(err)
	}
	w, err := NewWriter(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{text(30, 3), text(30, 4), []byte("x")} {
		if err := w.Add(f.Context(), object.BlobKind, b, object.Hash{}, nil); err != nil {
			f.Fatal(err)
		}
	}
	p, err := w.Finish(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(p.base + ".pack")
	if err != nil {
		f.Fatal(err)
	}
	idx, err := os.ReadFile(p.base + ".idx")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, idx)
	f.Fuzz(func(t *testing.T, packed, raw []byte) {
		x, err := parseIndex(raw)
		if err != nil {
			return
		}
		r := reader{file: bytes.NewReader(packed), cache: newCache(1 << 20)}
		for i := range min(x.count, 10) {
			x.find(x.hash(i))
			if offset, ok := x.offset(i); ok {
				if kind, data, err := r.at(context.Background(), offset); err == nil {
					object.Sum(kind, data)
				}
			}
		}
	})
}
