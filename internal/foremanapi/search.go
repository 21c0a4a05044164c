package foremanapi

import "strings"

// Quote makes a value of a search term of untrusted text.
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
