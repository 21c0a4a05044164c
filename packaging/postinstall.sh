#!/bin/sh
set -e
# The archive outlives the package: nothing of it is made or removed here.
if command -v systemd-sysusers >/dev/null 2>&1; then
  systemd-sysusers katprep.conf || true
fi
if getent group katprep >/dev/null 2>&1; then
  chgrp katprep /etc/katprep/katprep.yml || true
fi
