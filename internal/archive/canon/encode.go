package canon

import (
	"maps"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// A writer appends canonical JSON. It exists because states are most of what
// an archive is made of: by hand they take a tenth of the time of
// encoding/json, for the same bytes as Encode (a test holds that).
type writer struct {
	b     []byte
	first bool // nothing is in the present container yet
	depth int  // of broken containers

	strange bool          // a package is not as Normalize leaves it, or may not be
	last    int64         // seconds
	stamp   [timeLen]byte // the text of last, once there was one

	common      string // the text that again had last
	plainCommon bool
}

// EncodeState returns a normalized state in canonical form.
func EncodeState(s *katprep.State) []byte { return AppendState(nil, s) }

// AppendState appends a normalized state in canonical form.
func AppendState(b []byte, s *katprep.State) []byte {
	w := newWriter(b, s)
	w.state(s)
	return append(w.b, '\n')
}

// Append appends the canonical form of any state: it is Normalize and
// AppendState, but looks at the packages, which are most of a state, only
// once if they are in order already.
func Append(b []byte, s *katprep.State) []byte {
	normalizeRest(s)
	delivered := s.Packages
	if !packagesSorted(s.Packages) {
		s.Packages = sorted(s.Packages, katprep.ComparePackages)
	}
	w := newWriter(b, s)
	w.state(s)
	if !w.strange {
		return append(w.b, '\n')
	}
	s.Packages = delivered
	normalizePackages(s)
	return AppendState(w.b[:len(b)], s)
}

func newWriter(b []byte, s *katprep.State) *writer {
	return &writer{b: slices.Grow(b, 1024+len(s.Packages)*280+len(s.Errata)*64+len(s.Updates)*200)}
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

// pkg is written most of all, so it is spelled out. It notes what would have
// to be normalized first.
func (w *writer) pkg(p *katprep.Package) {
	b := append(w.b, `{"name":`...)
	b = w.sortKey(b, p.Name)
	b = append(b, `,"evr":`...)
	b = w.sortKey(b, string(p.EVR))
	if p.Arch != "" {
		b = append(b, `,"arch":`...)
		b = w.sortKey(b, p.Arch)
	}
	if p.Source != "" {
		b = append(b, `,"source":`...)
		b = appendString(b, p.Source)
	}
	if p.Vendor != "" {
		b = append(b, `,"vendor":`...)
		b = w.again(b, p.Vendor)
	}
	if !p.Installed.IsZero() {
		b = append(b, `,"installed":`...)
		b = w.second(b, p.Installed)
	}
	if p.Held {
		b = append(b, `,"held":true`...)
	}
	w.b = append(b, '}')
}

// again appends a text that many packages in a row have in common, which is
// looked at once.
func (w *writer) again(b []byte, s string) []byte {
	if s != w.common {
		w.common, w.plainCommon = s, plainText(s)
	}
	if !w.plainCommon {
		return appendString(b, s)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// sortKey appends a text that must be valid UTF-8 before packages are sorted
// by it. A mere quote in it counts as strange too: it is as rare.
func (w *writer) sortKey(b []byte, s string) []byte {
	if plainText(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	w.strange = true
	return appendString(b, s)
}
