package creds

import (
	"net/url"
	"strings"
)

// Place returns how the predecessor named a system in its container: host and
// port of its URL, with a user if the URL has one.
func Place(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return rawURL
	}
	if u.User != nil {
		return u.User.Username() + "@" + u.Host
	}
	return u.Host
}

// NameFor returns what an entry of a container is called here: the credential
// of the configured system that lives there (known: place → credential), or
// else the entry's own name, made fit for the configuration.
func NameFor(host string, known map[string]string) string {
	if name := known[host]; name != "" {
		return name
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, host)
	name = strings.TrimLeft(name, ".-_")
	if name == "" {
		return "imported"
	}
	return name[:min(len(name), 64)]
}
