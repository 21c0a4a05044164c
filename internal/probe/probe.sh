# katprep's probe: POSIX sh, read from standard input, changes nothing, leaves no file behind.
# KP_MARK is set by the caller: a random word that data cannot know. A line "$KP_MARK name" begins a
# section, "$KP_MARK rc N" ends it, "$KP_MARK err TEXT" is what the tool complained about.
main() {
LC_ALL=C LANG=C LANGUAGE=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export LC_ALL LANG LANGUAGE PATH
unset BASH_ENV ENV GREP_OPTIONS 2>/dev/null
umask 077
nl='
'
exec 3>&1
limit=
has timeout && limit="timeout -k 5 $KP_LIMIT"
section host host_facts
section os-release os_release
family
printf '%s\n' "$KP_MARK family" "$fam" "$KP_MARK rc 0"
[ "$KP_HOST_ONLY" = 1 ] || everything
printf '%s\n' "$KP_MARK end"
}

everything() {
section net net_facts
[ "$KP_REFRESH" = 1 ] && section refresh refresh
case $fam in
deb) debian ;;
rpm) redhat ;;
suse) suse ;;
esac
section stale stale
}

has() { command -v "$1" >/dev/null 2>&1; }

# section NAME COMMAND...: the command's output goes out as it comes; of its complaints the last are kept.
section() {
name=$1
shift
printf '%s\n' "$KP_MARK $name"
said=$({ "$@" 2>&1 >&3 3>&- </dev/null; echo $?; } | tail -n 6 | cut -c 1-400)
rc=${said##*"$nl"}
printf '\n%s\n' "$KP_MARK rc $rc"
case $said in *"$nl"*) printf '%s\n' "${said%"$nl"*}" | while IFS= read -r l; do printf '%s\n' "$KP_MARK err $l"; done ;; esac
}

host_facts() {
echo "uid=$(id -u)"
echo "hostname=$(cat /proc/sys/kernel/hostname)"
echo "kernel=$(uname -r)"
echo "arch=$(uname -m)"
for f in /etc/machine-id /var/lib/dbus/machine-id; do
	[ -r $f ] && { echo "machine_id=$(cat $f)"; break; }
done
[ -r /sys/class/dmi/id/product_uuid ] && echo "uuid=$(cat /sys/class/dmi/id/product_uuid)"
echo "boot_id=$(cat /proc/sys/kernel/random/boot_id)"
while read -r k v rest; do
	[ "$k" = btime ] && echo "btime=$v"
done </proc/stat
if has systemd-detect-virt; then
	echo "container=$(systemd-detect-virt -c)"
	echo "virt=$(systemd-detect-virt -v)"
else
	[ -e /.dockerenv ] || [ -e /run/.containerenv ] && echo container=yes
	grep -q '^flags.* hypervisor' /proc/cpuinfo && echo virt=yes
fi
:
}

os_release() { cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release; }

net_facts() {
if has ip; then
	ip -o route get 192.0.2.1 2>/dev/null
	ip -o link show 2>/dev/null
	ip -o addr show scope global 2>/dev/null
fi
:
}

family() {
fam=
words=" $(os_release 2>/dev/null | sed -n 's/^ID\(_LIKE\)\{0,1\}=//p' | tr -d "\"'" | tr '\n' ' ') "
case $words in
*" debian "*|*" ubuntu "*) has dpkg-query && fam=deb ;;
*suse*) has rpm && fam=suse ;;
*" rhel "*|*" fedora "*|*" centos "*|*" amzn "*|*" ol "*) has rpm && fam=rpm ;;
esac
[ -n "$fam" ] && return
if has rpm && has dpkg-query; then
	# both are there: the one that installed the shell is the host's own
	if rpm -q --whatprovides /bin/sh >/dev/null 2>&1; then fam=rpm; else fam=deb; fi
elif has rpm; then
	fam=rpm
elif has dpkg-query; then
	fam=deb
fi
}

refresh() {
case $fam in
deb) $limit apt-get -qq -o DPkg::Lock::Timeout=60 update ;;
rpm) if has dnf5; then $limit dnf5 -q makecache; elif has dnf; then $limit dnf -q makecache; else $limit yum -q makecache; fi ;;
suse) $limit zypper --non-interactive --quiet refresh ;;
esac
}

debian() {
section dpkg $limit dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n'
section apt-get $limit apt-get -s -q -o Debug::NoLocking=true -o APT::Get::Show-User-Simulation-Note=false --ignore-hold dist-upgrade
section apt-lists apt_lists
section apt-fetched apt_fetched
section reboot-required reboot_required
[ "$KP_CHANGELOGS" = 1 ] && section changelogs changelogs
:
}

apt_lists() {
for f in /var/lib/apt/lists/*_InRelease /var/lib/apt/lists/*_Release; do
	[ -r "$f" ] || continue
	echo "File: ${f##*/}"
	sed -n '/^-----BEGIN PGP SIGNATURE/q;/^\(MD5Sum\|SHA256\|SHA1\):/q;/^\(Origin\|Label\|Suite\|Codename\|Version\|Date\): /p' "$f"
done
}

apt_fetched() {
stat -c %Y /var/lib/apt/lists /var/lib/apt/lists/partial /var/lib/apt/periodic/update-success-stamp 2>/dev/null
:
}

reboot_required() {
[ -e /usr/share/update-notifier/notify-reboot-required ] || [ -e /etc/kernel/postinst.d/unattended-upgrades ] && echo =watched
if [ -e /run/reboot-required ]; then
	echo =required
	[ -r /run/reboot-required.pkgs ] && sort -u /run/reboot-required.pkgs
fi
:
}

