#!/usr/bin/env bash
# run: what follows the image name is the container's; users, limits, environment, damage as promised.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires busybox jq fsverity
runtime=
for name in crun runc; do command -v "$name" > /dev/null && runtime=$name && break; done
[[ $runtime ]] || skip 'neither crun nor runc is there'
make_keys
root=$work/root
mkdir -p "$root"/{bin,etc,data,run/app,tmp,var/tmp}
chmod 1777 "$root/tmp" "$root/var/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh true cat df head id grep stat tail touch wc hostname sleep env; do ln -s busybox "$root/bin/$applet"; done
# Accounts that are named like numbers, and what the image has in places that are written to.
printf 'root:x:0:0::/root:/bin/sh\n1000:x:0:0::/root:/bin/sh\nshort:x:7:8\n' > "$root/etc/passwd"
printf 'root:x:0:\n2000:x:0:\n' > "$root/etc/group"
echo kept > "$root/run/app/state"
chmod 710 "$root/run/app"
head -c 300000 /dev/urandom > "$root/data/large"
head -c 6000000 /dev/urandom > "$root/run/app/six"
truncate -s 600M "$root/tmp/holes"
printf end >> "$root/tmp/holes"
head -c 6750 /dev/urandom | base64 -w 0 > "$root/data/small"
"$intact" seal "rootfs:$root" "oci:$work/layout:x" --key "$work/key.key" --password-file "$work/password" > /dev/null
"$intact" pull "oci:$work/layout:x" app --pub "$work/key.pub" > /dev/null

# with [OPTION...] -- COMMAND...
with() {
  local options=()
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  timeout 600 "$intact" run --pub "$work/key.pub" --runtime "$runtime" "${options[@]}" app "${@:2}"
}

# After the name nothing is an option of `run`.
expect 127 with -- --rw
said '^intact: --rw: command not found'
expect 0 with -- sh -c 'echo $0 $1; touch /new 2> /dev/null || echo read-only' --rw --network=host
said '^--rw --network=host$'
said '^read-only$'
expect 0 with -- sh -c 'grep -c . /proc/net/dev' --network host
said '^3$'
expect 0 "$intact" run app --pub "$work/key.pub" --runtime "$runtime" -- sh -c 'echo older form'
said '^older form$'
said 'warning: --pub after the image name'
expect 125 "$intact" run --pub "$work/key.pub" --no-such-option app
said '--no-such-option: unknown option'

# Digits are an id, for users and groups; names and short lines still work.
ids() { tr '\n' ' ' < "$work/out"; }
if ((EUID == 0)); then
  expect 0 with --user 1000 -- sh -c 'id -u; id -g; grep CapEff /proc/self/status'
  equal "$(ids)" $'1000 0 CapEff:\t0000000000000000 ' 'ids of --user 1000'
  expect 0 with --user 1000:2000 -- sh -c 'id -u; id -g'
  equal "$(ids)" '1000 2000 ' 'ids of --user 1000:2000'
  expect 0 with --user short -- sh -c 'id -u; id -g'
  equal "$(ids)" '7 8 ' 'ids of --user short'
fi
expect 0 with --user 0 -- id -u
said '^0$'
expect 125 with --user 4294967296 -- id -u
said '^intact: user 4294967296: out of range'

# What the image has in writable places is there, and stays as it was outside.
expect 0 with -- sh -c 'cat /run/app/state; stat -c %a /run/app; echo new > /run/app/state; cat /run/app/state'
equal "$(ids)" 'kept 710 new ' 'what /run has'
expect 0 with -- cat /run/app/state
said '^kept$'
expect 0 with --tmpfs /data:size=1m -- sh -c 'wc -c < /data/large; touch /data/new && echo writable'
equal "$(ids)" '300000 writable ' 'what a tmpfs starts with'
expect 0 with --tmpfs /data:notmpcopyup -- sh -c 'stat /data/large 2> /dev/null || echo empty'
said '^empty$'
expect 125 with --tmpfs /data:suid -- true
said 'unknown option "suid"'

# All of that has a limit, within --memory where that is given, and holes take nothing.
expect 0 with -- sh -c 'stat -c "%s" /tmp/holes; test $(stat -c %b /tmp/holes) -lt 100 && tail -c 3 /tmp/holes; echo; df -m /run | tail -n 1'
said '^629145603$'
said '^end$'
said ' 512 .* /run$'
expect 0 with --tmpfs-size 7m -- sh -c 'head -c 3000000 /dev/zero > /tmp/new 2> /dev/null || echo full'
said '^full$'
expect 125 with --tmpfs-size 5m --status-fd 3 -- true 3> "$work/status"
said '^intact: /run: what the image has in writable places does not fit into 5m; pass a larger --tmpfs-size, or put something else at /run with --volume or --tmpfs$'
equal "$(cat "$work/status")" 6 'status descriptor'
expect 0 with --tmpfs-size 5m --tmpfs /run:notmpcopyup -- true
expect 125 with --tmpfs-size 0 -- true
said '^intact: --tmpfs-size 0: not a limit'
if ((EUID == 0)); then
  expect 125 with --memory 5m -- true
  said 'does not fit into 5m; pass a larger --memory, or put something else at /run'
  # Six of the 24 MiB are taken: 12 fit, 20 would if the copy were free.
  allocate='head -c $1 /dev/zero | tail -c $1 | wc -c'
  expect 0 with --memory 24m -- sh -c "$allocate" sh 12000000
  said '^12000000$'
  expect 0 with --memory 24m --tmpfs /run:notmpcopyup -- sh -c "$allocate" sh 20000000
  said '^20000000$'
  ! with --memory 24m -- sh -c "$allocate" sh 20000000 2>&1 | grep -x 20000000 || fail 'the copy is free'
