package canon

import (
	"time"

	"github.com/stdevel/katprep"
)

// A Decoder reads states. It knows the canonical form, in a tenth of the
// time of encoding/json; any other JSON it leaves to that. It keeps the texts
// that hosts have in common once. It is for one goroutine.
type Decoder struct {
	texts map[string]string
	bytes int

	in []byte
	at int
	ok bool // false: not the canonical form

	skim bool // see Skim
	deep bool // within a list whose texts Skim does not keep
}

const (
	maxText  = 128     // longer texts are not kept
	maxTexts = 8 << 20 // bytes of them
)

// State reads a state in any JSON form.
func (d *Decoder) State(data []byte, s *katprep.State) error {
	if d.Canonical(data, s) {
		return nil
	}
	*s = katprep.State{}
	return Decode(data, s)
}

// Skim reports whether a state is in the canonical form up to white space,
// and reads the host, its status, aspects and reboot state, and its errata;
// of its other lists only their length, and of the packages nothing.
func (d *Decoder) Skim(data []byte, s *katprep.State) bool {
	d.skim = true
	ok := d.Canonical(data, s)
	d.skim = false
	return ok
}

// Canonical reads a state that is in the canonical form up to white space,
// and reports whether it is.
func (d *Decoder) Canonical(data []byte, s *katprep.State) bool {
	*s = katprep.State{}
	d.in, d.at, d.ok, d.deep = data, 0, true, false
	d.state(s)
	d.space()
	ok := d.ok && d.at == len(d.in)
	d.in = nil
	return ok
}

// DecodeState reads a state in any JSON form.
func DecodeState(data []byte, s *katprep.State) error { return new(Decoder).State(data, s) }

func (d *Decoder) space() {
	for d.at < len(d.in) && (d.in[d.at] == ' ' || d.in[d.at] == '\n') {
		d.at++
	}
}

// token skips space and takes one character.
func (d *Decoder) token() byte {
	d.space()
	if d.at >= len(d.in) {
		d.ok = false
		return 0
	}
	d.at++
	return d.in[d.at-1]
}

func (d *Decoder) expect(c byte) {
	if d.token() != c {
		d.ok = false
	}
}

// object reads the fields of an object. They must come in the order of the
// names: then no field comes twice, about which JSON readers disagree.
func (d *Decoder) object(fields []string, value func(i int)) {
	d.expect('{')
	d.space()
	if d.ok && d.at < len(d.in) && d.in[d.at] == '}' {
		d.at++
		return
	}
	next := 0
	for d.ok {
		d.expect('"')
		next = d.name(fields, next)
		if !d.ok {
			return
		}
		d.expect(':')
		value(next - 1)
		switch d.token() {
		case ',':
		case '}':
			return
		default:
			d.ok = false
		}
	}
}

// name takes one of the names from the next one on, with its closing quote,
// and returns the number behind it.
func (d *Decoder) name(fields []string, next int) int {
	rest := d.in[d.at:]
	for ; next < len(fields); next++ {
		n := len(fields[next])
		if len(rest) > n && rest[n] == '"' && string(rest[:n]) == fields[next] {
			d.at += n + 1
			return next + 1
		}
	}
	d.ok = false
	return 0
}

// list reads a list; an empty one is not canonical.
func list[T any](d *Decoder, guess int, one func(v *T)) []T {
	d.expect('[')
	out := make([]T, 0, guess)
	for d.ok {
		var v T
		one(&v)
		out = append(out, v)
		switch d.token() {
		case ',':
		case ']':
			return out
		default:
			d.ok = false
		}
	}
	return nil
}

// deep is list for what Skim keeps no texts of.
func deep[T any](d *Decoder, guess int, one func(v *T)) []T {
	d.deep = true
	out := list(d, guess, one)
	d.deep = false
	return out
}

func (d *Decoder) string() string {
	d.expect('"')
	if !d.ok {
		return ""
	}
	start := d.at
	d.at = plainEnd(d.in, start)
	if d.at >= len(d.in) {
		d.ok = false
		return ""
	}
	if d.in[d.at] != '"' {
		return d.odd(start)
	}
	d.at++
	return d.keep(d.in[start : d.at-1])
}

// odd reads a string with escapes or other than ASCII.
func (d *Decoder) odd(start int) string {
	for d.at < len(d.in) && d.in[d.at] != '"' {
		if d.in[d.at] == '\\' {
			d.at++
		}
		d.at++
	}
	if d.at >= len(d.in) {
		d.ok = false
		return ""
	}
	d.at++
	var s string
	if err := Decode(d.in[start-1:d.at], &s); err != nil {
		d.ok = false
	}
	return s
}

