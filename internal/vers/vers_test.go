package vers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

var rpmTable = []struct {
	a, b string
	want int
}{
	{"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0.1", "2.0", 1}, {"2.0.1a", "2.0.1", 1},
	{"5.5p1", "5.5p2", -1}, {"5.5p10", "5.5p1", 1}, {"10xyz", "10.1xyz", -1}, {"xyz10", "xyz10.1", -1},
	{"xyz.4", "8", -1}, {"6.0.rc1", "6.0", 1}, {"10b2", "10a1", 1}, {"1.0aa", "1.0a", 1}, {"10.0001", "10.0039", -1},
	{"10.0001", "10.1", 0}, {"4.999.9", "5.0", -1}, {"20101121", "20101122", -1}, {"2_0", "2.0", 0}, {"a", "a+", 0},
	{"+a", "_a", 0}, {"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc2", -1}, {"1.0~rc1~git123", "1.0~rc1", -1},
	{"1.0^", "1.0", 1}, {"1.0^git1", "1.0", 1}, {"1.0^git1", "1.0^git2", -1}, {"1.0^git1", "1.01", -1},
	{"1.0^20160101", "1.0.1", -1}, {"1.0~rc1^git1", "1.0~rc1", 1}, {"1.0^git1~pre", "1.0^git1", -1},
	{"1:1.0-1", "2.0-1", 1}, {"0:1.0-1", "1.0-1", 0}, {"01:1", "1:1", 0}, {":1.0", "1.0", 0}, {"1.0", "1.0-1", -1},
	{"3.0.7-24.el9", "3.0.7-24.el9_2", -1}, {"3.0.7-25.el9", "3.0.7-24.el9_4.1", 1},
	{"5.14.0-427.13.1.el9_4", "5.14.0-427.16.1.el9_4", -1},
	{"99999999999999999999999999", "99999999999999999999999998", 1}, {"", "", 0}, {"", "1", -1}, {"", "~", 1},
	{"1-2-3", "1-2", 1}, {"1.0-", "1.0", 1},
}

