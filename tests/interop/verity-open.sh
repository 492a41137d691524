#!/usr/bin/env bash
# intact verity open: a file, an NBD server and a copy of the same volume give the same verified bytes,
# and of a damaged one all but the damaged blocks. Clients are the kernel, libnbd's and qemu's.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
block=4096
blocks=600
head -c $((block * blocks)) /dev/urandom > data
# Zeros make holes.
dd if=/dev/zero of=data bs=$block seek=200 count=100 conv=notrunc status=none
"$intact" verity format data tree --root-hash-file root --fec-device parity > /dev/null
cp data good

# served ARGUMENT...: serves the volume in the background
served() { serve "$intact" verity open data tree --root-hash-file root "$@"; }
# Spoils blocks 17 and 18; good_again undoes it.
spoil() { dd if=/dev/urandom of=data bs=$block seek=17 count=2 conv=notrunc status=none; }
good_again() { dd if=good of=data bs=$block seek=17 count=2 skip=17 conv=notrunc status=none; }

# --- a copy ---------------------------------------------------------------------------------------
expect 0 "$intact" verity open data tree --root-hash-file root --to copy
same good copy
(($(stat -c %b copy) * 512 <= block * (blocks - 90))) || fail 'zeros are not holes'
expect 1 "$intact" verity open data tree --root-hash-file root --to copy
said 'already exists'
spoil
expect 3 "$intact" verity open data tree --root-hash-file root --to copy2
said 'DAMAGED data: data block 17 \(bytes 69632 to 73727\)'
[[ ! -e copy2 ]] || fail 'a copy of a damaged volume was left'
expect 0 "$intact" verity open data tree --root-hash-file root --fec-device parity --to corrected
said 'reads corrected'
same good corrected
expect 0 "$intact" verity open data tree --root-hash-file root --ignore-corruption --to bad
same data bad
good_again

# --- a file ---------------------------------------------------------------------------------------
# pages FILE: reads page by page and prints the numbers of those that fail with EIO; all others must be good.
pages() {
  perl -e '
    use Errno; my ($file, $good, $size) = @ARGV;
    open(my $f, "<:raw", $file) or die "$file: $!\n"; open(my $g, "<:raw", $good) or die;
    for (my $i = 0; $i * $size < -s $good; $i++) {
      sysseek($f, $i * $size, 0); sysseek($g, $i * $size, 0);
      sysread($g, my $want, $size);
      my $n = sysread($f, my $got, $size);
      if (!defined $n) { $!{EIO} or die "page $i: $!\n"; print "$i\n"; next }
      $got eq $want or die "page $i has wrong bytes\n";
    }' "$1" good $block
}
if (requires_fuse); then
  echo before > file
  served --fuse file
  same good file
  equal "$(pages file)" '' 'pages that fail'
  equal "$(stat -c %s file)" $((block * blocks)) size
  ! { echo x > file; } 2> /dev/null || fail 'the file can be written to'
  expect 8 "$intact" verity open data tree --root-hash-file root --fuse file
  said '^intact: .*file: a mount point already'
  stop
  equal "$(cat file)" before 'what is below the mount'
  # Nobody could end a server whose number is lost; its twin is ended by it.
  expect 7 "$intact" verity open data tree --root-hash-file root --fuse file --daemon --log fuse.log --pid-file absent/pid
  said '^intact: --pid-file: absent: No such file or directory'
  equal "$(cat file)" before 'what is left without a pid file'
  [[ -z $(fuser fuse.log 2> /dev/null) ]] || fail 'a server is left without a pid file'
  expect 0 "$intact" verity open data tree --root-hash-file root --fuse file --daemon --log fuse.log --pid-file pid
  same good file
  kill -TERM "$(cat pid)"
  await_end "$(cat pid)"
  equal "$(cat file)" before 'what is below the mount'
  spoil
  served --fuse file
  equal "$(pages file | tr '\n' ' ')" '17 18 ' 'pages that fail'
  grep -q 'DAMAGED data: data block 18' served.err || fail 'damage is not logged'
  stop
  grep -q 'reads of damaged blocks' served.err || fail 'damage is not counted'
  served --fuse file --fec-device parity
  same good file
  stop
  grep -q 'reads corrected' served.err || fail 'corrected blocks are not counted'
  # The first damage ends it.
  served --fuse file --restart-on-corruption
  ! cat file > /dev/null 2>&1 || fail 'damage was given out'
  ended 3
  equal "$(cat file)" before 'what is below the mount'
  good_again
  # In the background; its end is waited for.
  expect 0 "$intact" verity open data tree --root-hash-file root --fuse file --daemon
  said 'Ready'
  same good file
  expect 0 "$intact" umount file
  equal "$(cat file)" before 'what is below the mount'
  # Killed, it hangs nobody, and the next one clears up.
  served --fuse file
  kill -KILL "$server"
  ended 137
  ! timeout 300 cat file > /dev/null 2>&1 || fail 'a dead mount gives bytes'
  served --fuse file
  same good file
  stop
  expect 2 "$intact" verity open data tree --root-hash-file root --fuse .
  said 'not a regular file'
