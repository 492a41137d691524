#!/usr/bin/env bash
# A server that is killed leaves no mount that hangs: the next command clears it away.
. "$(dirname "$0")/lib.sh"
requires_fuse
pulled_image
mkdir "$work/mnt"
expect 0 "$intact" mount app "$work/mnt" --pub "$work/key.pub"
cat "$work/mnt/etc/motd" > /dev/null
pid=$(for dir in /proc/[0-9]*; do
  if [[ $(readlink "$dir/exe" 2> /dev/null) == "$intact" ]] && tr '\0' ' ' < "$dir/cmdline" | finds "$work/mnt"; then
    echo "${dir#/proc/}"
  fi
done | head -1)
[[ -n $pid ]] || fail "the server of the mount is not to be found"
# It holds no descriptor of the terminal or of what started it.
for fd in 0 1 2; do
  [[ ! -e /proc/$pid/fd/$fd || $(readlink "/proc/$pid/fd/$fd") != *"$work/out"* ]] || fail "descriptor $fd is still open"
done
kill -KILL "$pid"
await_end "$pid"
! cat "$work/mnt/etc/motd" 2> /dev/null || fail "a mount whose server was killed can be read"
expect 0 timeout 300 "$intact" mount app "$work/mnt" --pub "$work/key.pub"
cat "$work/mnt/etc/motd" > /dev/null
expect 0 timeout 300 "$intact" umount "$work/mnt"

# Nothing of the killed server is left, nor of those that ended by themselves.
runtime=$XDG_RUNTIME_DIR/intact
((EUID != 0)) || runtime=/run/intact
! grep -qsx "$pid" "$runtime"/mount-*.pid || fail "the record of the killed server is still in $runtime"

# A signal that comes as soon as there is a mount ends the server, and leaves no mount without one. Only root mounts
# without the help of fusermount3, which cannot be traced.
if ((EUID == 0)) && (requires strace) && strace -o /dev/null true 2> /dev/null; then
  : > "$work/file"
  for signal in TERM INT HUP QUIT; do
    early=(strace -f -qq -o "$work/trace" -e trace=mount -e "inject=mount:signal=$signal")
    expect 0 "${early[@]}" "$intact" mount app "$work/mnt" --pub "$work/key.pub" --foreground
    grep -q "SIG$signal" "$work/trace" || fail "no SIG$signal was sent: $(< "$work/trace")"
    ! grep -q " $work/mnt " /proc/self/mountinfo || fail "SIG$signal left a mount"
    expect 0 "${early[@]}" "$intact" open "$work/key.pub" --fuse "$work/file"
    ! grep -q " $work/file " /proc/self/mountinfo || fail "SIG$signal left a mounted file"
  done
  expect 1 "${early[@]}" "$intact" mount app "$work/mnt" --pub "$work/key.pub"
  said 'the server ended before it was ready'
  ! grep -q " $work/mnt " /proc/self/mountinfo || fail "the signal left a mount in the background"
  # Without one it serves.
  expect 0 strace -D -f -qq -o "$work/trace" -e trace=mount "$intact" mount app "$work/mnt" --pub "$work/key.pub"
  cat "$work/mnt/etc/motd" > /dev/null
  expect 0 timeout 300 "$intact" umount "$work/mnt"
fi
