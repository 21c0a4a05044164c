package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

// random fills a value with anything its type can hold, empty things
// included.
func random(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(randomText(r))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Slice:
		n := r.IntN(4)
		if n == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			random(r, v.Index(i))
		}
	case reflect.Map:
		n := r.IntN(4)
		if n == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range n {
			v.SetMapIndex(reflect.ValueOf(randomText(r)), reflect.ValueOf(randomText(r)))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			if r.IntN(3) > 0 {
				v.Set(reflect.ValueOf(time.Unix(r.Int64N(4e9), r.Int64N(2)*r.Int64N(1e9)).UTC()))
			}
			return
		}
		for i := range v.NumField() {
			random(r, v.Field(i))
		}
	default:
		panic("no random value of " + v.Type().String())
	}
}

func randomText(r *rand.Rand) string {
	texts := []string{"", "a", "web01.example.com", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é\u2028\u2029\u0085\u009b\u202e\u2066", "\xff\xfe",
		"<script>&amp;</script>", "日本", "\U0001f600", "{\"name\":1}", fmt.Sprint(r.IntN(1000))}
	return texts[r.IntN(len(texts))]
}

// TestHandwritten holds that the writer and the reader made by hand do what
// Encode and Decode do.
func TestHandwritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := &Decoder{}
	for range 5000 {
		var s katprep.State
		random(r, reflect.ValueOf(&s).Elem())
		Normalize(&s)
		agree(t, d, s)
	}
	agree(t, d, katprep.State{})
}

func agree(t *testing.T, d *Decoder, s katprep.State) {
	t.Helper()
	want, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	got := EncodeState(&s)
	if !bytes.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	var wantBack, back katprep.State
	if err := json.Unmarshal(got, &wantBack); err != nil {
		t.Fatal(err)
	}
	d.in, d.at, d.ok = got, 0, true
	d.state(&back)
	if !d.ok {
		t.Fatalf("the canonical form is not read at byte %d of\n%s", d.at, got)
	}
	if err := d.State(got, &back); err != nil || !reflect.DeepEqual(back, wantBack) {
		t.Fatalf("read\n%+v, %v\nfor\n%+v", back, err, wantBack)
	}
	var skimmed katprep.State
	if !d.Skim(got, &skimmed) || !sameSkim(&skimmed, &back) {
		t.Fatalf("skimmed as %+v for\n%s", skimmed, got)
	}
	if again := EncodeState(&back); !bytes.Equal(again, got) {
		t.Fatalf("written again:\n%s\nfor\n%s", again, got)
	}
}

