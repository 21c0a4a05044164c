// Package object writes and reads the objects of Git that an archive is made
// of: hashes, trees, commits and annotated tags. It knows bytes, not files.
package object

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Size is the length of a hash in bytes.
const Size = sha1.Size

// A Hash names an object: the SHA-1 of its kind, length and content.
type Hash [Size]byte

// String returns the hash as 40 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether the hash names nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 40 lower-case hexadecimal digits.
func ParseHash(s string) (h Hash, ok bool) {
	if len(s) != 2*Size || !isLowerHex(s) {
		return h, false
	}
	_, err := hex.Decode(h[:], []byte(s))
	return h, err == nil
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// A Kind is the type of an object, numbered as in pack files.
type Kind uint8

// The kinds of object.
const (
	CommitKind Kind = 1
	TreeKind   Kind = 2
	BlobKind   Kind = 3
	TagKind    Kind = 4
)

// String returns Git's word for the kind.
func (k Kind) String() string {
	switch k {
	case CommitKind:
		return "commit"
	case TreeKind:
		return "tree"
	case BlobKind:
		return "blob"
	case TagKind:
		return "tag"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind reads Git's word for a kind.
func ParseKind(s string) (Kind, bool) {
	for k := CommitKind; k <= TagKind; k++ {
		if k.String() == s {
			return k, true
		}
	}
	return 0, false
}

// Sum returns the hash of an object.
func Sum(k Kind, content []byte) Hash {
	var buf [40]byte
	head := append(buf[:0], k.String()...)
	head = append(head, ' ')
	head = strconv.AppendInt(head, int64(len(content)), 10)
	head = append(head, 0)
	d := sha1.New()
	d.Write(head)
	d.Write(content)
	var h Hash
	d.Sum(h[:0])
	return h
}
