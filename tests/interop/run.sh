#!/usr/bin/env bash
# run starts a container whose root is the verified mount, and keeps the container's own status.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires runc jq fsverity umoci
pulled_image
run() { "$intact" run --pub "$work/key.pub" --runtime runc "${options[@]}" app "$@"; }
# with OPTION... [-- COMMAND...]: the same with more options.
with() {
  options=()
  while (($# > 0)) && [[ $1 != -- ]]; do options+=("$1"); shift; done
  run "$@"
  options=()
}
options=()
before=$(wc -l < /proc/self/mountinfo)

# The image's own entrypoint, command, environment, user and directory.
expect 0 run
said '^hello from small image$'
expect 0 run -- 'echo $GREETING; id -u; id -g; id -G; pwd'
said '^hello$'
equal "$(tail -5 "$work/out" | tr '\n' ' ')" "hello 1000 1000 1000 2000 /home/app " "what the container sees"
expect 0 with -e GREETING=other -e NEW=1 -- 'echo $GREETING $NEW'
said '^other 1$'

# Statuses: the container's own, and those of shells.
expect 7 run -- 'echo the 7 is mine; exit 7'
said '^the 7 is mine$'
expect 3 run -- 'echo the 3 is mine; exit 3'
said '^the 3 is mine$'
expect 127 run -- 'no-such-command-anywhere'
said 'no-such-command-anywhere: not found'

# Signals reach the container.
"$intact" run --pub "$work/key.pub" --runtime runc app \
  'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done' > "$work/signalled" 2>&1 &
pid=$!
await grep -q ready "$work/signalled"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
equal "$status" 42 "exit status after SIGTERM"

# Read-only but for tmpfs; --rw is thrown away.
expect 1 run -- 'touch /opt/new || exit 1'
said 'touch: /opt/new: Read-only file system'
expect 0 run -- 'touch /tmp/new'
expect 0 with --rw -- 'id -u'
# No network, few capabilities, no new privileges.
expect 0 run -- 'cat /proc/self/status /proc/net/dev'
said '^NoNewPrivs:[[:space:]]*1$'
! grep -qE '^ *(eth|ens|enp|wlan)' "$work/out" || fail "the container has a network"
# The masks of podman.
expect 0 run -- 'cat /proc/kcore > /dev/null && ls /proc/acpi /sys/firmware 2> /dev/null; exit 0'

# run's own failures: 125, and the precise code on a descriptor of its own.
expect 125 "$intact" run --runtime runc --status-fd 3 app 3> "$work/status"
grep -qx 5 "$work/status" || fail "--status-fd said $(cat "$work/status")"
expect 125 "$intact" run --pub "$work/key.pub" --status-fd 3 nothing 3> "$work/status"
grep -qx 7 "$work/status" || fail "--status-fd said $(cat "$work/status")"

# With --json what kept the container from running is an object on stdout, which is the container's otherwise.
# not_run STATUS KIND COMMAND...
not_run() {
  expect "$1" "${@:3}"
  jq -e --arg kind "$2" --argjson status "$1" '.ok == false and .error == $kind and .status == $status' "$work/out" > /dev/null ||
    fail "'${*:3}' prints $(cat "$work/out")"
  grep -q '^intact: ' "$work/err" || fail "'${*:3}' says nothing on stderr"
}
not_run 125 not_found "$intact" run --json --pub "$work/key.pub" nothing true
not_run 125 untrusted "$intact" run --json app true
not_run 127 not_found "$intact" run --json --pub "$work/key.pub" --entrypoint nonsense app
not_run 125 invalid_argument "$intact" run --json --pub "$work/key.pub" --on-damage never app true
expect 3 "$intact" run --json --pub "$work/key.pub" --entrypoint sh app -c 'echo own; exit 3'
equal "$(cat "$work/out")" own "stdout of a container with --json"

# A program that was tampered with does not run: every block of it is refused when it is read.
unpack_image "$work/layout" latest
busybox=$INTACT_STORE/objects/$(object_of "$work/unpacked/rootfs/bin/busybox")
flip "$busybox" 1000
status=0
run > "$work/out" 2> "$work/err" || status=$?
((status >= 125)) || fail "a damaged program ran: exit status $status"
! grep -q 'hello from' "$work/out" || fail "a damaged program ran"
flip "$busybox" 1000
expect 0 run

# Nothing stays mounted, nothing stays behind.
equal "$(wc -l < /proc/self/mountinfo)" "$before" "number of mounts"
