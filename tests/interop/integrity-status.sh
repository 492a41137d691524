#!/usr/bin/env bash
# intact integrity status: what a server counts can be asked for while it runs, over FUSE and NBD, in the foreground
# and as a daemon; one that was killed is not taken for one that runs.
. "$(dirname "$0")/lib.sh"
requires jq
cd "$work" || exit
truncate -s 8M disk
expect 0 "$intact" integrity format disk --sector-size 4096
sectors=$(jq .provided_data_sectors <("$intact" integrity dump disk --json))
cp disk whole
# asked JQ EXPECTED: what the one server of `disk` counts
asked() { equal "$("$intact" integrity status disk --json | jq -c ".servers[0]$1")" "$2" "$1"; }
servers() { equal "$("$intact" integrity status disk --json | jq '.servers | length')" "$1" 'servers'; }
# A block of which the first byte is another.
damaged() {
  cp whole disk
  printf x | dd of=disk bs=1 seek=$((6 << 20)) conv=notrunc status=none
}
# counts: nothing yet; then a read that meets damage
counts() {
  servers 1
  asked .mismatches 0
  asked .provided_data_sectors "$sectors"
  asked .recalc_sector null
  "$@" && fail 'a damaged block was read'
  "$intact" integrity status disk --json | jq -e '.active and .servers[0].mismatches >= 1' > /dev/null ||
    fail "not counted: $("$intact" integrity status disk --json)"
  expect 0 "$intact" integrity status disk
  said '^disk is active\.'
  said '^    failures: [1-9]'
}

servers 0
damaged
if (requires_fuse); then
  : > file
  serve "$intact" integrity open disk --fuse file
  counts dd if=file of=/dev/null bs=64K status=none
  expect 0 "$intact" umount file
  ended 0
  servers 0
fi

requires nbdkit nbdcopy
damaged
serve "$intact" integrity open disk --nbd sock
counts nbdcopy "nbd+unix:///?socket=$work/sock" null:
stop
servers 0
[[ -z $(find "$XDG_RUNTIME_DIR" /run/intact -name "status-*:$(stat -c %i disk)-*" 2> /dev/null) ]] ||
  fail 'a socket was left'

# Killed: nobody answers, and what was left goes away with the next question.
serve "$intact" integrity open disk --nbd sock
servers 1
kill -KILL "$server"
ended 137
servers 0
expect 0 "$intact" integrity status disk
said '^disk is inactive\.'

# Two that only read; and a daemon that recalculates.
cp whole disk
serve "$intact" integrity open disk --readonly --nbd sock
first=$server
serve "$intact" integrity open disk --readonly --nbd other
servers 2
stop
server=$first
stop
servers 0
expect 0 "$intact" integrity open disk --nbd sock --daemon --integrity-recalculate-reset
recalculated() { [[ $("$intact" integrity status disk --json | jq '.servers[0].recalc_sector') == "$sectors" ]]; }
await recalculated
asked .recalc_sector "$sectors"
pid=$("$intact" integrity status disk --json | jq '.servers[0].pid')
kill "$pid"
await_end "$pid"
servers 0

# What is neither a file nor a device.
expect 7 "$intact" integrity status nothing
said 'nothing(: no such file| is inactive)'
