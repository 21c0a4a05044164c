package mask

import "testing"

// BenchmarkSecret judges what a host typically says of itself.
func BenchmarkSecret(b *testing.B) {
	r := &Rules{}
	facts := []struct{ name, value string }{
		{"networking::interfaces::eth0::mac", "52:54:00:12:34:56"}, {"os::distro::description", "Red Hat Enterprise Linux release 9.4 (Plow)"},
		{"mountpoints::/var/log::options", "rw,seclabel,relatime,attr2,inode64,logbufs=8,logbsize=32k,noquota"}, {"katprep_owner", "ann"},
		{"ssh::ed25519::fingerprints::sha256", "SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"timezone", "UTC"}, {"uptime_seconds", "123456"}, {"subscription_status", "Fully entitled"},
	}
	for b.Loop() {
		for _, f := range facts {
			if why := r.Secret(f.name, f.value); why != "" {
				b.Fatal(f, why)
			}
		}
	}
}
