#!/bin/bash
# Builds the packages of the commit that is checked out, twice and at different
# places, and compares; has lintian and rpmlint read them; builds the spec file
# with rpmbuild; installs, runs, upgrades and removes RPM and DEB with the real rpm
# and dpkg in throw-away roots; builds and runs the container. Needs root. There
# is no apk here: of the APK the structure is checked.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }
for tool in rpm rpmbuild rpmlint lintian dpkg systemd-analyze systemd-sysusers useradd python3 buildah; do
  command -v $tool >/dev/null || fail "$tool is not installed"
done
[ "$(id -u)" = 0 ] || fail "needs root, for the test roots"

there=$(ls -d /etc/katprep 2>/dev/null || true) # an installation of this machine's own

# The version comes from the tag. The second place has another name and umask.
build_in() {
  git clone -q . "$1"
  git -C "$1" -c user.name=test -c user.email=test@example.com tag -f -m test v98.7.6 >/dev/null
  (unset VERSION SOURCE_DATE_EPOCH; umask "$2"; "$1/packaging/build.sh" >"$1.sums")
}
build_in "$work/one" 022
build_in "$work/another-place" 077 &
second=$!
dist=$work/one/dist
[ "$("$dist/katprep" version | cut -d ' ' -f 2)" = 98.7.6 ] || fail "the version is not the tag's"
(cd "$dist" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS"
for f in katprep-98.7.6-1.x86_64.rpm katprep_98.7.6-1_amd64.deb katprep_98.7.6-r1_x86_64.apk; do
  [ "$(uname -m)" != x86_64 ] || [ -f "$dist/$f" ] || fail "there is no $f"
done

# The next version, with another default configuration.
mkdir -p "$work/next" "$work/new"
cp -a "$work/one/dist" "$work/one/packaging" "$work/next/"
echo '# a new default' >>"$work/next/dist/files/katprep.yml"
nfpm=$(sed -n 's/^NFPM=//p' packaging/build.sh)
GOBIN=$work go install "$nfpm"
for format in rpm deb; do
  (cd "$work/next" && ARCH=$(go env GOHOSTARCH) VERSION=99.0.0 SOURCE_DATE_EPOCH=1800000000 \
    "$work/nfpm" package --config packaging/nfpm.yaml --packager $format --target "$work/new/" >/dev/null)
done

# make_root DIR USERTOOL: a root with what the packages' scripts call, and nothing
# of ours.
make_root() {
  chmod 755 "$1"
  mkdir -p "$1"/{bin,dev,etc,tmp,var/lib/rpm,var/lib/dpkg/info,var/lib/dpkg/updates,var/lib/dpkg/triggers}
  : >"$1/var/lib/dpkg/status"
  : >"$1/dev/null"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
  echo 'root:x:0:' >"$1/etc/group"
  printf '%s: files\n' passwd group shadow >"$1/etc/nsswitch.conf"
  echo 'root:*:20000::::::' >"$1/etc/shadow"
  : >"$1/etc/login.defs"
  for tool in sh getent mkdir chown chgrp "$2"; do
    path=$(command -v "$tool")
    cp -L "$path" "$1/bin/"
    ldd "$path" | grep -o '/[^ ]*' | while read -r lib; do
      mkdir -p "$1$(dirname "$lib")"
      cp -L "$lib" "$1$lib"
    done
  done
}

# used ROOT: what holds after the installation; puts work into the root.
used() {
  for f in usr/bin/katprep \
    usr/share/bash-completion/completions/katprep usr/share/zsh/site-functions/_katprep \
    usr/share/fish/vendor_completions.d/katprep.fish usr/lib/systemd/system/katprep-snapshot.timer \
    usr/lib/sysusers.d/katprep.conf; do
    [ -f "$1/$f" ] || fail "$f is not installed"
  done
  # The distribution's rpmbuild compresses pages, or does not.
  for f in man1/katprep.1 man1/katprep-snapshot.1 man5/katprep.yml.5; do
    [ -f "$1/usr/share/man/$f" ] || [ -f "$1/usr/share/man/$f.gz" ] || fail "$f is not installed"
  done
  [ -n "$(find "$1/usr/share" -path '*/html/index.html')" ] || fail "the documentation is not installed"
  [ -n "$(find "$1/usr/share" -name LICENSES)" ] || fail "the licences are not installed"
  grep -q '^katprep:[x!]:[0-9]*:[0-9]*:.*:/var/lib/katprep:.*nologin$' "$1/etc/passwd" || fail "no user katprep: $(cat "$1/etc/passwd")"
  gid=$(sed -n 's/^katprep:[^:]*:\([0-9]*\):.*/\1/p' "$1/etc/group")
  [ "$(stat -c '%a %u %g' "$1/etc/katprep/katprep.yml")" = "640 0 $gid" ] || fail "the configuration's mode or owner"
  [ "$(stat -c '%a %g' "$1/var/lib/katprep")" = "750 $gid" ] || fail "the archive's folder"
  chroot "$1" /usr/bin/katprep version | grep -q '^katprep ' || fail "katprep version"
  run_as katprep "$1" config check || fail "the packaged configuration"
  run_as katprep "$1" init --no-config || fail "katprep init"
  echo '# changed by the admin' >>"$1/etc/katprep/katprep.yml"
}
run_as() {
  user=$1 root=$2
  shift 2
  chroot --userspec="$user:$user" "$root" /usr/bin/katprep --config /etc/katprep/katprep.yml "$@"
}
upgraded() {
  tail -n 1 "$1/etc/katprep/katprep.yml" | grep -q 'changed by the admin' || fail "the changed configuration was replaced"
}
removed() {
  [ ! -e "$1/usr/bin/katprep" ] || fail "the program is still there"
  [ -f "$1/var/lib/katprep/archive.git/HEAD" ] || fail "the archive is gone"
}

test_rpm() { # PACKAGE NEXT
  echo "== $(basename "$1")"
  root=$(mktemp -d "$work/rpm.XXXX")
  make_root "$root" systemd-sysusers
  rpm --root "$root" --initdb
  rpm --root "$root" -i --nodeps --ignorearch "$1" 2> >(grep -v "Alien instead\|know what you are" >&2)
  # The group is ours, whatever its number.
  rpm --root "$root" -V --nodeps katprep | grep -v '^......G..  c /etc/katprep/katprep.yml$' && fail "rpm -V"
  used "$root"
  rpm --root "$root" -U --nodeps --ignorearch "$2"
  upgraded "$root"
  [ -f "$root/etc/katprep/katprep.yml.rpmnew" ] || fail "no .rpmnew"
  rpm --root "$root" -e --nodeps katprep
  removed "$root"
}

test_deb() { # PACKAGE NEXT
  echo "== $(basename "$1")"
  root=$(mktemp -d "$work/deb.XXXX")
  make_root "$root" useradd
  dpkg="dpkg --root=$root --force-depends --force-not-root --force-confdef --force-confold --log=/dev/null"
  $dpkg -i "$1" >/dev/null
  dpkg --root="$root" --verify katprep || fail "dpkg --verify"
  used "$root"
  $dpkg -i "$2" >/dev/null 2>&1
  upgraded "$root"
  $dpkg -r katprep >/dev/null
  upgraded "$root"
  $dpkg -P katprep >/dev/null
  removed "$root"
}

echo "== rpmbuild of the spec file"
rpmbuild -bb --nodeps --define "_topdir $work/rpmbuild" --define "_sourcedir $dist" "$dist/katprep.spec" >"$work/rpmbuild.log" 2>&1 ||
  { tail -n 30 "$work/rpmbuild.log"; fail "rpmbuild"; }
test_rpm "$work"/rpmbuild/RPMS/*/katprep-98.7.6-1*.rpm "$work"/new/katprep-*.rpm
test_rpm "$dist"/katprep-*.rpm "$work"/new/katprep-*.rpm
test_deb "$dist"/katprep_*.deb "$work"/new/katprep_*.deb
echo "== apk: structure"
python3 packaging/check-apk.py "$dist"/katprep_*.apk || fail "the apk"
echo "== container"
buildah="buildah --storage-driver vfs --root $work/images --runroot $work/containers"
$buildah bud --quiet --isolation chroot -f packaging/Containerfile -t katprep "$work/one" >"$work/bud.log" 2>&1 ||
  { cat "$work/bud.log"; fail "the container"; }
container=$($buildah from --pull-never katprep)
for command in version "init --no-config" "archive verify"; do
  # shellcheck disable=SC2086 # words of their own
  $buildah run --isolation chroot "$container" -- /katprep $command || fail "katprep $command in the container"
done
$buildah rm "$container" >/dev/null
echo "== lintian, rpmlint, systemd-analyze"
lintian --allow-root --info --pedantic --fail-on error,warning,info,pedantic "$dist"/katprep_*.deb || fail "lintian"
# rpmlint unpacks with cpio, which writes where names begin with "/" to the machine
# itself: these folders are copies that vanish.
# shellcheck disable=SC2016 # its own words
unshare --mount bash -c '
  set -e
  over=$1
  shift
  mount -t tmpfs tmpfs "$over"
  for dir in etc usr; do
    mkdir "$over/$dir" "$over/$dir.work"
    mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$over/$dir,workdir=$over/$dir.work" "/$dir"
  done
  rpmlint "$@"' bash "$(mktemp -d "$work/over.XXXX")" \
  -c packaging/rpmlint.toml --strict "$dist"/katprep-*.rpm "$dist/katprep.spec" >"$work/rpmlint" 2>&1 ||
  { cat "$work/rpmlint"; fail "rpmlint"; }
[ ! -e /etc/katprep ] || [ -n "$there" ] || fail "something was installed on this machine itself"
systemd-analyze verify --man=no packaging/systemd/katprep-snapshot.service packaging/systemd/katprep-snapshot.timer 2>&1 |
  grep -v 'katprep is not executable: No such file' && fail "systemd-analyze verify"
systemd-analyze security --offline=true --threshold=14 --no-pager packaging/systemd/katprep-snapshot.service | tail -n 1 ||
  fail "the service is protected less than docs/packages.md says"
echo "== built again, elsewhere"
wait $second || fail "the second build"
cmp "$work/one.sums" "$work/another-place.sums" || fail "two builds differ"
echo "all packages are well"
