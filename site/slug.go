package site

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/stdevel/katprep"
)

// hostSlug names a host's folder. It follows from the host alone, so that
// links stay what they are whatever other hosts come and go; the hash tells
// hosts of one name apart.
func hostSlug(h katprep.Host) string {
	name := safe(strings.ToLower(h.Name), 80)
	return name + "-" + hash(h.Source+"\x00"+h.ID+"\x00"+h.Name, 6)
}

// idSlug names the page of an erratum, a CVE or a run.
func idSlug(id string) string {
	s := safe(strings.ReplaceAll(id, ":", "_"), 80)
	if strings.ReplaceAll(s, "_", ":") == id {
		return s
	}
	return s + "-" + hash(id, 8)
}

func runSlug(r katprep.RunID) string {
	if r.Valid() {
		return string(r)
	}
	return idSlug(string(r))
}

// safe keeps letters, digits, '.', '-' and '_' of a name, and what no file
// system takes for something else.
func safe(s string, limit int) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s) && i < limit; i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && len(b) > 0 && b[len(b)-1] != '.':
			b = append(b, c)
		default:
			b = append(b, '-')
		}
	}
	out := string(b)
	first, _, _ := strings.Cut(out, ".")
	if first == "" || first[0] == '-' || reserved(first) {
		out = "x" + out
	}
	return out
}

// reserved reports names that Windows keeps for devices.
func reserved(s string) bool {
	switch s = strings.ToLower(s); s {
	case "con", "prn", "aux", "nul", "index", "hosts", "errata", "journal", "checklist":
		return true
	}
	return len(s) == 4 && (s[:3] == "com" || s[:3] == "lpt") && s[3] >= '0' && s[3] <= '9'
}

func hash(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}