// FuzzDecodeState holds that the reader made by hand agrees with
// encoding/json on whatever it takes, and fails on what that fails on.
func FuzzDecodeState(f *testing.F) {
	s := katprep.State{Host: katprep.Host{Name: "é"}, Facts: katprep.Facts{Extra: map[string]string{"a": "b"}, Collections: []string{"x"}},
		Packages: []katprep.Package{{Name: "bash", EVR: "1", Installed: time.Unix(1e9, 0).UTC()}}, Updates: []katprep.Update{{CVEs: []string{"c"}}}}
	f.Add(EncodeState(&s))
	for _, s := range []string{`{}`, `null`, `{"name":null}`, `{"Name":"x"}`, `{"name":"a","name":"b"}`, `{"aspects":[]}`, `{"boot":{"time":"2026-02-30T00:00:00Z"}}`,
		`{"boot":{"time":"2026-01-01T00:00:00+01:00"}}`, `{"facts":{"extra":{"a":"1","a":"2"}}}`, `{"name":"a"} x`, `{"name":"\ud800"}`, `{"kernel":{}}`,
		`{"packages":[{"name":"a","evr":"1","held":true},{"name":"\"","evr":"2"},{"name":"c" ,"evr":"3","installed":"2026-02-29T00:00:00Z"}]}`,
		`{"packages":[{"name":"a","evr":"1","installed":"2026-02-19T00:0x:00Z"}]}`, `{"packages":[{"name":"a","evr":"1"]}`, `{"packages":[]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var want, got katprep.State
		wantErr := json.Unmarshal(in, &want)
		gotErr := DecodeState(in, &got)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%v, encoding/json says %v", gotErr, wantErr)
		}
		if wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		d := &Decoder{}
		var skimmed katprep.State
		ok := d.Skim(in, &skimmed)
		if whole := d.Canonical(in, &got); whole != ok || ok && !sameSkim(&skimmed, &got) {
			t.Fatalf("skimmed as %+v, %v: read as %v, %+v", skimmed, ok, whole, got)
		}
	})
}

func TestNormalize(t *testing.T) {
	cet := time.FixedZone("CET", 3600)
	list := []katprep.Package{{Name: "b", Installed: time.Date(2026, 1, 1, 1, 0, 0, 0, cet)}, {Name: "a", Installed: time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)}}
	s := katprep.State{Packages: list, Boot: katprep.Boot{Time: time.Date(2026, 1, 1, 1, 0, 0, 0, cet)}}
	s.Name = "a\xffb"
	Normalize(&s)
	if s.Packages[0].Name != "a" || !s.Packages[0].Installed.IsZero() || s.Packages[1].Installed != time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) {
		t.Errorf("packages %+v", s.Packages)
	}
	if list[0].Name != "b" || list[0].Installed.Location() != cet {
		t.Error("the caller's list was changed")
	}
	if s.Boot.Time.Location() != time.UTC || s.Name != "a\ufffdb" {
		t.Errorf("state %+v", s)
	}
}

func benchState() katprep.State {
	s := katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "sat", ID: "1"}, Name: "web01.example.com"}, Format: katprep.RPM}
	for i := range 400 {
		s.Packages = append(s.Packages, katprep.Package{Name: fmt.Sprintf("package-%03d-libs", i), EVR: "1.2.3-45.el9_4.2", Arch: "x86_64",
			Source: fmt.Sprintf("package-%03d-1.2.3-45.el9_4.2.src.rpm", i), Vendor: "Red Hat, Inc.", Installed: time.Unix(1.7e9+int64(i), 0).UTC()})
	}
	return s
}

// TestAppend holds that Append makes of whatever is delivered what Normalize
// and Encode make of it, and that it leaves the caller's packages alone.
func TestAppend(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	odd := []time.Time{time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(900, 1, 1, 0, 0, 0, 5, time.UTC),
		time.Date(2026, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Unix(0, 0), time.Unix(-1, 0),
		time.Unix(-86400, 0), time.Unix(-86401, 0), time.Unix(1e9, 0), time.Unix(1e9+3661, 0), time.Unix(1e9+86400, 0), time.Unix(1e9, 1)}
	for n := range 5000 {
		var s katprep.State
		if n%2 == 0 {
			random(r, reflect.ValueOf(&s).Elem())
		}
		for range r.IntN(9) {
			name := []string{"a", "bash-completion", "b\xff", "b\xfe", "b\ufffd", "q\"uote", "exactly8"}[r.IntN(7)]
			s.Packages = append(s.Packages, katprep.Package{Name: name, EVR: katprep.EVR(fmt.Sprint(r.IntN(3))), Vendor: randomText(r), Installed: odd[r.IntN(len(odd))]})
		}
		delivered := slices.Clone(s.Packages)
		normal := s
		Normalize(&normal)
		want, err := Encode(normal)
		if err != nil {
			t.Fatal(err)
		}
		got := s
		if text := Append([]byte("kept"), &got); !bytes.Equal(text[4:], want) || string(text[:4]) != "kept" {
			t.Fatalf("got\n%s\nwant\n%s", text, want)
		}
		if !reflect.DeepEqual(s.Packages, delivered) {
			t.Fatal("the caller's packages were changed")
		}
	}
}

// TestPlainText tries every byte at every place of texts of every length up
// to three words.
func TestPlainText(t *testing.T) {
	for n := range 25 {
		text := []byte(strings.Repeat("x", n))
		if !plainText(string(text)) {
			t.Errorf("%d letters are not plain", n)
		}
		for i := range n {
			for c := range 256 {
				text[i] = byte(c)
				if got, want := plainText(string(text)), c >= ' ' && c < 0x7f && c != '"' && c != '\\'; got != want {
					t.Errorf("byte %#x at %d of %d: plain %t", c, i, n, got)
				} else if end := plainEnd(text, 0); end != i && !want || end != n && want {
					t.Errorf("byte %#x at %d of %d: plain until %d", c, i, n, end)
				}
			}
			text[i] = 'x'
		}
	}
}

func BenchmarkEncodeState(b *testing.B) {
	s := benchState()
	var out []byte
	for b.Loop() {
		out = Append(out[:0], &s)
	}
	b.SetBytes(int64(len(out)))
	b.ReportAllocs()
}

// sameSkim compares what Skim reads.
func sameSkim(a, b *katprep.State) bool {
	return a.Host == b.Host && a.Status == b.Status && slices.Equal(a.Aspects, b.Aspects) && a.Reboot.Need == b.Reboot.Need &&
		slices.Equal(a.Errata, b.Errata) && len(a.Updates) == len(b.Updates) && len(a.Problems) == len(b.Problems)
}

func BenchmarkSkimState(b *testing.B) {
	s := benchState()
	text := EncodeState(&s)
	d := &Decoder{}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !d.Skim(text, &s) {
			b.Fatal("not canonical")
		}
	}
}

func BenchmarkDecodeState(b *testing.B) {
	s := benchState()
	text := EncodeState(&s)
	d := &Decoder{}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.State(text, &s); err != nil {
			b.Fatal(err)
		}
	}
}