// keep returns the text as a string, the same one each time.
func (d *Decoder) keep(b []byte) string {
	if d.skim && d.deep {
		return ""
	}
	if len(b) == 0 || len(b) > maxText {
		return string(b)
	}
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	if d.texts == nil || d.bytes > maxTexts {
		d.texts, d.bytes = map[string]string{}, 0
	}
	s := string(b)
	d.texts[s] = s
	d.bytes += len(s) + 32
	return s
}

func (d *Decoder) bool() bool {
	d.space()
	for _, w := range [...]string{"true", "false"} {
		if len(d.in)-d.at >= len(w) && string(d.in[d.at:d.at+len(w)]) == w {
			d.at += len(w)
			return w == "true"
		}
	}
	d.ok = false
	return false
}

// time reads a time in UTC.
func (d *Decoder) time() time.Time {
	d.space()
	if n := d.at + timeLen; n <= len(d.in) && d.in[d.at] == '"' && d.in[n-1] == '"' {
		if t, ok := seconds(d.in[d.at+1 : n-1]); ok {
			d.at = n
			return t
		}
	}
	deep := d.deep
	d.deep = false // the text is needed
	s := d.string()
	d.deep = deep
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || len(s) == 0 || s[len(s)-1] != 'Z' {
		d.ok = false
	}
	return t
}

// seconds reads 2026-11-24T10:00:00Z, the form that nearly all have.
func seconds(s []byte) (t time.Time, ok bool) {
	n, ok := clockFields(s)
	if !ok {
		return t, false
	}
	return time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC), true
}

func clockFields(s []byte) (n [6]int, ok bool) {
	if len(s) != 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != 'Z' {
		return n, false
	}
	bad := byte(0)
	two := func(at int) int {
		a, b := s[at]-'0', s[at+1]-'0'
		if a > 9 || b > 9 {
			bad = 1
		}
		return 10*int(a) + int(b)
	}
	n = [6]int{100*two(0) + two(2), two(5), two(8), two(11), two(14), two(17)}
	if bad != 0 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 28 || n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return n, false // days that not every month has are left to package time
	}
	return n, true
}

func (d *Decoder) strings() []string {
	return list(d, 4, func(s *string) { *s = d.string() })
}

func word[T ~string](d *Decoder) func(v *T) { return func(v *T) { *v = T(d.string()) } }

func (d *Decoder) state(s *katprep.State) {
	d.object(stateFields, func(i int) {
		switch stateFields[i] {
		case "source":
			s.Source = d.string()
		case "id":
			s.ID = d.string()
		case "name":
			s.Name = d.string()
		case "status":
			s.Status = katprep.Status(d.string())
		case "problems":
			s.Problems = deep(d, 2, d.problem)
		case "aspects":
			s.Aspects = list(d, 10, word[katprep.Aspect](d))
		case "facts":
			d.facts(&s.Facts)
		case "format":
			s.Format = katprep.Format(d.string())
		case "kernel":
			d.textFields([]string{"running", "installed"}, &s.Kernel.Running, &s.Kernel.Installed)
		case "boot":
			d.boot(&s.Boot)
		case "reboot":
			d.reboot(&s.Reboot)
		case "parameters":
			s.Parameters = deep(d, 16, d.parameter)
		case "repositories":
			s.Repositories = deep(d, 8, d.repository)
		case "errata":
			s.Errata = list(d, 32, d.hostErratum)
		case "updates":
			s.Updates = deep(d, 32, d.update)
		case "processes":
			s.Processes = deep(d, 8, d.process)
		case "packages":
			if d.skim {
				d.skimPackages()
			} else {
				s.Packages = list(d, 512, d.pkg)
			}
		}
	})
}

var stateFields = []string{"source", "id", "name", "status", "problems", "aspects", "facts", "format", "kernel", "boot", "reboot",
	"parameters", "repositories", "errata", "updates", "processes", "packages"}

// textFields reads an object of texts.
func (d *Decoder) textFields(fields []string, to ...*string) {
	d.object(fields, func(i int) { *to[i] = d.string() })
}

func (d *Decoder) boot(b *katprep.Boot) {
	d.object(bootFields, func(i int) {
		if i == 0 {
			b.ID = d.string()
		} else {
			b.Time = d.time()
		}
	})
}

func (d *Decoder) reboot(r *katprep.Reboot) {
	d.object(rebootFields, func(i int) {
		if i == 0 {
			r.Need = katprep.Need(d.string())
		} else {
			r.Reasons = d.strings()
		}
	})
}