fi
expect 0 "$intact" export --pub "$work/key.pub" app "bundle:$work/bundle"
said '^intact: warning: /tmp: the image has 629149696 bytes in 1 file there, more than its tmpfs of 512m takes'
equal "$(jq -r '[.mounts[] | select(.type == "tmpfs" and (.options | any(startswith("size=")) | not)) | .destination] | join(" ")' "$work/bundle/config.json")" '' \
  'every tmpfs has a size'
rm -rf "$work/bundle"

# Names resolve, variables come from files, and later ones win.
expect 0 with --hostname box -- cat /etc/hosts
said '^127\.0\.0\.1.localhost$'
said '^127\.0\.1\.1.box$'
printf '# comment\nA=file\nB=file\nFROM_CALLER\n' > "$work/env"
FROM_CALLER=yes expect 0 with --env-file "$work/env" -e B=option -- sh -c 'echo $A $B $FROM_CALLER'
said '^file option yes$'
printf 'a b=c\n' > "$work/env"
expect 125 with --env-file "$work/env" -- true
said 'line 1: not of the form'

# Places that cannot be worked in, programs that cannot be run.
expect 125 with --workdir /etc/passwd -- true
said '^intact: working directory /etc/passwd: not a directory in the image$'
expect 125 with --workdir /nope -- pwd
said '^intact: working directory /nope: no such directory in the image, and no mount makes it$'
expect 0 with --workdir /data -- sh -c 'head -c 0 large && echo entered'
said '^entered$'
expect 126 with -- /etc/passwd
said '^intact: /etc/passwd: not a program that user 0 may execute'
expect 126 with -- /data
said '^intact: /data: not a program that user 0 may execute'

expect 0 with --rm --rw-size 1m -- sh -c 'touch /new && echo writable; head -c 3000000 /dev/zero > /big 2> /dev/null || echo full'
equal "$(ids)" 'writable full ' '--rw-size'
expect 0 with --init -- sh -c 'test $$ != 1 && echo under init'
said '^under init$'
if ((EUID == 0)); then
  expect 0 with --cap-drop all --cap-add net_raw -- grep CapEff /proc/self/status
  said '0000000000002000$'
  expect 2 with --pids-limit 5 -- sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 300 & done; wait'
  said "can't fork"
else
  expect 125 with --memory 64m -- true
  said '^intact: --memory: this user may not use control groups'
fi

# Damage is told from a crash, whatever the container makes of it.
expect 0 with --status-fd 3 -- sh -c 'cat /data/large | wc -c' 3> "$work/status"
equal "$(cat "$work/status")" 0 'status descriptor'
object=$INTACT_STORE/objects/$(object_of "$root/data/large")
flip "$object" 200000
expect 0 with --status-fd 3 -- sh -c 'cat /data/large > /dev/null 2>&1; echo went on' 3> "$work/status"
said '^went on$'
said '^intact: app: tampered: the container met 1 damaged block; run `intact verify app`$'
equal "$(cat "$work/status")" 3 'status descriptor'
expect 125 with --on-damage kill --status-fd 3 -- sh -c 'cat /data/large > /dev/null 2>&1; sleep 300; echo went on' 3> "$work/status"
! grep -q 'went on' "$work/out" || fail 'the container went on'
said '^intact: app: tampered: the container read damaged data and was killed; run `intact verify app`$'
equal "$(cat "$work/status")" 3 'status descriptor'
expect 125 with --on-damage other -- true
said '--on-damage other: not one of continue and kill'
# Damage is reported when both outputs share a pipe, which a program that splices the damaged file into
# it blocks meanwhile (busybox's cat does).
small=$INTACT_STORE/objects/$(object_of "$root/data/small")
piped() { (status=0; with "$@" || status=$?; echo "status $status") 2>&1 | cat; }
flip "$small" 5000
expect 0 piped --on-damage kill --status-fd 3 -- sh -c 'cat /data/small; sleep 300; echo went on' 3> "$work/status"
said 'intact: warning: damaged: /data/small: block 1 '
said '^intact: app: tampered: the container read damaged data and was killed; run `intact verify app`$'
said '^status 125$'
! grep -q '^went on' "$work/out" || fail 'the container went on'
equal "$(cat "$work/status")" 3 'status descriptor'
expect 0 piped --status-fd 3 --method fuse -- sh -c 'cat /data/small; echo; echo went on' 3> "$work/status"
said 'intact: warning: damaged: /data/small: block 1 '
said '^intact: app: tampered: the container met 1 damaged block; run `intact verify app`$'
said '^went on$'
said '^status 0$'
equal "$(cat "$work/status")" 3 'status descriptor'
flip "$small" 5000
expect 0 piped --on-damage kill --status-fd 3 -- sh -c 'cat /data/small | wc -c; echo went on' 3> "$work/status"
said '^9000$'
said '^went on$'
said '^status 0$'
equal "$(cat "$work/status")" 0 'status descriptor'
flip "$object" 200000
program=$INTACT_STORE/objects/$(object_of "$root/bin/busybox")
flip "$program" 100
expect 125 with --status-fd 3 -- true 3> "$work/status"
said '^intact: app: tampered: '
equal "$(cat "$work/status")" 3 'status descriptor'
flip "$program" 100
expect 0 with --on-damage kill -- sh -c 'cat /data/large | wc -c'
said '^300000$'
