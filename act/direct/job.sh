# A job is a script that runs on a host whether or not anybody is connected:
# a broken connection must not end a package manager in the middle.
# Set by the caller: KP_MARK, KP_DO (start, poll), KP_JOB, KP_WAIT, KP_MAX,
# and for start: job_files, a function that writes script, env and stdin.
main() {
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export LC_ALL PATH
unset BASH_ENV ENV 2>/dev/null
umask 077
if [ "$(id -u)" = 0 ]; then base=/var/lib/katprep; else base=${HOME:-/nonexistent}/.katprep; fi
d=$base/$KP_JOB
printf '%s\n' "$KP_MARK job"
echo "uid=$(id -u)"
[ "$KP_DO" = start ] && start
n=0
while state && [ "$state" = running ] && [ $n -lt "$KP_WAIT" ]; do
	n=$((n + 1))
	sleep 0.5 2>/dev/null || sleep 1
done
echo "state=$state"
[ -n "$result" ] && echo "result=$result"
[ -r "$d/started" ] && echo "started=$(cat "$d/started")"
size=$(wc -c <"$d/out" 2>/dev/null || echo 0)
echo "size=$((size))"
printf '\n%s\n' "$KP_MARK rc 0"
if [ -r "$d/out" ] && [ "$state" != running ]; then
	printf '%s\n' "$KP_MARK head"
	head -c "$KP_MAX" "$d/out"
	printf '\n%s\n' "$KP_MARK rc 0"
	if [ $((size)) -gt "$KP_MAX" ]; then
		printf '%s\n' "$KP_MARK tail"
		keep=$((size - KP_MAX))
		[ $keep -gt "$KP_MAX" ] && keep=$KP_MAX
		tail -c "$keep" "$d/out"
		printf '\n%s\n' "$KP_MARK rc 0"
	fi
elif [ -r "$d/out" ]; then
	printf '%s\n' "$KP_MARK latest"
	tail -n 1 "$d/out"
	printf '\n%s\n' "$KP_MARK rc 0"
fi
printf '%s\n' "$KP_MARK end"
}

# start: the folder is the lock, so a job of one name runs once.
start() {
if ! mkdir -p "$base" 2>/dev/null; then
	echo "error=cannot write to $base"
	return
fi
find "$base" -mindepth 1 -maxdepth 1 -type d -name 'katprep-*' -mtime +30 -exec rm -rf {} + 2>/dev/null
mkdir "$d" 2>/dev/null || return
if ! job_files; then
	rm -rf "$d"
	echo "error=cannot write to $d: is the disk full?"
	return
fi
cat /proc/sys/kernel/random/boot_id >"$d/boot"
date -u +%Y-%m-%dT%H:%M:%SZ >"$d/started"
if command -v setsid >/dev/null 2>&1; then detach=setsid; else detach=nohup; fi
$detach /bin/sh "$d/run" >/dev/null 2>&1 3>&- </dev/null &
i=0
while [ ! -s "$d/pid" ] && [ $i -lt 50 ]; do
	i=$((i + 1))
	sleep 0.1 2>/dev/null || sleep 1
done
}

# state: none, running, ended (with result "exit-code seconds"), or lost.
state() {
result=
if [ ! -d "$d" ]; then
	state=none
elif [ -r "$d/rc" ]; then
	state=ended result=$(cat "$d/rc")
elif [ -s "$d/pid" ] && [ "$(cat /proc/sys/kernel/random/boot_id)" = "$(cat "$d/boot")" ] && [ -d "/proc/$(cat "$d/pid")" ]; then
	state=running
elif [ -r "$d/rc" ]; then
	state=ended result=$(cat "$d/rc")
else
	state=lost
fi
}
