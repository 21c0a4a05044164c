package vers

import "strings"

// Deb compares two "[epoch:]upstream[-revision]" as dpkg does. A missing
// epoch or revision is 0.
func Deb(a, b string) int {
	ea, ua, ra := splitDeb(a)
	eb, ub, rb := splitDeb(b)
	if c := debPart(ea, eb); c != 0 {
		return c
	}
	if c := debPart(ua, ub); c != 0 {
		return c
	}
	return debPart(ra, rb)
}

func splitDeb(s string) (epoch, upstream, revision string) {
	if e, rest, ok := strings.Cut(s, ":"); ok && e != "" && strings.Trim(e, "0123456789") == "" {
		epoch, s = e, rest
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}

// debPart compares alternating runs of other characters and digits.
func debPart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if c := debOrder(a) - debOrder(b); c != 0 {
				return sign(c)
			}
			a, b = a[1:], b[1:] // equal orders of non-digits: neither is at its end
		}
		var na, nb string
		na, a = number(a)
		nb, b = number(b)
		if c := compareNumbers(na, nb); c != 0 {
			return c
		}
	}
	return 0
}

// debOrder ranks the first character: '~' before the end, the end (and
// digits) before letters, letters before everything else.
func debOrder(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case isAlpha(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}