fi

# --- NBD ------------------------------------------------------------------------------------------
if (requires nbdkit nbdcopy nbdinfo nbdsh qemu-img qemu-io); then
  uri="nbd+unix:///?socket=$work/sock"
  nbdsh() { PATH=/usr/bin:$PATH command nbdsh "$@"; }
  served --nbd sock
  grep -qF "$uri" served.out || fail 'the address is not told'
  equal "$(stat -c %a sock)" 600 'mode of the socket'
  equal "$(nbdinfo --size "$uri")" $((block * blocks)) size
  nbdinfo --is read-only "$uri" || fail 'not read-only'
  nbdinfo --can multi-conn "$uri" || fail 'no multi-conn'
  nbdcopy --connections=4 --threads=4 "$uri" copied
  same good copied
  qemu-img compare -f raw -F raw good "$uri" > /dev/null || fail 'qemu-img reads something else'
  expect 1 qemu-io -f raw -c 'write 0 512' "$uri"
  said 'Permission denied|Read-only|read-only'
  expect 8 "$intact" verity open data tree --root-hash-file root --nbd sock
  said '^intact: .*sock: .*(in use|already)'
  stop
  [[ ! -e sock ]] || fail 'the socket is still there'

  spoil
  served --nbd sock
  expect 1 nbdcopy "$uri" copied
  said 'Input/output error'
  # Requests of a page each: those before, beside and behind the damage are served.
  for ((i = 14; i < 22; i++)); do
    if ((i == 17 || i == 18)); then
      expect 1 qemu-io -r -f raw -c "read $((i * block)) $block" "$uri"
      said 'read failed: Input/output error'
    else
      expect 0 qemu-io -r -f raw -c "read $((i * block)) $block" "$uri"
    fi
  done
  # Not a byte of a bad block, and what shares a block with no damage whole.
  expect 1 qemu-io -r -f raw -c "read $((17 * block + 512)) 512" "$uri"
  said 'read failed: Input/output error'
  expect 0 qemu-io -r -f raw -c "read $((17 * block - 1024)) 1024" "$uri"
  stop
  grep -q 'DAMAGED data: data block 17 (bytes 69632 to 73727)' served.err || fail 'damage is not logged'
  grep -q 'reads of damaged blocks' served.err || fail 'damage is not counted'
  served --nbd sock --fec-device parity
  nbdcopy "$uri" - | cmp - good
  stop
  grep -q 'reads corrected' served.err || fail 'corrected blocks are not counted'
  served --nbd sock --ignore-corruption
  nbdcopy "$uri" - | cmp - data
  stop
  served --nbd sock --panic-on-corruption
  expect 0 qemu-io -r -f raw -c "read 0 $block" "$uri"
  # The server is gone before it answers, or after.
  expect 1 qemu-io -r -f raw -c "read $((17 * block)) $block" "$uri"
  said 'read failed: |Input/output error|Broken pipe|Connection reset|disconnected'
  ended 3
  good_again

  # A killed server leaves no process, and its socket is replaced.
  served --nbd sock
  kill -KILL "$server"
  ended 137
  [[ -S sock ]] || fail 'the socket of the killed server has gone by itself'
  expect 1 timeout 300 nbdinfo "$uri"
  said 'Connection refused'
  served --nbd sock
  nbdcopy "$uri" - | cmp - good
  # A client that is connected does not keep it.
  coproc nbdsh -u "$uri" -c 'h.pread(512, 0); print("connected", flush=True); import sys; sys.stdin.read()'
  read -r line <&"${COPROC[0]}"
  equal "$line" connected 'a client'
  stop
  eval "exec ${COPROC[1]}>&-"

  # Nor do clients that go away with answers outstanding end it. Where nbdkit could not bear that (up to 1.33.9) it
  # gets one thread for each connection.
  mkdir newer
  printf '#!/bin/sh\n[ "$1" != --version ] || { echo nbdkit 1.34.0; exit; }\nexec %s "$@"\n' "$(command -v nbdkit)" \
    > newer/nbdkit
  chmod +x newer/nbdkit
  served --nbd sock
  for ((i = 0; i < 20; i++)); do
    nbdsh -u "$uri" -c 'import os' -c "for i in range(16): h.aio_pread(nbd.Buffer($block), $block * i)" -c 'os._exit(0)'
  done
  nbdcopy "$uri" - | cmp - good
  tr '\0' '\n' < /proc/"$server"/cmdline > arguments
  stop
  if [[ $(nbdkit --version) == 'nbdkit 1.32'* ]]; then
    grep -qx -e --threads=1 arguments || fail 'several threads serve a connection'
  fi
  PATH=$work/newer:$PATH served --nbd sock
  tr '\0' '\n' < /proc/"$server"/cmdline > arguments
  nbdcopy "$uri" - | cmp - good
  stop
  ! grep -e --threads arguments || fail 'one thread alone serves a connection'

  # In the background: nothing of the terminal is held, so the substitution ends.
  ready=$(timeout 300 "$intact" verity open data tree --root-hash-file root --nbd sock --daemon --log nbd.log)
  [[ $ready == "Ready; log: $work/nbd.log" ]] || fail "it says: $ready"
  nbdcopy "$uri" - | cmp - good
  pid=$(fuser nbd.log 2> /dev/null | tr -d ' ')
  [[ -n $pid ]] || fail 'the server is not to be found'
  kill -TERM "$pid"
  await_end "$pid"
  [[ ! -e sock ]] || fail 'the socket is still there'
  # It is found by its socket or the file with its process id; no other listener is touched.
  expect 0 timeout 300 "$intact" verity open data tree --root-hash-file root --nbd sock --daemon --log nbd.log --pid-file pid
  pid=$(cat pid)
  equal "$(fuser nbd.log 2> /dev/null | tr -d ' ')" "$pid" 'process id'
  expect 0 "$intact" umount sock
  await_end "$pid"
  [[ ! -e sock ]] || fail 'the socket is still there'
  expect 7 "$intact" umount sock
  said 'sock: not an Intact mount'
  # Nobody could end a server whose number is lost.
  expect 7 "$intact" verity open data tree --root-hash-file root --nbd sock --daemon --log nbd.log --pid-file absent/pid
  said '^intact: --pid-file: absent: No such file or directory'
  [[ ! -e sock && -z $(fuser nbd.log 2> /dev/null) ]] || fail 'a server is left without a pid file'
  expect 2 "$intact" verity open data tree --root-hash-file root --nbd sock --pid-file pid
  said '^intact: --pid-file: needs --daemon'
  expect 8 "$intact" verity open data tree --root-hash-file root --nbd nbd.log --daemon
  said '^intact: .*nbd.log: '

  # TCP, at the first port that is free.
  for ((port = 20000 + $$ % 20000, i = 0; i < 20; i++, port++)); do
    status=0
    "$intact" verity open data tree --root-hash-file root --nbd "tcp:127.0.0.1:$port" --daemon --log tcp.log \
      > /dev/null 2> tcp.err || status=$?
    [[ $status != 8 ]] || continue
    break
  done
  equal "$status" 0 'status of a server by TCP'
  nbdcopy "nbd://127.0.0.1:$port" - | cmp - good
  kill -TERM "$(fuser tcp.log 2> /dev/null | tr -d ' ')"

  # TLS: with the key and not without.
  printf 'alice:%s\n' "$(printf %064d 7)" > psk
  chmod 600 psk
  served --nbd sock --tls-psk "$work/psk"
  expect 1 nbdinfo "$uri"
  said 'TLS|tls'
  nbdcopy "nbds+unix://alice@/?socket=$work/sock&tls-psk-file=$work/psk" - | cmp - good
  stop

  # Without nbdkit.
  expect 7 env PATH="$work" "$intact" verity open data tree --root-hash-file root --nbd sock
  said 'nbdkit: not installed'
  [[ ! -e sock ]] || fail 'a socket was left'
