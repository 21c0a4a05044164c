package canon

import (
	"time"
	"unicode/utf8"
)

// timeLen is the length of a time of whole seconds, with its quotes.
const timeLen = len(`"2006-01-02T15:04:05Z"`)

// second is appendTime for many times of which one is often like the last:
// packages are installed many at once.
func (w *writer) second(b []byte, t time.Time) []byte {
	sec := t.Unix()
	if t.Nanosecond() != 0 || sec < firstSecond || sec > lastSecond {
		w.strange = w.strange || !inUTC(&t)
		return appendTime(b, t)
	}
	if sec != w.last || w.stamp[0] == 0 {
		const aDay = 24 * 60 * 60
		midnight := w.last - floorMod(w.last, aDay)
		switch clock := int(sec - midnight); {
		case w.stamp[0] == 0 || clock < 0 || clock >= aDay:
			appendTime(w.stamp[:0], t)
		default:
			twoDigits(w.stamp[12:], clock/3600)
			twoDigits(w.stamp[15:], clock/60%60)
			twoDigits(w.stamp[18:], clock%60)
		}
		w.last = sec
	}
	return append(b, w.stamp[:]...)
}

func floorMod(n, by int64) int64 { return ((n % by) + by) % by }

// The first and the last second of years with four digits.
var (
	firstSecond = time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

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
	if plainText(s) {
		b = append(b, s...)
		return append(b, '"')
	}
	for s != "" {
		if c := s[0]; c < utf8.RuneSelf && plain[c] {
			b = append(b, c)
			s = s[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		b = appendOdd(b, s[:n], r)
		s = s[n:]
	}
	return append(b, '"')
}

const ones, tops = 0x0101010101010101, 0x8080808080808080

// plainText reports whether all bytes of s stand for themselves in a JSON
// string. It looks at eight at a time, the last ones twice if need be.
func plainText(s string) bool {
	var odd uint64
	switch n := len(s); {
	case n >= 8:
		for i := 0; i+8 <= n; i += 8 {
			odd |= oddBytes(load8(s, i))
		}
		odd |= oddBytes(load8(s, n-8))
	case n >= 4:
		odd = oddBytes(uint64(load4(s, 0)) | uint64(load4(s, n-4))<<32)
	default:
		for i := range n {
			if c := s[i]; c >= utf8.RuneSelf || !plain[c] {
				return false
			}
		}
	}
	return odd == 0
}

// oddBytes is zero if none of eight bytes is below ' ', '"', '\\', or above
// '~'. (A borrow or carry between bytes begins at one that is.)
func oddBytes(v uint64) uint64 {
	quote, slash := v^ones*'"', v^ones*'\\'
	return (v | (v - ones*' ') | (v + ones) | (quote - ones) | (slash - ones)) & tops
}

func load8(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load4(s string, i int) uint32 {
	s = s[i : i+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
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
