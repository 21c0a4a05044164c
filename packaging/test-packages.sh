#!/bin/sh
# Installs, runs, upgrades and removes the packages of dist/ with the real rpm
# and dpkg, in throw-away roots. Needs root, rpm and dpkg, and "make packages"
# before.
set -eu
cd "$(dirname "$0")/.."
NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }

# The next version, with another default configuration.
mkdir -p "$work/next" "$work/new"
cp -r dist packaging "$work/next/"
echo '# a new default' >>"$work/next/dist/files/katprep.yml"
go install $NFPM
nfpm=$(go env GOPATH)/bin/nfpm
for format in rpm deb; do
  (cd "$work/next" && ARCH=$(go env GOHOSTARCH) VERSION=99.0.0 SOURCE_DATE_EPOCH=1800000000 \
    "$nfpm" package --config packaging/nfpm.yaml --packager $format --target "$work/new/" >/dev/null)
done

# A root with a shell and the library it needs, for the packages' scripts.
make_root() {
  mkdir -p "$1/bin" "$1/dev" "$1/tmp" "$1/var/lib/dpkg/info" "$1/var/lib/dpkg/updates" "$1/var/lib/dpkg/triggers" "$1/var/lib/rpm"
  : >"$1/var/lib/dpkg/status"
  : >"$1/dev/null"
  cp /bin/sh "$1/bin/sh"
  ldd /bin/sh | grep -o '/[^ ]*' | while read -r lib; do
    mkdir -p "$1$(dirname "$lib")"
    cp -L "$lib" "$1$lib"
  done
}

# used PATH: what holds after the installation, and puts work into the root.
used() {
  for f in usr/bin/katprep usr/share/man/man1/katprep.1.gz usr/share/man/man5/katprep.yml.5.gz \
    usr/share/bash-completion/completions/katprep usr/share/zsh/site-functions/_katprep \
    usr/share/fish/vendor_completions.d/katprep.fish usr/lib/systemd/system/katprep-snapshot.timer \
    usr/lib/sysusers.d/katprep.conf usr/share/doc/katprep/html/index.html usr/share/doc/katprep/LICENSE; do
    [ -f "$1/$f" ] || fail "$f is not installed"
  done
  [ "$(stat -c %a "$1/etc/katprep/katprep.yml")" = 640 ] || fail "the configuration's mode"
  chroot "$1" /usr/bin/katprep version | grep -q '^katprep ' || fail "katprep version"
  chroot "$1" /usr/bin/katprep --config /etc/katprep/katprep.yml config check || fail "the packaged configuration"
  mkdir -p "$1/var/lib/katprep"
  chroot "$1" /usr/bin/katprep --config /etc/katprep/katprep.yml init --no-config || fail "katprep init"
  echo '# changed by the admin' >>"$1/etc/katprep/katprep.yml"
}
upgraded() {
  tail -n 1 "$1/etc/katprep/katprep.yml" | grep -q 'changed by the admin' || fail "the changed configuration was replaced"
}
removed() {
  [ ! -e "$1/usr/bin/katprep" ] || fail "the program is still there"
  [ -f "$1/var/lib/katprep/archive.git/HEAD" ] || fail "the archive is gone"
}

echo "== rpm"
root=$work/rpm
make_root "$root"
rpm --root "$root" --initdb
rpm --root "$root" -i --nodeps --ignorearch dist/katprep-*.rpm
rpm --root "$root" -V --nodeps katprep || fail "rpm -V"
used "$root"
rpm --root "$root" -U --nodeps --ignorearch "$work"/new/katprep-*.rpm
upgraded "$root"
[ -f "$root/etc/katprep/katprep.yml.rpmnew" ] || fail "no .rpmnew"
rpm --root "$root" -e --nodeps katprep
removed "$root"

echo "== deb"
root=$work/deb
make_root "$root"
dpkg="dpkg --root=$root --force-depends --force-not-root --force-confdef --force-confold --log=/dev/null"
$dpkg -i dist/katprep_*.deb
dpkg --root="$root" --verify katprep || fail "dpkg --verify"
used "$root"
$dpkg -i "$work"/new/katprep_*.deb
upgraded "$root"
$dpkg -r katprep
upgraded "$root"
$dpkg -P katprep
removed "$root"

echo "== apk (contents only)"
tar -tzf dist/katprep_*.apk 2>/dev/null >"$work/apk.list"
for f in usr/bin/katprep etc/katprep/katprep.yml usr/share/man/man1/katprep.1.gz; do
  grep -qx "$f" "$work/apk.list" || fail "$f is not in the apk"
done
rpmspec -P packaging/katprep.spec >/dev/null || fail "the spec file"
(cd dist && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS"
echo "all packages are well"
