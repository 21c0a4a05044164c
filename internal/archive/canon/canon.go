// Package canon writes and reads the archive's JSON in its one canonical
// form: fields in the order of the types, maps sorted, one item of a list per
// line, a newline at the end. The same value has the same bytes, and a line
// diff of two files is a readable change.
//
// Objects are broken into lines; the items of lists are not, each is one
// line. Characters that a terminal would obey are written as \u escapes, so
// that "git show" of a file is harmless.
package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Encode returns a value in canonical form.
func Encode(v any) ([]byte, error) {
	compact, err := marshal(v)
	if err != nil {
		return nil, err
	}
	return append(layout(make([]byte, 0, len(compact)*5/4), compact), '\n'), nil
}

// EncodeLine returns a value as one line, for files of one value per line.
func EncodeLine(v any) ([]byte, error) {
	compact, err := marshal(v)
	if err != nil {
		return nil, err
	}
	return append(harmless(nil, compact), '\n'), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode reads a value; fields that the type does not have are ignored, for
// a newer program may have written them.
func Decode(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("not the JSON that is expected: %w", err)
	}
	return nil
}

// DecodeStrict is Decode for verification: unknown fields and anything after
// the value are errors.
func DecodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("not the JSON that is expected: %w", err)
	}
	if d.More() {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}

const indent = "                                "

func newline(out []byte, depth int) []byte {
	out = append(out, '\n')
	for n := 2 * depth; n > 0; n -= len(indent) {
		out = append(out, indent[:min(n, len(indent))]...)
	}
	return out
}

// layout breaks compact JSON into lines.
func layout(out, in []byte) []byte {
	depth := 0  // of objects that are broken
	inside := 0 // of containers within a list's item
	list := false
	for i := 0; i < len(in); i++ {
		c := in[i]
		switch c {
		case '"':
			end := stringEnd(in, i)
			out = harmless(out, in[i:end])
			i = end - 1
		case '{', '[':
			out = append(out, c)
			switch {
			case in[i+1] == '}' || in[i+1] == ']':
				i++
				out = append(out, in[i])
			case list:
				inside++
			default:
				depth++
				list = c == '['
				out = newline(out, depth)
			}
		case '}', ']':
			if inside > 0 {
				inside--
			} else {
				depth--
				list = false // lists hold no broken containers, so what is left is objects
				out = newline(out, depth)
			}
			out = append(out, c)
		case ',':
			out = append(out, c)
			if inside == 0 {
				out = newline(out, depth)
			}
		case ':':
			out = append(out, c)
			if !list {
				out = append(out, ' ')
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// stringEnd returns the position after the string that begins at i.
func stringEnd(in []byte, i int) int {
	for i++; in[i] != '"'; i++ {
		if in[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// harmless appends JSON text with the characters escaped that terminals obey
// or that turn the direction of text around.
func harmless(out, in []byte) []byte {
	for i := 0; i < len(in); {
		if in[i] < 0x7f {
			j := i + 1
			for j < len(in) && in[j] < 0x7f {
				j++
			}
			out = append(out, in[i:j]...)
			i = j
			continue
		}
		r, n := utf8.DecodeRune(in[i:])
		if obeyed(r) {
			out = appendEscape(out, r)
		} else {
			out = append(out, in[i:i+n]...)
		}
		i += n
	}
	return out
}

// obeyed also holds for U+FFFD, which stands for bytes that were no text and
// is thus always written in one way.
func obeyed(r rune) bool {
	return r == 0xfffd || r >= 0x7f && r <= 0x9f || r >= 0x200e && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func appendEscape(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
