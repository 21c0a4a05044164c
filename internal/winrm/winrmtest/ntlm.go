package winrmtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"unicode/utf16"

	//lint:ignore SA1019 NTLM is made of it
	"golang.org/x/crypto/md4"
)

// A login belongs to a connection.
type login struct{ done bool }

var challenge = []byte("\x01\x23\x45\x67\x89\xab\xcd\xef")

// authenticated lets a request in, or says what is wanted.
func (h *Host) authenticated(w http.ResponseWriter, r *http.Request) bool {
	l := h.logins[r.RemoteAddr]
	if l == nil {
		l = &login{}
		h.logins[r.RemoteAddr] = l
	}
	if l.done {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	data, _ := base64.StdEncoding.DecodeString(token)
	switch {
	case h.Basic && scheme == "Basic" && string(data) == h.User+":"+h.Password:
		return true
	case h.Basic:
		w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
	case bytes.HasPrefix(data, []byte("NTLMSSP\x00\x01")):
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(typeTwo()))
	case bytes.HasPrefix(data, []byte("NTLMSSP\x00\x03")):
		if l.done = h.proven(data); l.done {
			return true
		}
		fallthrough
	default:
		w.Header().Set("WWW-Authenticate", "Negotiate")
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// typeTwo is the challenge, with the name of the domain.
func typeTwo() []byte {
	const flags = 0x00000001 | 0x00000004 | 0x00000200 | 0x00008000 | 0x00800000 // Unicode, target, NTLM, sign, target info
	name := wide("WIN")
	info := slicesOf(uint16(2), uint16(len(name)), name, uint16(0), uint16(0))
	return slicesOf([]byte("NTLMSSP\x00"), uint32(2), uint16(len(name)), uint16(len(name)), uint32(48), uint32(flags), challenge, uint64(0),
		uint16(len(info)), uint16(len(info)), uint32(48+len(name)), name, info)
}

func slicesOf(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		_ = binary.Write(&b, binary.LittleEndian, p)
	}
	return b.Bytes()
}

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// field reads a variable field of an NTLM message.
func field(data []byte, at int) []byte {
	if len(data) < at+8 {
		return nil
	}
	length, offset := int(binary.LittleEndian.Uint16(data[at:])), int(binary.LittleEndian.Uint32(data[at+4:]))
	if offset+length > len(data) {
		return nil
	}
	return data[offset : offset+length]
}

// proven checks an NTLMv2 response, as section 3.3.2 of MS-NLMP defines it.
func (h *Host) proven(message []byte) bool {
	response, domain, user := field(message, 20), field(message, 28), field(message, 36)
	if len(response) < 16 || !strings.EqualFold(string(user), string(wide(h.User))) {
		return false
	}
	hash := md4.New()
	hash.Write(wide(h.Password))
	key := keyed(hash.Sum(nil), wide(strings.ToUpper(h.User)), domain)
	return hmac.Equal(response[:16], keyed(key, challenge, response[16:]))
}

func keyed(key []byte, parts ...[]byte) []byte {
	m := hmac.New(md5.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
