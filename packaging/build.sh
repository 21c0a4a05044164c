#!/bin/sh
# Builds dist/: the static binary, manual pages, completions, documentation, bill
# of materials, licences, sources for the spec file, and the packages; the same
# bytes each time. Called by "make packages".
#
#   VERSION            of the packages; else from the tag
#   SOURCE_DATE_EPOCH  time of everything; else that of the commit
#   GOARCH             architecture; else this machine's
set -eu
cd "$(dirname "$0")/.."
NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2

VERSION=${VERSION:-$(git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || echo "0.0.0-git$(git log -1 --format=%cd.%h --date=format:%Y%m%d)")}
VERSION=${VERSION#v}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
ARCH=${GOARCH:-$(go env GOARCH)}
export VERSION SOURCE_DATE_EPOCH ARCH
at() { LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" "$1"; }

umask 022
rm -rf dist
mkdir -p dist/man dist/completion dist/files dist/data
build() {
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$1" \
    -ldflags "-s -w -X main.release=$VERSION -X main.released=$(at +%Y-%m-%d)" ./cmd/katprep
}
GOARCH=$ARCH build dist/katprep
# The one that runs here writes the pages, whatever is built.
tool=dist/katprep
if [ "$ARCH" != "$(go env GOHOSTARCH)" ]; then
  tool=dist/katprep-host
  GOARCH=$(go env GOHOSTARCH) build $tool
fi
$tool --quiet man -o dist/man
gzip -n -9 dist/man/*
$tool completion bash >dist/completion/katprep.bash
$tool completion zsh >dist/completion/_katprep
$tool completion fish >dist/completion/katprep.fish
$tool --quiet docs build -o dist/docs
rm -f dist/katprep-host
go run ./cmd/katprep-sbom -version "$VERSION" -time "$SOURCE_DATE_EPOCH" \
  -sbom dist/katprep.cdx.json -licenses dist/files/LICENSES dist/katprep

# Copies with times and modes that do not depend on the checkout.
cp -r packaging/ci packaging/deb packaging/systemd packaging/sysusers.d packaging/katprep.yml packaging/postinstall.sh LICENSE CHANGELOG.md dist/files/
gzip -n -9 <CHANGELOG.md >dist/files/changelog.gz
cat >dist/files/changelog.yaml <<END
- semver: $VERSION-1
  date: $(at +%Y-%m-%dT%H:%M:%SZ)
  packager: katprep maintainers <katprep@users.noreply.github.com>
  deb: {urgency: medium, distributions: [unstable]}
  changes: [{note: "The changes are in CHANGELOG.md."}]
END
chmod -R u=rwX,go=rX dist
chmod 755 dist/files/postinstall.sh
find dist -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
for format in rpm deb apk; do
  go run $NFPM package --config packaging/nfpm.yaml --packager $format --target dist/ >/dev/null
done

# What the spec file builds from, without a network: the commit and its modules.
source=katprep-$(echo "$VERSION" | tr - '~')
git archive --prefix="$source/" HEAD | gzip -n -9 >"dist/$source.tar.gz"
go mod vendor -o dist/vendor
tar -C dist --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
  -cf - vendor | gzip -n -9 >"dist/$source-vendor.tar.gz"
rm -rf dist/vendor
sed "s/^Version:.*/Version:        $(echo "$VERSION" | tr - '~')/" packaging/katprep.spec >dist/katprep.spec

cd dist
sha256sum katprep katprep.cdx.json katprep.spec ./*.tar.gz ./*.rpm ./*.deb ./*.apk | sed 's|\./||' >SHA256SUMS
cat SHA256SUMS
