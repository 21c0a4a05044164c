package canon

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/stdevel/katprep"
)

// A writer appends canonical JSON. It exists because states are most of what
// an archive is made of: by hand they take a tenth of the time of
// encoding/json, for the same bytes as Encode (a test holds that).
type writer struct {
	b     []byte
	first bool // nothing is in the present container yet
	depth int  // of broken containers
}

// EncodeState returns a normalized state in canonical form.
func EncodeState(s *katprep.State) []byte { return AppendState(nil, s) }

// AppendState appends a normalized state in canonical form.
func AppendState(b []byte, s *katprep.State) []byte {
	w := writer{b: slices.Grow(b, 1024+len(s.Packages)*240+len(s.Errata)*64+len(s.Updates)*200)}
	w.state(s)
	return append(w.b, '\n')
}

func (w *writer) open(c byte) {
	w.b = append(w.b, c)
	w.depth++
	w.first = true
}

// shut ends a broken container; an empty one stays on its line.
func (w *writer) shut(c byte) {
	w.depth--
	if !w.first {
		w.b = newline(w.b, w.depth)
	}
	w.b = append(w.b, c)
	w.first = false
}

// item begins an item of a broken container.
func (w *writer) item() {
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
	w.b = newline(w.b, w.depth)
}

// field begins a field of a broken object.
func (w *writer) field(name string) {
	w.item()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, `": `...)
}

func (w *writer) text(name, value string) {
	w.field(name)
	w.b = appendString(w.b, value)
}

// some writes a field unless it is empty.
func (w *writer) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// key begins a field within an item, which is one line.
func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) in(name, value string) {
	w.key(name)
	w.b = appendString(w.b, value)
}

func (w *writer) inSome(name, value string) {
	if value != "" {
		w.in(name, value)
	}
}

func (w *writer) inTime(name string, t time.Time) {
	if !t.IsZero() {
		w.key(name)
		w.b = appendTime(w.b, t)
	}
}

func (w *writer) inTrue(name string, v bool) {
	if v {
		w.key(name)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) inList(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	w.b = append(w.b, '[')
	for i, s := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, s)
	}
	w.b = append(w.b, ']')
}

// items writes a list, one item per line, unless it is empty.
func items[T any](w *writer, name string, list []T, one func(w *writer, v *T)) {
	if len(list) == 0 {
		return
	}
	w.field(name)
	w.open('[')
	for i := range list {
		w.item()
		one(w, &list[i])
	}
	w.shut(']')
}

func stringItem[T ~string](w *writer, s *T) { w.b = appendString(w.b, string(*s)) }

// object writes a field that is a broken object.
func (w *writer) object(name string, fields func()) {
	w.field(name)
	w.open('{')
	fields()
	w.shut('}')
}

func (w *writer) state(s *katprep.State) {
	w.open('{')
	w.text("source", s.Source)
	w.text("id", s.ID)
	w.text("name", s.Name)
	w.text("status", string(s.Status))
	items(w, "problems", s.Problems, (*writer).problem)
	items(w, "aspects", s.Aspects, stringItem[katprep.Aspect])
	w.object("facts", func() { w.facts(&s.Facts) })
	w.some("format", string(s.Format))
	w.object("kernel", func() {
		w.some("running", s.Kernel.Running)
		w.some("installed", s.Kernel.Installed)
	})
	w.object("boot", func() {
		w.some("id", s.Boot.ID)
		if !s.Boot.Time.IsZero() {
			w.field("time")
			w.b = appendTime(w.b, s.Boot.Time)
		}
	})
	w.object("reboot", func() {
		w.some("need", string(s.Reboot.Need))
		items(w, "reasons", s.Reboot.Reasons, stringItem[string])
	})
	items(w, "parameters", s.Parameters, (*writer).parameter)
	items(w, "repositories", s.Repositories, (*writer).repository)
	items(w, "errata", s.Errata, (*writer).hostErratum)
	items(w, "updates", s.Updates, (*writer).update)
	items(w, "processes", s.Processes, (*writer).process)
	items(w, "packages", s.Packages, (*writer).pkg)
	w.shut('}')
}

func (w *writer) facts(f *katprep.Facts) {
	w.object("os", func() {
		w.some("id", f.OS.ID)
		w.some("version", f.OS.Version)
		w.some("name", f.OS.Name)
	})
	w.some("arch", f.Arch)
	w.some("ip", f.IP)
	w.some("ip6", f.IP6)
	w.some("mac", f.MAC)
	w.some("uuid", f.UUID)
	w.some("machine_id", f.MachineID)
	w.some("hardware", string(f.Hardware))
	w.some("owner", f.Owner)
	w.some("owner_type", f.OwnerType)
	w.some("organization", f.Organization)
	w.some("location", f.Location)
	w.some("host_group", f.HostGroup)
	w.some("lifecycle_environment", f.Environment)
	w.some("content_view", f.ContentView)
	items(w, "host_collections", f.Collections, stringItem[string])
	w.some("comment", f.Comment)
	if len(f.Extra) > 0 {
		w.object("extra", func() {
			for _, k := range slices.Sorted(maps.Keys(f.Extra)) {
				w.item()
				w.b = appendString(w.b, k)
				w.b = append(w.b, ": "...)
				w.b = appendString(w.b, f.Extra[k])
			}
		})
	}
}

