#!/usr/bin/env bash
# umount asks nobody who could keep it waiting and ends no process that is not a server of the caller: sockets whose
# listener does not answer, is another program, has become another user's, and a FUSE server that never replies.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires python3
requires nbdkit
cd "$work" || exit
cat > listener.py << 'END'
# listener.py SOCKET KIND: listens, and is then what KIND says.
import os, socket, sys, time
path, kind = sys.argv[1:]
s = socket.socket(socket.AF_UNIX)
s.bind(path)
os.chmod(path, 0o777)
if kind == 'recycled': os.seteuid(65534)
s.listen(0) # here the kernel notes who listens
if kind == 'recycled': os.seteuid(0)
s.set_inheritable(True)
waiting = []
while kind == 'full':
    c = socket.socket(socket.AF_UNIX)
    c.setblocking(False)
    waiting.append(c)
    try: c.connect(path)
    except BlockingIOError: break
open(path + '.ready', 'w').close()
if kind in ('recycled', 'named'):
    # What the command line of a server begins with and has in it.
    os.execv('/bin/bash', ['nbdkit', '-c', 'sleep 300 & wait', 'stack-fd=9'])
time.sleep(300)
END
# listen SOCKET KIND [AS]: sets `listener`
listen() {
  "${@:3}" python3 listener.py "$1" "$2" > /dev/null 2>&1 &
  listener=$!
  await test -e "$1.ready"
}
# survives: the process was not ended
survives() { kill -0 "$listener" 2> /dev/null || fail "umount ended the process of $1"; }

listen full.sock full
expect 8 timeout 60 "$intact" umount full.sock
said '^intact: full.sock: the server does not answer'
survives 'a listener that takes no connections'

listen other.sock other
expect 7 timeout 60 "$intact" umount other.sock
said '^intact: other.sock: the server that listens there is not one of `intact ... open --nbd`'
survives 'another program'

# Its twin: what looks like a server of the caller is ended.
listen named.sock named
await eval 'tr "\0" " " < "/proc/$listener/cmdline" | grep -q ^nbdkit'
expect 0 timeout 60 "$intact" umount named.sock
! kill -0 "$listener" 2> /dev/null || fail 'the server was not ended'

if ((EUID == 0)); then
  # The number of a listener that has ended may be that of somebody else's process by now.
  listen "$work/recycled.sock" recycled
  await eval 'tr "\0" " " < "/proc/$listener/cmdline" | grep -q ^nbdkit'
  expect 7 timeout 60 "$intact" umount recycled.sock
  said '^intact: recycled.sock: the server that listens there is not one of'
  survives 'a number that was taken again'

  # The server of another user.
  user_space
  chmod 711 "$work"
  listen "$work/root.sock" named
  await eval 'tr "\0" " " < "/proc/$listener/cmdline" | grep -q ^nbdkit'
  expect 7 as_user timeout 60 "$intact" umount "$work/root.sock"
  said 'root.sock: the server that listens there is not one of'
  survives root

  # A FUSE server that never replies, not even to the first request; it is found in the table of mounts.
  mkdir stuck
  cat > stuck.py << 'END'
import ctypes, os, sys, time
fd = os.open('/dev/fuse', os.O_RDWR)
c = ctypes.CDLL(None, use_errno=True)
options = 'fd=%d,rootmode=40000,user_id=%s,group_id=0,allow_other' % (fd, sys.argv[2])
if c.mount(b'stuck', sys.argv[1].encode(), b'fuse', 6, options.encode()): sys.exit(os.strerror(ctypes.get_errno()))
open(sys.argv[1] + '.ready', 'w').close()
time.sleep(300)
END
  for user in 0 65534; do
    python3 stuck.py "$work/stuck" "$user" > /dev/null 2>&1 &
    server=$!
    await test -e stuck.ready
    expect 7 timeout 60 "$intact" umount "$work/stuck"
    said '/stuck: not an Intact mount; run `intact mount` to list them'
    expect 0 timeout 60 "$intact" mount
    ! grep -q /stuck "$work/out" || fail 'the mount of another program is listed'
    kill -KILL "$server"
    await_end "$server"
    umount -l stuck
    rm stuck.ready
  done
fi
