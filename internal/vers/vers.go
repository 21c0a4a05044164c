// Package vers compares the versions of packages as rpm and dpkg do. Any text
// compares with any other; nothing is rejected, and equal does not mean
// identical ("1.0" and "1.00" are equal).
package vers

// deb is the name of Debian's packaging format; any other format compares as
// rpm does.
const deb = "deb"

// Compare returns -1, 0 or 1 as a is older than, equal to or newer than b in
// the packaging format "rpm" or "deb".
func Compare(format, a, b string) int {
	if format == deb {
		return Deb(a, b)
	}
	return RPM(a, b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// number splits leading digits off s, without leading zeros.
func number(s string) (digits, rest string) {
	i := 0
	for i < len(s) && s[i] == '0' {
		i++
	}
	n := i
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[i:n], s[n:]
}

// compareNumbers compares two runs of digits of any length without leading
// zeros.
func compareNumbers(a, b string) int {
	switch {
	case len(a) != len(b):
		return sign(len(a) - len(b))
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
