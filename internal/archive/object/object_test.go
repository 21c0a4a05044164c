package object

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSum(t *testing.T) {
	// git hash-object -t blob /dev/null; git hash-object -t tree /dev/null
	for _, c := range []struct {
		kind Kind
		want string
	}{{BlobKind, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}, {TreeKind, "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}} {
		if got := Sum(c.kind, nil).String(); got != c.want {
			t.Errorf("%s: %s", c.kind, got)
		}
		if h, ok := ParseHash(c.want); !ok || h != Sum(c.kind, nil) {
			t.Errorf("%s is not read back", c.want)
		}
	}
	for _, s := range []string{"", "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391", "e69de29bb2d1d6434b8b29ae775ad8c2e48c539", "g69de29bb2d1d6434b8b29ae775ad8c2e48c5391"} {
		if _, ok := ParseHash(s); ok {
			t.Errorf("%q is no hash", s)
		}
	}
}

func TestTreeOrder(t *testing.T) {
	got, err := DecodeTree(EncodeTree([]Entry{{Name: "a", Dir: true}, {Name: "a.b"}, {Name: "a-b"}, {Name: "a0"}, {Name: "B"}}))
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, e := range got {
		names += e.Name + " "
	}
	if names != "B a-b a.b a a0 " { // a folder sorts as "a/"
		t.Error(names)
	}
}

func TestCommit(t *testing.T) {
	at := time.Unix(1800000000, 0)
	c := &Commit{Tree: Sum(TreeKind, nil), Parents: []Hash{{1}, {2}}, Message: "subject\n\nKey: value\n",
		Author: Signature{"Ann <x>\nparent 1", "ann\n@example.com", at}, Committer: Signature{"katprep", "k@x", at},
		Armor: "-----BEGIN SSH SIGNATURE-----\nabc\n\ndef\n-----END SSH SIGNATURE-----\n"}
	got, err := DecodeCommit(c.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.Author.Name != "Ann xparent 1" || got.Author.Email != "ann@example.com" || len(got.Parents) != 2 || got.Message != c.Message || got.Armor != c.Armor {
		t.Errorf("%+v", got)
	}
	payload, armor := SplitSigned(c.Encode())
	if !bytes.Equal(payload, c.Payload()) || armor != c.Armor {
		t.Errorf("payload %q, signature %q", payload, armor)
	}
	tag := &Tag{Target: Hash{1}, Name: "run/x/before", Tagger: c.Committer, Message: "run\n", Armor: c.Armor}
	back, ok := DecodeTag(tag.Encode())
	if !ok || back.Target != tag.Target || back.Message != tag.Message || back.Armor != tag.Armor || !bytes.Equal(back.Payload(), tag.Payload()) {
		t.Errorf("%+v", back)
	}
}

// FuzzDecode holds that nothing panics, and that what is read as a commit or
// tree of ours is written the same again.
func FuzzDecode(f *testing.F) {
	f.Add(EncodeTree([]Entry{{Name: "a", Dir: true}, {Name: "b"}}))
	f.Add((&Commit{Message: "x\n"}).Encode())
	f.Add([]byte("tree x\n\n"))
	f.Add([]byte("object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype commit\n\n-----BEGIN SSH SIGNATURE-----"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if entries, err := DecodeTree(in); err == nil {
			n := 0
			for e, err := range Prefixed(in, "b") {
				if err != nil || !slices.Contains(entries, e) || !strings.HasPrefix(e.Name, "b") {
					t.Fatalf("%+v, %v", e, err)
				}
				n++
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Name, "b") {
					n--
				}
				if found, ok, err := Find(in, e.Name); err != nil || !ok || found.Name != e.Name {
					t.Fatalf("%q is not found", e.Name)
				}
			}
			if n != 0 {
				t.Fatalf("%d too many entries with a prefix", n)
			}
		}
		if c, err := DecodeCommit(in); err == nil {
			again, err := DecodeCommit(c.Encode())
			if err != nil || again.Tree != c.Tree || again.Message != c.Message || len(again.Parents) != len(c.Parents) {
				t.Fatalf("%+v became %+v, %v", c, again, err)
			}
		}
		SplitSigned(in)
		DecodeTag(in)
	})
}

// FuzzDiff holds that what Diff leaves out is in both trees, and that what it
// yields turns one into the other.
func FuzzDiff(f *testing.F) {
	a := EncodeTree([]Entry{{Name: "a", Dir: true}, {Name: "a.b"}, {Name: "b", Hash: Hash{1}}, {Name: "d"}})
	b := EncodeTree([]Entry{{Name: "a"}, {Name: "a.b", Hash: Hash{2}}, {Name: "b", Hash: Hash{1}}, {Name: "c"}})
	f.Add(a, b)
	f.Add(a, []byte(nil))
	f.Add(append(bytes.Clone(b), a...), append(bytes.Clone(a), b...))                             // not sorted, names twice
	f.Add([]byte("40000 a\x0000000000000000000000"), []byte("100000 a/\x0000000000000000000000")) // a file that would pass for a folder
	f.Fuzz(func(t *testing.T, before, after []byte) {
		olds, err1 := DecodeTree(before)
		news, err2 := DecodeTree(after)
		count := map[Entry]int{}
		for _, e := range olds {
			count[e]++
		}
		for pair, err := range Diff(before, after) {
			if err != nil {
				if err1 == nil && err2 == nil {
					t.Fatal(err)
				}
				return
			}
			if pair[0] != nil {
				count[*pair[0]]--
			}
			if pair[1] != nil {
				count[*pair[1]]++
			}
		}
		if err1 != nil || err2 != nil {
			t.Fatal("a malformed tree is none")
		}
		for _, e := range news {
			count[e]--
		}
		for e, n := range count {
			if n != 0 {
				t.Fatalf("%+v: %d", e, n)
			}
		}
	})
}