func (w *writer) problem(p *katprep.Problem) {
	w.b = append(w.b, '{')
	w.inSome("aspect", string(p.Aspect))
	w.in("message", p.Message)
	w.inTrue("warning", p.Warning)
	w.b = append(w.b, '}')
}

func (w *writer) parameter(p *katprep.Parameter) {
	w.b = append(w.b, '{')
	w.in("name", p.Name)
	w.in("value", p.Value)
	w.inSome("type", p.Type)
	w.inSome("origin", p.Origin)
	w.inTrue("masked", p.Masked)
	w.b = append(w.b, '}')
}

func (w *writer) repository(r *katprep.Repository) {
	w.b = append(w.b, '{')
	w.in("id", r.ID)
	w.inTime("refreshed", r.Refreshed)
	w.inSome("revision", r.Revision)
	w.b = append(w.b, '}')
}

func (w *writer) hostErratum(e *katprep.HostErratum) {
	w.b = append(w.b, '{')
	w.in("id", e.ID)
	w.key("installable")
	if e.Installable {
		w.b = append(w.b, "true}"...)
	} else {
		w.b = append(w.b, "false}"...)
	}
}

func (w *writer) update(u *katprep.Update) {
	w.b = append(w.b, '{')
	w.in("name", u.Name)
	w.inSome("arch", u.Arch)
	w.inSome("from", string(u.From))
	w.in("to", string(u.To))
	w.inSome("origin", u.Origin)
	w.inTrue("security", u.Security)
	w.inList("errata", u.Errata)
	w.inList("cves", u.CVEs)
	w.b = append(w.b, '}')
}

func (w *writer) process(p *katprep.Process) {
	w.b = append(w.b, '{')
	w.in("name", p.Name)
	w.inSome("unit", p.Unit)
	w.b = append(w.b, '}')
}

// pkg is written most of all, so it is spelled out.
func (w *writer) pkg(p *katprep.Package) {
	b := append(w.b, `{"name":`...)
	b = appendString(b, p.Name)
	b = append(b, `,"evr":`...)
	b = appendString(b, string(p.EVR))
	if p.Arch != "" {
		b = append(b, `,"arch":`...)
		b = appendString(b, p.Arch)
	}
	if p.Source != "" {
		b = append(b, `,"source":`...)
		b = appendString(b, p.Source)
	}
	if p.Vendor != "" {
		b = append(b, `,"vendor":`...)
		b = appendString(b, p.Vendor)
	}
	if !p.Installed.IsZero() {
		b = append(b, `,"installed":`...)
		b = appendTime(b, p.Installed)
	}
	if p.Held {
		b = append(b, `,"held":true`...)
	}
	w.b = append(b, '}')
}

func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if t.Nanosecond() != 0 || year < 1000 || year > 9999 {
		b = append(b, '"')
		b = t.AppendFormat(b, time.RFC3339Nano)
		return append(b, '"')
	}
	hour, minute, second := t.Clock()
	const form = `"2006-01-02T15:04:05Z"`
	n := len(b)
	b = append(b, form...)
	twoDigits(b[n+1:], year/100)
	twoDigits(b[n+3:], year%100)
	twoDigits(b[n+6:], int(month))
	twoDigits(b[n+9:], day)
	twoDigits(b[n+12:], hour)
	twoDigits(b[n+15:], minute)
	twoDigits(b[n+18:], second)
	return b
}

func twoDigits(b []byte, n int) {
	b[0], b[1] = '0'+byte(n/10), '0'+byte(n%10)
}

// appendString writes a JSON string as Encode does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		n := plainPrefix(s)
		b = append(b, s[:n]...)
		if s = s[n:]; s == "" {
			return append(b, '"')
		}
		r, n := utf8.DecodeRuneInString(s)
		b = appendOdd(b, s[:n], r)
		s = s[n:]
	}
}

// plainPrefix returns how many bytes of s, from the first on, stand for
// themselves in a JSON string. It looks at eight at a time.
func plainPrefix(s string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, slash := v^ones*'"', v^ones*'\\'
		// The top bit of a byte becomes set if it is below ' ', '"', '\\',
		// or above '~'; others may be set too, which the loop below sorts out.
		if (v|(v-ones*' ')|(v+ones)|(quote-ones)|(slash-ones))&tops != 0 {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || !plain[c] {
			break
		}
	}
	return i
}

func appendOdd(b []byte, s string, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(b, '\\', byte(r))
	case r == '\b':
		return append(b, `\b`...)
	case r == '\f':
		return append(b, `\f`...)
	case r == '\n':
		return append(b, `\n`...)
	case r == '\r':
		return append(b, `\r`...)
	case r == '\t':
		return append(b, `\t`...)
	case r < ' ' || r == 0x2028 || r == 0x2029 || obeyed(r):
		return appendEscape(b, r)
	}
	return append(b, s...)
}

// plain are the characters that stand for themselves in a JSON string.
var plain = func() (p [utf8.RuneSelf]bool) {
	for c := ' '; c < 0x7f; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()
