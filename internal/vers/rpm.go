package vers

import "strings"

// RPM compares two "[epoch:]version[-release]" as rpm does, with '~' before
// and '^' after everything else. A missing epoch is 0; a version without a
// release is older than the same with one.
func RPM(a, b string) int {
	ea, va, ra, hasA := splitRPM(a)
	eb, vb, rb, hasB := splitRPM(b)
	if c := rpmSegments(ea, eb); c != 0 {
		return c
	}
	if c := rpmSegments(va, vb); c != 0 {
		return c
	}
	switch {
	case hasA && hasB:
		return rpmSegments(ra, rb)
	case hasA:
		return 1
	case hasB:
		return -1
	}
	return 0
}

// splitRPM finds the parts as rpm's own parser does: the epoch is what digits
// stand before the first ':', the release what follows the last '-'.
func splitRPM(s string) (epoch, version, release string, hasRelease bool) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	epoch, version = "0", s
	if n < len(s) && s[n] == ':' {
		if n > 0 {
			epoch = s[:n]
		}
		version = s[n+1:]
	}
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		return epoch, version[:i], version[i+1:], true
	}
	return epoch, version, "", false
}

// rpmSegments compares two versions or releases: runs of digits or letters,
// one after the other; what stands between them does not count.
func rpmSegments(a, b string) int {
	for {
		a, b = skipSeparators(a), skipSeparators(b)
		c, a2, b2, marks := rpmMarks(a, b)
		if c != 0 {
			return c
		}
		if marks {
			a, b = a2, b2
			continue
		}
		if a == "" || b == "" {
			return sign(len(a) - len(b))
		}
		if c, a, b = rpmSegment(a, b); c != 0 {
			return c
		}
	}
}

// rpmMarks handles '~' (older than anything, even the end) and '^' (newer
// than the end, older than anything else). marks says that both had the same
// and that the rests go on.
func rpmMarks(a, b string) (c int, restA, restB string, marks bool) {
	switch ta, tb := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~"); {
	case ta && tb:
		return 0, a[1:], b[1:], true
	case ta:
		return -1, "", "", false
	case tb:
		return 1, "", "", false
	}
	switch ca, cb := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^"); {
	case ca && cb:
		return 0, a[1:], b[1:], true
	case ca && b == "", cb && a != "":
		return 1, "", "", false
	case ca || cb:
		return -1, "", "", false
	}
	return 0, a, b, false
}

// rpmSegment compares the first segments; numbers are newer than letters.
func rpmSegment(a, b string) (c int, restA, restB string) {
	numA, numB := isDigit(a[0]), isDigit(b[0])
	switch {
	case numA && !numB:
		return 1, "", ""
	case numB && !numA:
		return -1, "", ""
	case numA:
		da, ra := number(a)
		db, rb := number(b)
		return compareNumbers(da, db), ra, rb
	}
	la, ra := letters(a)
	lb, rb := letters(b)
	return strings.Compare(la, lb), ra, rb
}

func letters(s string) (head, rest string) {
	n := 0
	for n < len(s) && isAlpha(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

func skipSeparators(s string) string {
	for s != "" && !isDigit(s[0]) && !isAlpha(s[0]) && s[0] != '~' && s[0] != '^' {
		s = s[1:]
	}
	return s
}
