package render

import (
	"crypto/sha256"
	"encoding/base64"
)

// styleHash is the style sheet's source expression for a Content Security
// Policy: with it a page in one file needs no 'unsafe-inline'.
func styleHash() string {
	sum := sha256.Sum256([]byte(Style()))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