fi

# --- what cannot be meant -------------------------------------------------------------------------
expect 2 "$intact" verity open data tree --root-hash-file root
said '--fuse FILE, --nbd SOCKET, --to FILE'
expect 2 "$intact" verity open data tree "$(cat root)"
said '--fuse FILE, --nbd SOCKET, --to FILE, --dm DEVICE$'
expect 2 "$intact" verity open data name tree
said 'root hash: not given'
expect 2 "$intact" verity open data tree --root-hash-file root --to x --nbd sock
said '^intact: .*--(to|nbd)'
expect 2 "$intact" verity open data tree --root-hash-file root --to x --daemon
said '^intact: .*--daemon'
expect 2 "$intact" verity open data tree --root-hash-file root --to x --use-tasklets
said 'use-tasklets: only for device-mapper devices; pass --dm NAME'
expect 2 "$intact" verity open data tree --root-hash-file root --nbd tcp:localhost
said '^intact: .*tcp:localhost'
expect 2 "$intact" verity open data tree --root-hash-file root --root-hash-signature root --to x
said 'root-hash-signature: no certificate'
# tests/vm/40-verity-dm.sh has what a kernel with a device mapper does.
# A node proves nothing: libdevmapper leaves one behind.
if ! grep -q device-mapper /proc/misc && ! (: < /dev/mapper/control) 2> /dev/null; then
  expect 6 "$intact" verity open data tree --root-hash-file root --dm volume
  said 'device mapper: not available'
  for words in "verity open data volume tree $(cat root)" 'verity status volume' 'verity close volume' 'integrity close volume'; do
    # shellcheck disable=SC2086
    expect 6 "$intact" $words
    said 'device mapper: not available'
  done
fi
for end in --to --nbd --fuse; do
  : > wanted
  [[ $end == --fuse ]] || rm wanted
  expect 3 "$intact" verity open data tree "$(printf %064d 0)" $end wanted
  said 'does not match this root hash'
  expect 6 "$intact" verity open data data --root-hash-file root $end wanted
  said '^intact: data: not a dm-verity hash device'
  expect 7 "$intact" verity open nowhere tree --root-hash-file root $end wanted
  said '^intact: nowhere: '
  [[ $end == --fuse || ! -e wanted ]] || fail "$end left something"
done