# changelogs: of packages already downloaded for an upgrade
changelogs() {
for f in /var/cache/apt/archives/*.deb; do
	[ -r "$f" ] || continue
	p=$(dpkg-deb -f "$f" Package) || continue
	have=$(dpkg-query -W -f '${Version} ${source:Version}\n' "$p" 2>/dev/null | head -n 1)
	[ -n "$have" ] || continue
	new=$(dpkg-deb -f "$f" Version)
	dpkg --compare-versions "$new" gt "${have% *}" || continue
	echo "=deb $p $new"
	dpkg-deb --fsys-tarfile "$f" 2>/dev/null |
		tar -xO --wildcards './usr/share/doc/*/changelog.Debian.gz' './usr/share/doc/*/changelog.gz' 2>/dev/null |
		gzip -dc 2>/dev/null | changelog_since "${have#* }"
done
}

# changelog_since VERSION: the newer entries' headers and lines that name fixes
changelog_since() {
awk -v have="$1" '
/^[a-z0-9][a-z0-9+.-]* \(/ { v = $2; gsub(/[()]/, "", v); if (v == have) exit; n++; if (n > 60) exit; print; next }
/CVE-[0-9]|[Cc]loses:|LP: *#/ { print substr($0, 1, 400) }'
}

redhat() {
section rpm rpm_list
section rpm-kernels rpm_kernels
py=
for p in /usr/libexec/platform-python /usr/bin/python3; do
	[ -x $p ] && $p -c 'import dnf, hawkey' >/dev/null 2>&1 && { py=$p; break; }
done
if has dnf5; then
	dnf5_all
elif [ -n "$py" ]; then
	section dnf4 dnf4
elif has dnf || has yum; then
	if has dnf; then y='dnf -C'; else y='yum -C'; fi
	section dnf-list $limit $y -q updateinfo list
	section dnf-info $limit $y -q updateinfo info
	section dnf-updates $limit $y -q check-update
	section dnf-fetched dnf_fetched
	section dnf-any any_advisory $y -q updateinfo list all
fi
:
}

# any_advisory COMMAND: the first lines tell whether the repositories have any
any_advisory() { $limit "$@" 2>/dev/null | head -n 5; }

dnf_fetched() {
stat -c %Y /var/cache/libdnf5/*/repodata/repomd.xml /var/cache/dnf/*/repodata/repomd.xml /var/cache/yum/*/*/*/repomd.xml 2>/dev/null
:
}

rpm_list() {
$limit rpm -qa --qf '%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\t%{SOURCERPM}\t%{VENDOR}\n'
}

rpm_kernels() {
$limit rpm -q --qf '%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\t[%{PROVIDENAME}=%{PROVIDEVERSION} ]\n' --whatprovides kernel kernel-core kernel-uname-r 2>/dev/null |
	grep -v '^no package' | sort -u
:
}

dnf5_all() {
section dnf5-list $limit dnf5 -q -C advisory list --available --json
section dnf5-info $limit dnf5 -q -C advisory info --available --json
section dnf5-text $limit dnf5 -q -C advisory list --available
section dnf5-info-text $limit dnf5 -q -C advisory info --available
section dnf-updates $limit dnf5 -q -C check-upgrade
section dnf5-repos $limit dnf5 -q -C repo info --enabled
section dnf-fetched dnf_fetched
section dnf-any any_advisory dnf5 -q -C advisory list --all
}

suse() {
section rpm rpm_list
section rpm-kernels rpm_kernels
if has zypper; then
	section zypper-repos $limit zypper --non-interactive --no-refresh --xmlout --quiet repos --uri
	section zypper-patches $limit zypper --non-interactive --no-refresh --xmlout --quiet list-patches --all
	section zypper-fixes zypper_fixes
	section zypper-updates $limit zypper --non-interactive --no-refresh --xmlout --quiet list-updates --all
	section zypper-reboot $limit zypper --quiet needs-rebooting
	section zypper-fetched zypper_fetched
fi
}

zypper_fetched() { stat -c '%Y %n' /var/cache/zypp/raw/*/repodata/repomd.xml; }

# zypper_fixes: which versions the needed patches want
zypper_fixes() {
set -f
ids=$($limit zypper --non-interactive --no-refresh --xmlout --quiet list-patches --all 2>/dev/null |
	tr '>' '\n' | sed -n 's/^ *<update kind="patch" name="\([^"]*\)".* status="\(needed\|optional\)".*/\1/p')
[ -z "$ids" ] || $limit zypper --non-interactive --no-refresh --quiet info --type patch $ids
rc=$?
set +f
return $rc
}

# stale: processes that still execute files which an upgrade replaced
stale() {
grep -lE ' r-xp .*/(usr|lib|opt).* \(deleted\)$' /proc/[0-9]*/maps 2>&1 | while IFS= read -r m; do
	case $m in
	*ermission*denied*) echo =denied; continue ;;
	/proc/*/maps) ;;
	*) continue ;;
	esac
	p=${m%/maps}
	unit=
	while IFS= read -r l; do
		case $l in *.service) unit=${l##*/} ;; esac
	done 2>/dev/null <$p/cgroup
	name=
	IFS= read -r name 2>/dev/null <$p/comm && printf '%s\t%s\n' "$name" "$unit"
done | sort -u
}

dnf4() {
$limit $py - <<'KATPREP_PYTHON'
@DNF4@
KATPREP_PYTHON
}

main </dev/null
