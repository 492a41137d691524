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

# A signal that comes as soon as there is a mount ends the server, and leaves no mount without one. The mount takes a
# while to return, so that there is time for the signal. Only root mounts without the help of fusermount3, which cannot
# be traced.
is_mounted() { grep -q " $1 " /proc/self/mountinfo; }
# early PLACE COMMAND...: starts it, and waits until something is mounted there; with -D it is the child of this shell
early() {
  local place=$1
  shift
  strace -D -f -qq -o "$work/trace" -e trace=mount -e inject=mount:delay_exit=1000000 "$@" > "$work/early" 2>&1 < /dev/null &
  server=$!
  await is_mounted "$place"
}
if ((EUID == 0)) && (requires strace) && strace -o /dev/null true 2> /dev/null; then
  : > "$work/file"
  mount=("$intact" mount app "$work/mnt" --pub "$work/key.pub" --foreground)
  # Children of a shell without job control ignore SIGINT and SIGQUIT.
  for signal in TERM HUP; do
    early "$work/mnt" "${mount[@]}"
    kill "-$signal" "$server"
    ended 0
    ! is_mounted "$work/mnt" || fail "SIG$signal left a mount"
    early "$work/file" "$intact" open "$work/key.pub" --fuse "$work/file"
    kill "-$signal" "$server"
    ended 0
    ! is_mounted "$work/file" || fail "SIG$signal left a mounted file"
  done
  # Without one it serves.
  early "$work/mnt" "${mount[@]}"
  cat "$work/mnt/etc/motd" > /dev/null
  stop
fi
