package inventory

import (
	"fmt"
	"strings"

	"github.com/stdevel/katprep/internal/sshx"
)

// makeHost reads the connection variables; nil means that the host is not
// reached over SSH.
func makeHost(name string, v vars) (*Host, error) {
	switch c := v["ansible_connection"]; c {
	case "", "ssh", "smart", "paramiko", "paramiko_ssh":
	default:
		return nil, nil
	}
	h := Host{Host: sshx.Host{Name: name, Address: first(v, "ansible_host", "ansible_ssh_host"), User: first(v, "ansible_user", "ansible_ssh_user")}}
	for k, value := range v {
		if strings.HasPrefix(k, "ansible_") && strings.Contains(value, "{{") && isUsed(k) {
			return nil, fmt.Errorf("host %s: %s is a template, which is not rendered here", name, k)
		}
	}
	if h.Address != "" {
		if err := sshx.CheckName(h.Address); err != nil {
			return nil, fmt.Errorf("host %s: %w", name, err)
		}
	}
	if h.User != "" {
		if err := sshx.CheckUser(h.User); err != nil {
			return nil, fmt.Errorf("host %s: %w", name, err)
		}
	}
	if p := first(v, "ansible_port", "ansible_ssh_port"); p != "" {
		port, err := sshx.ParsePort(p)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", name, err)
		}
		h.Port = port
	}
	if f := first(v, "ansible_ssh_private_key_file", "ansible_private_key_file"); f != "" {
		h.Identity = []string{f}
	}
	if b := v["ansible_become"]; b != "" {
		yes := isTrue(b)
		h.Become = &yes
	}
	var err error
	h.Jump, err = proxyJump(v["ansible_ssh_common_args"] + " " + v["ansible_ssh_extra_args"])
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	return &h, nil
}

func isUsed(k string) bool {
	switch strings.Replace(k, "ansible_ssh_", "ansible_", 1) {
	case "ansible_host", "ansible_user", "ansible_port", "ansible_private_key_file", "ansible_become", "ansible_connection", "ansible_common_args", "ansible_extra_args":
		return true
	}
	return false
}

// proxyJump finds the jump host in arguments for ssh. Arguments that would
// run a command are refused, others are left to the ssh configuration.
func proxyJump(args string) (string, error) {
	words, err := fields(args)
	if err != nil {
		return "", err
	}
	jump := ""
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case (w == "-J" || w == "-o") && i+1 < len(words):
			i++
			w += words[i]
		case !strings.HasPrefix(w, "-J") && !strings.HasPrefix(w, "-o"):
			continue
		}
		if strings.HasPrefix(w, "-J") {
			jump = w[2:]
			continue
		}
		k, value, _ := strings.Cut(strings.TrimSpace(w[2:]), "=")
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "proxyjump":
			jump = strings.TrimSpace(value)
		case "proxycommand":
			return "", fmt.Errorf("ProxyCommand is not run by katprep: use ProxyJump")
		}
	}
	if jump == "" || jump == "none" {
		return jump, nil
	}
	for part := range strings.SplitSeq(jump, ",") {
		if _, err := sshx.ParseHost(part); err != nil {
			return "", fmt.Errorf("jump host: %w", err)
		}
	}
	return jump, nil
}

func first(v vars, keys ...string) string {
	for _, k := range keys {
		if v[k] != "" {
			return v[k]
		}
	}
	return ""
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "1", "on", "y", "t":
		return true
	}
	return false
}
