#!/bin/sh
# Makes the service's user and the folder of its archive. The archive outlives
# the package: nothing of it is removed when the package is.
set -e
make_user() {
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers katprep.conf
  elif command -v useradd >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /var/lib/katprep \
      --shell /usr/sbin/nologin --comment 'katprep patch evidence' katprep
  else # BusyBox
    addgroup -S katprep && adduser -S -D -H -h /var/lib/katprep -G katprep -s /sbin/nologin katprep
  fi
}
if ! getent passwd katprep >/dev/null && ! make_user; then
  # The program works without it.
  echo "katprep: the user katprep could not be made; katprep-snapshot.service needs it" >&2
  exit 0
fi
if [ ! -d /var/lib/katprep ]; then
  mkdir -m 750 /var/lib/katprep
  chown katprep:katprep /var/lib/katprep
fi
chgrp katprep /etc/katprep/katprep.yml
