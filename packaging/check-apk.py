"""Checks that a file is what apk(8) reads: two gzip streams of tar, the second
one's hash and the scripts' and files' names in the first one."""

import gzip
import hashlib
import io
import sys
import tarfile
import zlib

data = open(sys.argv[1], "rb").read()
streams, rest = [], data
while rest:
    z = zlib.decompressobj(wbits=31)
    z.decompress(rest)
    used = len(rest) - len(z.unused_data)
    streams.append(rest[:used])
    rest = rest[used:]
control, files = streams[-2:]

# The control part has no end-of-archive blocks: the next part follows.
tar = tarfile.open(fileobj=io.BytesIO(gzip.decompress(control) + bytes(1024)))
info = dict(
    line.split(" = ", 1)
    for line in tar.extractfile(".PKGINFO").read().decode().splitlines()
    if " = " in line
)
names = tar.getnames()
assert info["pkgname"] == "katprep" and info["pkgver"].endswith("-r1"), info
assert info["datahash"] == hashlib.sha256(files).hexdigest(), "the hash of the files differs"
assert ".post-install" in names, names

listed = {}
for member in tarfile.open(fileobj=io.BytesIO(gzip.decompress(files))):
    listed[member.name] = member
    if member.isfile():
        assert member.pax_headers.get("APK-TOOLS.checksum.SHA1"), member.name + " has no checksum"
for name, mode in {
    "usr/bin/katprep": 0o755,
    "etc/katprep/katprep.yml": 0o640,
    "usr/share/man/man1/katprep.1.gz": 0o644,
}.items():
    assert listed[name].mode & 0o777 == mode, name
print("%d files, %s" % (len(listed), info["pkgver"]))
