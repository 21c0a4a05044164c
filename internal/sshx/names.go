package sshx

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
)

// CheckName refuses what is no host name or address: empty names, options
// ("-oProxyCommand=…"), anything a shell would read, and names too long.
func CheckName(name string) error {
	bad := func(why string) error {
		return katprep.Errorf(katprep.Invalid, "%.80q is no host name: %s", name, why)
	}
	switch {
	case name == "":
		return katprep.Errorf(katprep.Invalid, "a host name is empty")
	case len(name) > 253:
		return bad("it is longer than 253 characters")
	case name[0] == '-':
		return bad("it begins with '-'")
	}
	rest := name
	if a, err := netip.ParseAddr(name); err == nil {
		rest = a.Zone()
	}
	for _, c := range []byte(rest) {
		if !isNameByte(c) {
			return bad("letters, digits, '.', '-' and '_' are allowed")
		}
	}
	return nil
}

// CheckUser refuses what is no user name.
func CheckUser(user string) error {
	if user == "" || len(user) > 128 || user[0] == '-' {
		return katprep.Errorf(katprep.Invalid, "%.80q is no user name", user)
	}
	for _, c := range []byte(user) {
		if !isNameByte(c) && c != '@' && c != '+' {
			return katprep.Errorf(katprep.Invalid, "%.80q is no user name", user)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
}

// ParseHost reads "[user@]host[:port]", with IPv6 addresses in brackets when
// a port follows.
func ParseHost(s string) (Host, error) {
	var h Host
	rest := s
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		h.User, rest = rest[:i], rest[i+1:]
		if err := CheckUser(h.User); err != nil {
			return Host{}, err
		}
	}
	h.Name = rest
	if strings.HasPrefix(rest, "[") || strings.Count(rest, ":") == 1 {
		if host, port, err := net.SplitHostPort(rest); err == nil {
			h.Name = host
			if h.Port, err = ParsePort(port); err != nil {
				return Host{}, err
			}
		} else {
			h.Name = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
		}
	}
	return h, CheckName(h.Name)
}

// ParsePort reads a TCP port.
func ParsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, katprep.Errorf(katprep.Invalid, "%.20q is no port", s)
	}
	return n, nil
}
