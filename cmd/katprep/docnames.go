package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
)

// documentNames gives each host a file name without extension that is safe on
// every file system. A plain host name stays as it is; any other, and the
// second host of a name, gets a hash of its identity.
type documentNames map[string]bool

var (
	plainName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,199}$`)
	deviceName = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
	unsafeRune = regexp.MustCompile(`[^A-Za-z0-9.-]`)
)

func (n documentNames) next(h katprep.Host) string {
	name := h.Name
	if !plainName.MatchString(name) || deviceName.MatchString(name) || strings.HasSuffix(name, ".") || n[name] {
		clean := unsafeRune.ReplaceAllString(name, "_")
		sum := sha256.Sum256([]byte(h.HostID.String() + "\x00" + name))
		name = "_" + clean[:min(len(clean), 80)] + "-" + hex.EncodeToString(sum[:6])
	}
	n[name] = true
	return name
}
