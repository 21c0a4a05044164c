package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
)

// readme says on one page how to check everything with standard tools.
func (e *exporter) readme(tip katprep.CommitID) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("Evidence of the maintenance %s", e.o.Run)
	p("")
	p("  snapshot before  %s", e.o.Before)
	p("  snapshot after   %s", e.o.After)
	p("  end of history   %s", tip)
	p("")
	p("What is here")
	p("")
	for _, f := range e.o.Files {
		p("  %-22s %s", f.Name, f.About)
	}
	p("  run/                   plan, journal and decisions of the run, as in the history")
	if len(e.older) > 0 {
		p("  history.bundle         the history since %s: every snapshot, host, advisory, run", e.older[len(e.older)-1].To.Format(time.DateOnly))
		p("  shallow                tells Git where that history begins")
	} else {
		p("  history.bundle         the whole history: every snapshot, host, advisory, run")
	}
	if e.ssh || e.pgp {
		p("  keys/                  public keys that may sign")
	}
	if len(e.stamps) > 0 {
		p("  stamps/                time stamps (RFC 3161) of commits")
	}
	p("  SHA256SUMS             checksums of these files")
	for _, m := range e.o.Missing {
		p("")
		p("Not here: %s.", m)
	}
	if len(e.older) > 0 {
		p("")
		p("Older history is in bundles of its own, which this history continues:")
		for _, r := range e.older {
			p("  %s  (%s to %s, SHA-256 %s)", printable(r.Bundle), r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), printable(r.SHA256))
		}
	}
	p("")
	p("How to check it. You need git, ssh-keygen and sha256sum%s, not katprep.", e.openssl())
	p("Type the commands in this folder.")
	p("")
	n := 1
	step := func(title string, commands ...string) {
		p("%d. %s", n, title)
		p("")
		for _, c := range commands {
			p("    %s", c)
		}
		p("")
		n++
	}
	step("The files are those that were handed over:", "sha256sum -c SHA256SUMS")
	if e.ssh {
		step("They were handed over by somebody whose key may sign:",
			fmt.Sprintf("ssh-keygen -Y verify -f keys/allowed_signers -I %s -n git -s SHA256SUMS.sig < SHA256SUMS", e.who))
	} else if e.pgp {
		step("They were handed over by somebody whose key may sign:",
			"gpg --import keys/openpgp.asc", "gpg --verify SHA256SUMS.sig SHA256SUMS")
	}
	step("The history is whole (no output is good; \"notice\" lines are harmless):",
		append(e.unpack(), "git -C history.git fsck --strict --no-dangling")...)
	verify := "git -C history.git"
	if e.ssh {
		verify += ` -c gpg.ssh.allowedSignersFile="$PWD/keys/allowed_signers"`
	}
	if e.ssh || e.pgp {
		step("The snapshots and their tags are signed (each says \"Good signature\"):",
			fmt.Sprintf("%s verify-commit %s %s", verify, e.o.Before, e.o.After),
			fmt.Sprintf("%s verify-tag run/%s/before run/%s/after", verify, e.o.Run, e.o.Run),
			verify+" log --show-signature --oneline main")
		p("   Ask the organisation, by another way than this folder, for the fingerprint of")
		p("   its first key, and compare it with:")
		p("")
		if e.ssh {
			p("    sed -n 1p keys/allowed_signers | cut -d' ' -f3- | ssh-keygen -lf -")
		} else {
			p("    gpg --show-keys keys/openpgp.asc")
		}
		p("")
	} else {
		p("   The history is not signed: it shows what was recorded, not who recorded it.")
		p("")
	}
	e.stampSteps(step)
	step("The plan and the journal are those of the history (no output is good):",
		fmt.Sprintf("for f in run/*; do git -C history.git show main:%s/${f#run/} | cmp - $f; done", archive.RunPath(e.o.Run)))
	step("What changed on the hosts, one package a line:",
		fmt.Sprintf("git -C history.git diff %s %s -- hosts", e.o.Before, e.o.After),
		"git -C history.git log -p main -- hosts/DOMAIN/HOST.json")
	p("A host with the status \"failed\" or \"incomplete\" is a gap: nothing is claimed of it.")
	p("An advisory counts as installed only if the versions in the snapshot after reach")
	p("the fixed ones. katprep %s made this folder.", e.o.Version)
	return b.String()
}
