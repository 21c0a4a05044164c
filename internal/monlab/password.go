//go:build unix

package monlab

import (
	"crypto/md5"  // #nosec G501 -- what digest authentication is made of
	"crypto/sha1" // #nosec G505 -- what Apache's simplest hash is made of
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"syscall"
)

// basicUser is a line of a password file for basic authentication.
func basicUser(user, password string) string {
	sum := sha1.Sum([]byte(password)) // #nosec G401
	return fmt.Sprintf("%s:{SHA}%s\n", user, base64.StdEncoding.EncodeToString(sum[:]))
}

// digestUser is the same for digest authentication.
func digestUser(user, password string) string {
	sum := md5.Sum([]byte(user + ":Nagios4:" + password)) // #nosec G401
	return fmt.Sprintf("%s:Nagios4:%s\n", user, hex.EncodeToString(sum[:]))
}

func fifo(path string) error { return syscall.Mkfifo(path, 0o660) }