var (
	bootFields   = []string{"id", "time"}
	rebootFields = []string{"need", "reasons"}
	osFields     = []string{"id", "version", "name"}
	factFields   = []string{"os", "arch", "ip", "ip6", "mac", "uuid", "machine_id", "hardware", "owner", "owner_type", "organization",
		"location", "host_group", "lifecycle_environment", "content_view", "host_collections", "comment", "extra"}
)

func (d *Decoder) facts(f *katprep.Facts) {
	to := [...]*string{1: &f.Arch, 2: &f.IP, 3: &f.IP6, 4: &f.MAC, 5: &f.UUID, 6: &f.MachineID, 8: &f.Owner, 9: &f.OwnerType,
		10: &f.Organization, 11: &f.Location, 12: &f.HostGroup, 13: &f.Environment, 14: &f.ContentView, 16: &f.Comment}
	d.object(factFields, func(i int) {
		switch factFields[i] {
		case "os":
			d.textFields(osFields, &f.OS.ID, &f.OS.Version, &f.OS.Name)
		case "hardware":
			f.Hardware = katprep.Hardware(d.string())
		case "host_collections":
			f.Collections = d.strings()
		case "extra":
			f.Extra = d.textMap()
		default:
			*to[i] = d.string()
		}
	})
}

// textMap reads a map of texts, which is not empty and has its keys in order.
func (d *Decoder) textMap() map[string]string {
	out := map[string]string{}
	d.expect('{')
	last := ""
	for d.ok {
		k := d.string()
		if len(out) > 0 && k <= last {
			d.ok = false
		}
		last = k
		d.expect(':')
		out[k] = d.string()
		switch d.token() {
		case ',':
		case '}':
			return out
		default:
			d.ok = false
		}
	}
	return nil
}

var (
	problemFields    = []string{"aspect", "message", "warning"}
	parameterFields  = []string{"name", "value", "type", "origin", "masked"}
	repositoryFields = []string{"id", "refreshed", "revision"}
	erratumFields    = []string{"id", "installable"}
	updateFields     = []string{"name", "arch", "from", "to", "origin", "security", "errata", "cves"}
	processFields    = []string{"name", "unit"}
	packageFields    = []string{"name", "evr", "arch", "source", "vendor", "installed", "held"}
)

func (d *Decoder) problem(p *katprep.Problem) {
	d.object(problemFields, func(i int) {
		switch i {
		case 0:
			p.Aspect = katprep.Aspect(d.string())
		case 1:
			p.Message = d.string()
		case 2:
			p.Warning = d.bool()
		}
	})
}

func (d *Decoder) parameter(p *katprep.Parameter) {
	to := [...]*string{&p.Name, &p.Value, &p.Type, &p.Origin}
	d.object(parameterFields, func(i int) {
		if i < len(to) {
			*to[i] = d.string()
		} else {
			p.Masked = d.bool()
		}
	})
}

func (d *Decoder) repository(r *katprep.Repository) {
	d.object(repositoryFields, func(i int) {
		switch i {
		case 0:
			r.ID = d.string()
		case 1:
			r.Refreshed = d.time()
		case 2:
			r.Revision = d.string()
		}
	})
}

func (d *Decoder) hostErratum(e *katprep.HostErratum) {
	d.object(erratumFields, func(i int) {
		if i == 0 {
			e.ID = d.string()
		} else {
			e.Installable = d.bool()
		}
	})
}

func (d *Decoder) update(u *katprep.Update) {
	d.object(updateFields, func(i int) {
		switch i {
		case 0:
			u.Name = d.string()
		case 1:
			u.Arch = d.string()
		case 2:
			u.From = katprep.EVR(d.string())
		case 3:
			u.To = katprep.EVR(d.string())
		case 4:
			u.Origin = d.string()
		case 5:
			u.Security = d.bool()
		case 6:
			u.Errata = d.strings()
		case 7:
			u.CVEs = d.strings()
		}
	})
}

func (d *Decoder) process(p *katprep.Process) {
	d.textFields(processFields, &p.Name, &p.Unit)
}

func (d *Decoder) pkg(p *katprep.Package) {
	d.object(packageFields, func(i int) {
		switch i {
		case 0:
			p.Name = d.string()
		case 1:
			p.EVR = katprep.EVR(d.string())
		case 2:
			p.Arch = d.string()
		case 3:
			p.Source = d.string()
		case 4:
			p.Vendor = d.string()
		case 5:
			p.Installed = d.time()
		case 6:
			p.Held = d.bool()
		}
	})
}
