#!/bin/sh
# Installs what was asked for with the host's own package manager. Lists are
# separated by spaces and hold checked names only: ERRATA PACKAGES EXCLUDE;
# ALL, SECURITY and DOWNLOAD are 1 or 0; FAMILY is deb, rpm or suse.
set -u -f
export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_MODE=l UCF_FORCE_CONFFOLD=1

say() { printf 'katprep: %s\n' "$*"; }
die() { say "$*"; exit 65; }
has() { command -v "$1" >/dev/null 2>&1; }

excluded() {
for pattern in $EXCLUDE; do
	case $1 in $pattern) return 0 ;; esac
done
return 1
}

wanted() {
for n; do
	if excluded "$n"; then say "left out: $n" >&2; else printf '%s ' "$n"; fi
done
}

# inst prints the installed packages that a simulation would upgrade.
inst() { sed -n 's/^Inst \([^ :]*\)[^ ]* \[.*/\1/p'; }

debian() {
[ -z "$ERRATA" ] || die "APT knows no advisories: name packages"
apt="apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Use-Pty=0"
$apt update || say "warning: not all package lists could be refreshed"
if [ "$ALL" = 1 ]; then
	plan=$(apt-get -s -q -o Debug::NoLocking=true --with-new-pkgs upgrade) || { printf '%s\n' "$plan"; die "apt-get cannot plan the upgrade"; }
	[ "$SECURITY" = 1 ] && plan=$(printf '%s\n' "$plan" | grep -E '^Inst .*(Debian-Security:|/[^ ,]*-security[ ,])')
	names=$(printf '%s\n' "$plan" | inst)
else
	names=$PACKAGES
fi
names=$(wanted $names)
if [ -z "$names" ]; then
	say "nothing to do"
	return 0
fi
if ! plan=$(apt-get -s -q -o Debug::NoLocking=true --no-remove --only-upgrade install $names); then
	printf '%s\n' "$plan"
	return 100
fi
for n in $(printf '%s\n' "$plan" | inst); do
	excluded "$n" && die "$n is excluded, but the upgrade of the others needs it"
done
if [ "$DOWNLOAD" = 1 ]; then
	$apt --no-remove --only-upgrade --download-only install $names
	return
fi
automatic=$(apt-mark showauto $names)
$apt --no-remove --only-upgrade install $names
rc=$?
[ -n "$automatic" ] && apt-mark auto $automatic >/dev/null # as they were before
return $rc
}

redhat() {
set -- -y
for pattern in $EXCLUDE; do set -- "$@" "--exclude=$pattern"; done
[ "$DOWNLOAD" = 1 ] && set -- "$@" --downloadonly
if has dnf5; then
	tool=dnf5 minimal='upgrade --minimal' advisory=--advisories=
elif has dnf; then
	tool=dnf minimal=upgrade-minimal advisory=--advisory=
else
	tool=yum minimal=update-minimal advisory=--advisory=
fi
if [ $tool = yum ]; then yum -q clean expire-cache; else set -- "$@" --refresh; fi
if [ "$ALL" = 1 ]; then
	[ "$SECURITY" = 1 ] && set -- "$@" --security
	$tool "$@" upgrade
	return
fi
if [ -n "$ERRATA" ]; then
	ids=
	for id in $ERRATA; do ids="$ids $advisory$id"; done
	$tool "$@" $minimal $ids || return
fi
if [ -n "$PACKAGES" ]; then
	names=$(wanted $PACKAGES)
	[ -z "$names" ] || $tool "$@" upgrade $names
fi
}

# zyp reads zypper's exit codes as its manual says.
zyp() {
zypper --non-interactive --no-refresh "$@"
rc=$?
if [ $rc = 103 ]; then # zypper updated itself first
	zypper --non-interactive --no-refresh "$@"
	rc=$?
fi
case $rc in
0 | 100 | 101 | 102) return 0 ;;
106) say "warning: some repositories were skipped"; return 0 ;;
esac
return $rc
}

suse() {
zypper --non-interactive --quiet refresh || say "warning: not all repositories could be refreshed"
set -- --auto-agree-with-licenses
[ "$DOWNLOAD" = 1 ] && set -- "$@" --download-only
if [ "$ALL" = 1 ] && [ "$SECURITY" = 1 ]; then
	[ -z "$EXCLUDE" ] || die "zypper cannot leave packages out of patches"
	zyp patch "$@" --category security --with-interactive
	return
fi
if [ "$ALL" = 1 ] && [ -z "$EXCLUDE" ]; then
	zyp update "$@"
	return
fi
if [ -n "$ERRATA" ]; then
	[ -z "$EXCLUDE" ] || die "zypper cannot leave packages out of patches"
	zyp install "$@" --type patch $ERRATA || return
fi
names=$PACKAGES
[ "$ALL" = 1 ] && names=$(zypper --non-interactive --no-refresh --quiet --xmlout list-updates --all | tr '>' '\n' | sed -n 's/^ *<update kind="package" name="\([^"]*\)".*/\1/p')
names=$(wanted $names)
[ -z "$names" ] || zyp update "$@" $names
}

case $FAMILY in
deb) debian ;;
rpm) redhat ;;
suse) suse ;;
*) die "neither dpkg nor rpm manages this host's packages" ;;
esac
