# Runs beside the files of one job and writes its exit code and seconds.
d=${0%/run}
echo $$ >"$d/pid"
cd / || exit
umask 022
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
user= limit=0
. "$d/options"
set -a
. "$d/env"
set +a
as=
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then
	if [ "$(id -u)" != 0 ]; then
		as="sudo -n -E -u $user --"
	elif command -v runuser >/dev/null 2>&1; then
		as="runuser -u $user --"
	else
		as="su -m $user -s /bin/sh --"
	fi
	chown -R "$user" "$d/script" "$d/stdin"
	chmod 711 "$d" "${d%/*}"
fi
case $(head -c 2 "$d/script") in
'#!') chmod 700 "$d/script"; set -- "$d/script" ;;
*) set -- /bin/sh -eu "$d/script" ;;
esac
begun=$(date +%s)
if [ "$limit" -gt 0 ]; then
	timeout -k 10 "$limit" $as "$@" <"$d/stdin" >"$d/out" 2>&1 &
else
	$as "$@" <"$d/stdin" >"$d/out" 2>&1 &
fi
group=$!
wait $group
rc=$?
took=$(($(date +%s) - begun))
late=0
if [ "$limit" -gt 0 ] && [ $took -ge "$limit" ] && { [ $rc = 124 ] || [ $rc = 137 ]; }; then
	late=1
	kill -9 "-$group" 2>/dev/null # what ignored the TERM
fi
rm -f "$d/env" "$d/stdin" # they may hold secrets, and nobody needs them any more
echo "$rc $took $late" >"$d/rc.new"
sync "$d/rc.new" 2>/dev/null
mv "$d/rc.new" "$d/rc"
