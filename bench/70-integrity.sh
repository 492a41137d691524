# dm-integrity through NBD beside the raw file through the same front end: 256 MiB in order (SIZE_MIB: another size),
# 4 KiB here and there, writes with the same flushes; and how long it takes to open a very large device. The files are
# in memory; the client is libnbd's or qemu's and the same for both.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

for tool in nbdkit nbdcopy qemu-img; do has "$tool" || { echo "$tool is not there"; exit 0; }; done
memory=$(mktemp -d /dev/shm/intact-bench.XXXXXX) || exit 0
servers=()
trap 'kill "${servers[@]}" 2> /dev/null || :; wipe "$memory"; cleanup' EXIT
mib=${SIZE_MIB:-256}
size=$((mib << 20))
head -c "$size" /dev/urandom > "$memory/image"

# serve SOCKET COMMAND...: in the background, until it can be reached
serve() {
  "$intact" "${@:2}" --nbd "$memory/$1" > /dev/null &
  servers+=($!)
  until [[ -S $memory/$1 ]]; do sleep 0.05; done
}
# with_hash NAME HASH: a device of that name, served
with_hash() {
  truncate -s $((size + size / 8 + (16 << 20))) "$memory/$1"
  "$intact" integrity format "$memory/$1" --sector-size 4096 --integrity "$2" > /dev/null
  serve "$1.sock" integrity open "$memory/$1" --integrity "$2" "${@:3}"
  nbdcopy --flush "$memory/image" "$(uri "$1.sock")"
}
uri() { printf 'nbd+unix:///?socket=%s/%s\n' "$memory" "$1"; }
truncate -s "$size" "$memory/raw"
serve raw.sock open --format raw "$memory/raw"
nbdcopy --flush "$memory/image" "$(uri raw.sock)"

# shellcheck disable=SC2034
raw=$(uri raw.sock)
# shellcheck disable=SC2034
crc=$(uri crc.sock)
# shellcheck disable=SC2034
sha=$(uri sha.sock)
# shellcheck disable=SC2034
bitmap=$(uri bitmap.sock)
# qemu reads what was written, and not the rest of the device.
in_order() { qemu-img bench -t none -f raw -c "$mib" -d 4 -s 1M "$1"; }
here_and_there() { qemu-img bench -t none -f raw -c 20000 -d 16 -s 4096 -S $((4096 * 1009)) "$1"; }
# Flushed every 16 MiB, and at the end.
written() { qemu-img bench -w -t none -f raw --flush-interval=16 -c "$mib" -d 4 -s 1M "$1"; }

with_hash crc crc32c
compare 'crc32c, in order' : 'in_order "$crc"' 'raw file' : 'in_order "$raw"'
target '  of its speed' "$(ratio "$peer_median" "$median")" at-least 0.8
compare 'crc32c, 20000 of 4 KiB' : 'here_and_there "$crc"' 'raw file' : 'here_and_there "$raw"'
target '  of its speed' "$(ratio "$peer_median" "$median")" at-least 0.7
compare 'crc32c, journal, writes in order' : 'written "$crc"' 'raw file' : 'written "$raw"'
target '  of its speed' "$(ratio "$peer_median" "$median")" at-least 0.45
with_hash bitmap crc32c --integrity-bitmap-mode
compare 'crc32c, bitmap, writes in order' : 'written "$bitmap"' 'raw file' : 'written "$raw"'
target '  of its speed' "$(ratio "$peer_median" "$median")" at-least 0.85

with_hash sha sha256
declare -A rates
while read -r name value; do rates[$name]=$value; done < <("$BUILD/bin/digest_rates" "$memory/image")
compare 'sha256, in order' : 'in_order "$sha"' 'raw file' : 'in_order "$raw"'
# What hashing takes of all processors is added to what serving takes.
bound=$(awk -v raw="$peer_median" -v size="$size" -v rate="${rates[sha256-fastest-all]}" 'BEGIN { print raw + size / rate / 1e9 }')
target '  of the bound, hashing and serving' "$(ratio "$median" "$bound")" at-most 1.3

# 80,000,016,284 sectors, all of them holes.
truncate -s $((80000016284 * 512)) "$memory/large"
"$intact" integrity format "$memory/large" --no-wipe > /dev/null
measure 'open and close 80,000,016,284 sectors' : '"$intact" integrity replay "$memory/large" --in-place'
target '  in milliseconds' "$(ratio "$median" 1 1000)" at-most 100
