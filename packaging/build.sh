#!/bin/sh
# Builds dist/: the static binary, manual pages, completions, documentation and
# the packages, the same bytes each time. Called by "make packages".
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
DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)

umask 022
rm -rf dist
mkdir -p dist/man dist/completion
build() {
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$1" \
    -ldflags "-s -w -X main.release=$VERSION -X main.released=$DATE" ./cmd/katprep
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
go version -m dist/katprep | sed 's|^[^\t]*: go|go|' >dist/katprep.modules
# Copies with times and modes that do not depend on the checkout.
mkdir dist/files
cp -r packaging/ci packaging/systemd packaging/sysusers.d packaging/katprep.yml packaging/postinstall.sh LICENSE CHANGELOG.md dist/files/
chmod -R u=rwX,go=rX dist
find dist -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

for format in rpm deb apk; do
  go run $NFPM package --config packaging/nfpm.yaml --packager $format --target dist/ >/dev/null
done
(cd dist && sha256sum katprep katprep.modules ./*.rpm ./*.deb ./*.apk | sed 's|\./||' >SHA256SUMS && cat SHA256SUMS)
