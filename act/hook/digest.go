package hook

import (
	"crypto/sha256"
	"encoding/hex"
)

const digestLen = 32

// digest names a directory after untrusted text.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:digestLen]
}
