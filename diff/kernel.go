package diff

import (
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
)

// kernelPackage matches packages that hold a kernel or its modules, or that
// pull one in: their fix takes effect when that kernel runs.
var kernelPackage = regexp.MustCompile(`^(kernel(-(core|modules(-(core|extra|internal|partner))?|default(-base)?|azure|rt|uek|uki-virt|64k|16k|debug|lpae|zfcpdump|longterm))*|linux-image-.+)$`)

func isKernel(name string) bool { return kernelPackage.MatchString(name) }

// unameArch matches the architecture at the end of an RPM kernel's name, with
// what follows for a flavour: "….x86_64", "….aarch64+64k", "….x86_64+debug".
var unameArch = regexp.MustCompile(`\.(x86_64|aarch64|ppc64le|ppc64|s390x|i[3-6]86|armv7hl|riscv64)([+.].*)?$`)

// running returns the version of the kernel package that runs; ok is false
// if the host did not tell, or runs a kernel that no package can be found for.
func running(s *katprep.State, installed packages) (v katprep.EVR, ok bool) {
	if !knows(s, katprep.AspectKernel) || s.Kernel.Running == "" {
		return "", false
	}
	if s.Format == katprep.Deb {
		return runningDeb(s.Kernel.Running, installed)
	}
	name := unameArch.ReplaceAllString(s.Kernel.Running, "")
	if name != s.Kernel.Running {
		return katprep.EVR(name), true
	}
	return runningSUSE(name, installed)
}

// runningDeb finds the image package that is named after the kernel.
func runningDeb(uname string, installed packages) (katprep.EVR, bool) {
	for _, prefix := range []string{"linux-image-", "linux-image-unsigned-"} {
		if list := installed[prefix+uname]; len(list) > 0 {
			return highest(katprep.Deb, list).EVR, true
		}
	}
	return "", false
}

// runningSUSE finds "5.14.21-150500.55.19.1" for
// "5.14.21-150500.55.19-default": the last part of the release is not in the
// kernel's name.
func runningSUSE(uname string, installed packages) (katprep.EVR, bool) {
	at := strings.LastIndexByte(uname, '-')
	if at < 0 {
		return "", false
	}
	short, flavour := uname[:at], uname[at+1:]
	for _, name := range []string{"kernel-" + flavour, "kernel-" + flavour + "-base"} {
		for _, p := range installed[name] {
			if v := string(p.EVR); v == short || strings.HasPrefix(v, short+".") {
				return p.EVR, true
			}
		}
	}
	return "", false
}
