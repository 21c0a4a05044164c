package foremanapi

import "strings"

// Quote makes a value of a search term of untrusted text.
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Equal makes a term that finds exactly the value.
func Equal(field, value string) string { return field + " = " + Quote(value) }

// Like makes a term that finds at least what matches the glob pattern ('*'
// any text, '?' one character), without regard to case. It may find more.
func Like(field, pattern string) string {
	p := strings.NewReplacer("?", "*", "%", "*", "_", "*", `\`, "*").Replace(pattern)
	return field + " ~ " + Quote(p)
}

// Any joins terms of which one must hold; "" for none.
func Any(terms ...string) string { return join(" or ", terms) }

// All joins terms that must all hold; "" for none. Empty terms are left out.
func All(terms ...string) string { return join(" and ", terms) }

func join(op string, terms []string) string {
	var kept []string
	for _, t := range terms {
		if t != "" {
			kept = append(kept, t)
		}
	}
	if len(kept) < 2 {
		return strings.Join(kept, "")
	}
	return "(" + strings.Join(kept, op) + ")"
}
