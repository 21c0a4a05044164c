// Package names makes paths of names from outside. Every name has exactly
// one path, different names have different paths, also where upper and lower
// case are the same, and no path can mean anything to Git, a shell or an
// operating system.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const (
	// maxName bounds an encoded name; with a source's suffix it stays below
	// the 255 bytes that file systems allow.
	maxName = 160
	// cutName is what is kept of a longer one, before the hash.
	cutName = 80
	none    = "_" // stands for an empty name or domain
)

// Host returns the path of a host's file: hosts/<domain>/<host>.json. It
// depends on nothing but the name.
func Host(name string) string { return HostDir(name) + "/" + Stem(name) + ".json" }

// HostDir returns the folder of a host's file.
func HostDir(name string) string {
	_, domain := split(name)
	return "hosts/" + encode(domain, false)
}

// Twin returns the path of a host whose name another host of the same
// snapshot has already.
func Twin(name, source, id string, again bool) string {
	suffix := encode(source, false)
	if again { // one source has the name twice
		suffix += "@" + encode(id, false)
	}
	if len(suffix) > 80 {
		suffix = suffix[:40] + "%-" + digest(source+"\x00"+id)
	}
	return HostDir(name) + "/" + Stem(name) + "@" + suffix + ".json"
}

// IsHost reports whether a file of [HostDir] belongs to a host of the name:
// its own file or a twin's.
func IsHost(file, name string) bool {
	rest, ok := strings.CutPrefix(file, Stem(name))
	return ok && strings.HasSuffix(rest, ".json") && (rest == ".json" || rest[0] == '@')
}

// Stem returns what the names of all files of a host begin with.
func Stem(name string) string {
	label, _ := split(name)
	return encode(label, false)
}

// split parts a name at its first dot. What has no domain, or an empty one,
// stays whole.
func split(name string) (label, domain string) {
	label, domain, _ = strings.Cut(name, ".")
	if domain == "" {
		return name, ""
	}
	return label, domain
}

// Erratum returns the path of an advisory: errata/<series>/<id>.json. The
// series is the ID up to its year, or its first word.
func Erratum(id string) string {
	return "errata/" + encode(series(id), true) + "/" + encode(id, true) + ".json"
}

func series(id string) string {
	first := ""
	at := 0
	for part := range strings.FieldsFuncSeq(id, func(r rune) bool { return r == '-' || r == ':' }) {
		at = at + strings.Index(id[at:], part) + len(part)
		if first == "" {
			first = id[:at]
		}
		if isYear(part) {
			return id[:at]
		}
	}
	return first
}

func isYear(s string) bool {
	if len(s) != 4 || s[:2] != "19" && s[:2] != "20" {
		return false
	}
	return isDigit(s[2]) && isDigit(s[3])
}

// Run returns the folder of a run: runs/<id>.
func Run(id string) string { return "runs/" + encode(id, false) }

// encode makes one component of a path. Letters are written in lower case;
// '+' switches the case of those that follow, which begins as upper says.
// Other bytes than letters, digits, '-', '_' and '.' become %xx.
func encode(s string, upper bool) string {
	if s == "" {
		return none
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case isLower(c) || isUpper(c):
			if isUpper(c) != upper {
				b.WriteByte('+')
				upper = !upper
			}
			b.WriteByte(c | 0x20)
		case isDigit(c) || c == '-' && i > 0 || c == '_' && s != none || c == '.' && i > 0 && i < len(s)-1:
			b.WriteByte(c)
		default:
			escape(&b, c)
		}
	}
	out := b.String()
	if device(out) { // "con" is a device to Windows, and so is "con.json"
		b.Reset()
		escape(&b, out[0])
		out = b.String() + out[1:]
	}
	if len(out) > maxName {
		out = out[:cutName] + "%-" + digest(s) // "%-" is in no other name
	}
	return out
}

func escape(b *strings.Builder, c byte) {
	const digits = "0123456789abcdef"
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&0xf])
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func device(s string) bool {
	stem, _, _ := strings.Cut(s, ".")
	if len(stem) == 4 && (stem[:3] == "com" || stem[:3] == "lpt") {
		return isDigit(stem[3])
	}
	return slices.Contains([]string{"con", "prn", "aux", "nul", "conin$", "conout$"}, stem)
}

// RunID returns the run that a folder of runs/ belongs to; ok is false if it
// belongs to none.
func RunID(folder string) (id string, ok bool) {
	var b strings.Builder
	upper := false
	for i := 0; i < len(folder); i++ {
		c := folder[i]
		switch {
		case c == '+':
			upper = !upper
		case c == '%':
			n, err := hex.DecodeString(folder[i+1 : min(i+3, len(folder))])
			if err != nil || len(n) != 1 {
				return "", false
			}
			if isLower(n[0]) && upper {
				n[0] -= 'a' - 'A'
			}
			b.WriteByte(n[0])
			i += 2
		case isLower(c) && upper:
			b.WriteByte(c - 'a' + 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), encode(b.String(), false) == folder
}

// File returns one file name for any text, such as the path of an archive.
func File(text string) string { return encode(text, false) + ".json" }
