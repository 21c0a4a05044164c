package probe

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// A Host is what a host says of itself, without any package manager.
type Host struct {
	UID       string
	Hostname  string
	Kernel    string // uname -r
	Arch      string // uname -m
	MachineID string
	UUID      string
	Hardware  katprep.Hardware
	Boot      katprep.Boot
}

// ParseHost reads the section "host": lines "key=value".
func ParseHost(data string) Host {
	kv := map[string]string{}
	for line := range lines(data) {
		if k, v, ok := strings.Cut(line, "="); ok {
			kv[k] = Clean(v)
		}
	}
	h := Host{
		UID: kv["uid"], Hostname: kv["hostname"], Kernel: kv["kernel"], Arch: kv["arch"],
		MachineID: kv["machine_id"], UUID: strings.ToLower(kv["uuid"]),
		Hardware: hardware(kv["container"], kv["virt"]),
		Boot:     katprep.Boot{ID: kv["boot_id"]},
	}
	h.Boot.Time = unix(kv["btime"])
	return h
}

func hardware(container, virt string) katprep.Hardware {
	switch {
	case container != "" && container != "none":
		return katprep.Container
	case virt != "" && virt != "none":
		return katprep.Virtual
	case virt == "none":
		return katprep.Physical
	}
	return katprep.HardwareUnknown
}

// unix reads seconds since 1970; anything else is the zero time.
func unix(s string) time.Time {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// ParseOSRelease reads /etc/os-release.
func ParseOSRelease(data string) katprep.OS {
	kv := map[string]string{}
	for line := range lines(data) {
		k, v, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(k, "#") {
			kv[strings.TrimSpace(k)] = Clean(unquote(strings.TrimSpace(v)))
		}
	}
	os := katprep.OS{ID: kv["ID"], Version: kv["VERSION_ID"], Name: kv["PRETTY_NAME"]}
	if os.Name == "" {
		os.Name = strings.TrimSpace(kv["NAME"] + " " + kv["VERSION"])
	}
	return os
}

// unquote undoes the quoting of shell assignments that os-release allows.
func unquote(v string) string {
	if len(v) >= 2 && v[0] == '\'' && v[len(v)-1] == '\'' {
		return v[1 : len(v)-1]
	}
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(v)
}

// A Net is a host's own addresses: those it would use to reach the world, or
// its first ones.
type Net struct {
	IP  string
	IP6 string
	MAC string
}

// ParseNet reads "ip -o route get", "ip -o link" and "ip -o addr".
func ParseNet(data string) Net {
	var n Net
	mac := map[string]string{}
	dev := ""
	for line := range lines(data) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		iface, _, _ := strings.Cut(strings.TrimSuffix(f[1], ":"), "@")
		switch {
		case after(f, "link/ether") != "":
			mac[iface] = after(f, "link/ether")
		case f[2] == "inet" || f[2] == "inet6":
			n.address(f, iface, &dev)
		case after(f, "src") != "":
			n.IP, dev = address(after(f, "src")), after(f, "dev")
		}
	}
	n.MAC = mac[dev]
	return n
}

func (n *Net) address(f []string, iface string, dev *string) {
	if *dev == "" {
		*dev = iface
	}
	if iface != *dev || after(f, "temporary") != "" || after(f, "deprecated") != "" {
		return // privacy addresses change every day
	}
	a := address(f[3])
	switch {
	case f[2] == "inet" && n.IP == "":
		n.IP = a
	case f[2] == "inet6" && n.IP6 == "":
		n.IP6 = a
	}
}

// after returns the word that follows word w.
func after(f []string, w string) string {
	for i, x := range f[:len(f)-1] {
		if x == w {
			return f[i+1]
		}
	}
	return ""
}

func address(s string) string {
	s, _, _ = strings.Cut(s, "/")
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsLoopback() {
		return ""
	}
	return a.String()
}

// ParseStale reads the section "stale". denied is true if some processes
// could not be looked into.
func ParseStale(data string) (ps []katprep.Process, denied bool) {
	for line := range lines(data) {
		if line == "=denied" {
			denied = true
			continue
		}
		name, unit, _ := strings.Cut(line, "\t")
		if name = Clean(name); name != "" {
			ps = append(ps, katprep.Process{Name: name, Unit: Clean(unit)})
		}
	}
	return sortedProcesses(ps), denied
}
