package creds

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// containerKeys derives the 32 byte keys that the predecessor can have used
// for a password: filled up with zeros on the left, behind a sign, and cut to
// the last 32. Python 2 counted bytes and Python 3 characters, which differs
// for passwords beyond ASCII.
func containerKeys(password string) [][]byte {
	runes := []rune(password)
	byChar := string(lastOf(zeroFill(runes, 32), 32))
	byByte := string(lastOf(zeroFill([]byte(password), 32), 32))
	var keys [][]byte
	for _, k := range []string{byByte, byChar} {
		if len(k) == 32 && (len(keys) == 0 || string(keys[0]) != k) {
			keys = append(keys, []byte(k))
		}
	}
	return keys
}

// zeroFill is Python's zfill: zeros go behind a leading sign.
func zeroFill[T byte | rune](s []T, n int) []T {
	if len(s) >= n {
		return s
	}
	sign := 0
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		sign = 1
	}
	filled := append([]T{}, s[:sign]...)
	for range n - len(s) {
		filled = append(filled, '0')
	}
	return append(filled, s[sign:]...)
}

func lastOf[T any](s []T, n int) []T { return s[max(0, len(s)-n):] }

// fernet decrypts a token: version, 8 bytes of time, IV, AES-128-CBC with
// PKCS #7 padding, HMAC-SHA-256 over all of it. The first half of the key
// signs, the second encrypts.
func fernet(token string, key []byte) (string, bool) {
	b, err := base64.URLEncoding.DecodeString(pad(token))
	const head, tail = 1 + 8 + aes.BlockSize, sha256.Size
	if err != nil || len(b) < head+aes.BlockSize+tail || b[0] != 0x80 || (len(b)-head-tail)%aes.BlockSize != 0 {
		return "", false
	}
	signed, sum := b[:len(b)-tail], b[len(b)-tail:]
	mac := hmac.New(sha256.New, key[:16])
	mac.Write(signed)
	if !hmac.Equal(mac.Sum(nil), sum) {
		return "", false
	}
	block, err := aes.NewCipher(key[16:])
	if err != nil {
		return "", false
	}
	plain := make([]byte, len(signed)-head)
	cipher.NewCBCDecrypter(block, signed[9:head]).CryptBlocks(plain, signed[head:])
	return unpad(plain)
}

func unpad(plain []byte) (string, bool) {
	n := int(plain[len(plain)-1])
	if n < 1 || n > aes.BlockSize || n > len(plain) {
		return "", false
	}
	for _, c := range plain[len(plain)-n:] {
		if int(c) != n {
			return "", false
		}
	}
	return string(plain[:len(plain)-n]), true
}

// pad restores the base64 padding that some tools cut off.
func pad(token string) string {
	token = strings.TrimRight(token, "=")
	return token + strings.Repeat("=", -len(token)&3)
}