func TestRPM(t *testing.T) {
	for _, c := range rpmTable {
		if got := Compare("rpm", c.a, c.b); got != c.want {
			t.Errorf("RPM(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := RPM(c.b, c.a); got != -c.want {
			t.Errorf("RPM(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

var debTable = []struct {
	a, b string
	want int
}{
	{"1.0", "1.0", 0}, {"1.0-1", "1.0-2", -1}, {"1.0", "1.0-0", 0}, {"1.0-1", "1.0", 1}, {"1:0.1", "9.9", 1},
	{"0:1.0", "1.0", 0}, {"1.0~rc1-1", "1.0-1", -1}, {"1.0~~", "1.0~", -1}, {"1.0a", "1.0+", -1}, {"1.0a", "1.0", 1},
	{"1.001", "1.1", 0}, {"3.0.11-1~deb12u2", "3.0.11-1", -1}, {"3.0.11-1~deb12u10", "3.0.11-1~deb12u9", 1},
	{"1.2.3-4-5", "1.2.3-4-4", 1}, {"1.0+b1", "1.0", 1}, {"5.36.0-7+deb12u2", "5.36.0-7", 1}, {"2:1.0", "10:1.0", -1},
	{"1.0.", "1.0", 1}, {"1.0-1.1", "1.0-1", 1}, {"99999999999999999999", "100000000000000000000", -1},
}

func TestDeb(t *testing.T) {
	for _, c := range debTable {
		if got := Compare("deb", c.a, c.b); got != c.want {
			t.Errorf("Deb(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Deb(c.b, c.a); got != -c.want {
			t.Errorf("Deb(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

// version makes versions that are close to each other, so that their order
// is decided late.
func version(r *rand.Rand, alphabet []string) string {
	var b strings.Builder
	if r.IntN(4) == 0 {
		fmt.Fprintf(&b, "%d:", r.IntN(3))
	}
	b.WriteString(strconv.Itoa(r.IntN(3)))
	for range r.IntN(6) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	if r.IntN(2) == 0 {
		b.WriteString("-" + strconv.Itoa(r.IntN(3)))
		for range r.IntN(4) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
	}
	return b.String()
}

var (
	rpmAlphabet = []string{".", "~", "^", "+", "_", "0", "1", "01", "10", "a", "b", "Z", "rc", "el9"}
	debAlphabet = []string{".", "~", "+", "0", "1", "01", "10", "a", "b", "Z", "rc", "deb12u"}
)

func TestOrderIsTotal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range []struct {
		name     string
		compare  func(a, b string) int
		alphabet []string
	}{{"rpm", RPM, rpmAlphabet}, {"deb", Deb, debAlphabet}} {
		for range 200_000 {
			a, b, c := version(r, f.alphabet), version(r, f.alphabet), version(r, f.alphabet)
			checkOrder(t, f.name, f.compare, a, b, c)
		}
	}
}

func checkOrder(t *testing.T, name string, compare func(a, b string) int, a, b, c string) {
	t.Helper()
	ab, bc, ac := compare(a, b), compare(b, c), compare(a, c)
	if ab < -1 || ab > 1 {
		t.Fatalf("%s: compare(%q, %q) = %d", name, a, b, ab)
	}
	if compare(a, a) != 0 {
		t.Fatalf("%s: %q differs from itself", name, a)
	}
	if ba := compare(b, a); ba != -ab {
		t.Fatalf("%s: compare(%q, %q) = %d, swapped %d", name, a, b, ab, ba)
	}
	if ab <= 0 && bc <= 0 && ac > 0 || ab >= 0 && bc >= 0 && ac < 0 {
		t.Fatalf("%s: not transitive: %q, %q, %q", name, a, b, c)
	}
	if ab == 0 && bc != ac {
		t.Fatalf("%s: %q = %q, but they compare differently with %q", name, a, b, c)
	}
}

func FuzzCompare(f *testing.F) {
	for i, c := range rpmTable {
		f.Add(c.a, c.b, debTable[i%len(debTable)].a)
	}
	f.Add("1\xff", "1\x80", "1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		checkOrder(t, "rpm", RPM, a, b, c)
		checkOrder(t, "deb", Deb, a, b, c)
	})
}

// TestAgainstRPM asks the real rpm, in one process for all pairs.
func TestAgainstRPM(t *testing.T) {
	peers.Need(t, "rpm")
	r := rand.New(rand.NewPCG(3, 4))
	var pairs [][2]string
	for _, c := range rpmTable {
		if c.a != "" && c.b != "" && !strings.HasSuffix(c.a, "-") {
			pairs = append(pairs, [2]string{c.a, c.b})
		}
	}
	for range 3000 {
		pairs = append(pairs, [2]string{version(r, rpmAlphabet), version(r, rpmAlphabet)})
	}
	file := filepath.Join(t.TempDir(), "pairs")
	if err := os.WriteFile(file, lines(pairs), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `for l in io.lines("` + file + `") do local a, b = l:match("([^ ]+) ([^ ]+)"); print(rpm.vercmp(a, b) .. " ") end`
	out, err := exec.Command("rpm", "--eval", "%{lua:"+script+"}").CombinedOutput()
	if err != nil {
		t.Fatalf("rpm: %v: %s", err, out)
	}
	compareAll(t, "rpm", RPM, pairs, strings.Fields(string(out)))
}

// TestAgainstDpkg asks the real dpkg, which compares one pair a process.
func TestAgainstDpkg(t *testing.T) {
	peers.Need(t, "dpkg")
	r := rand.New(rand.NewPCG(5, 6))
	pairs := make([][2]string, 0, 300)
	for _, c := range debTable {
		pairs = append(pairs, [2]string{c.a, c.b})
	}
	for len(pairs) < cap(pairs) {
		pairs = append(pairs, [2]string{version(r, debAlphabet), version(r, debAlphabet)})
	}
	for _, p := range pairs {
		want := 1
		if dpkg(t, p, "lt") {
			want = -1
		} else if dpkg(t, p, "eq") {
			want = 0
		}
		if got := Deb(p[0], p[1]); got != want {
			t.Errorf("Deb(%q, %q) = %d, dpkg says %d", p[0], p[1], got, want)
		}
	}
}

func dpkg(t *testing.T, p [2]string, op string) bool {
	t.Helper()
	out, err := exec.Command("dpkg", "--compare-versions", p[0], op, p[1]).CombinedOutput()
	if len(out) > 0 {
		t.Fatalf("dpkg %v: %s", p, out)
	}
	return err == nil
}

func lines(pairs [][2]string) []byte {
	var b bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintln(&b, p[0], p[1])
	}
	return b.Bytes()
}

func compareAll(t *testing.T, name string, compare func(a, b string) int, pairs [][2]string, answers []string) {
	t.Helper()
	if len(answers) != len(pairs) {
		t.Fatalf("%s gave %d answers to %d questions", name, len(answers), len(pairs))
	}
	for i, p := range pairs {
		want, err := strconv.Atoi(answers[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := compare(p[0], p[1]); got != want {
			t.Errorf("compare(%q, %q) = %d, %s says %d", p[0], p[1], got, name, want)
		}
	}
}

func BenchmarkRPM(b *testing.B) {
	for b.Loop() {
		RPM("5.14.0-427.13.1.el9_4", "5.14.0-427.16.1.el9_4")
	}
}
