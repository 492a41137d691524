# dm-integrity through NBD beside the raw file through the same front end: 512 MiB in order (SIZE_MIB: another size),
# 4 KiB here and there, writes with the same flushes; and how long it takes to open a very large device. The files are
# in memory, then on the disk of TMPDIR; the client is libnbd's or qemu's and the same for both. What a write costs
# where the disk is what all wait for is measured without a front end on the model of a disk in integrity_bench.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

for tool in nbdkit nbdcopy qemu-img; do has "$tool" || { echo "$tool is not there"; exit 0; }; done
memory=$(mktemp -d /dev/shm/intact-bench.XXXXXX) || exit 0
servers=()
trap 'kill "${servers[@]}" 2> /dev/null || :; wait; wipe "$memory"; cleanup' EXIT
# Each takes a fraction of a second, and one differs much from another.
runs=$((3 * runs))
mib=${SIZE_MIB:-512}
size=$((mib << 20))
head -c "$size" /dev/urandom > "$memory/image"

# serve SOCKET COMMAND...: in the background, until it can be reached
serve() {
  "$intact" "${@:2}" --nbd "$memory/$1" > /dev/null &
  servers+=($!)
  for ((i = 0; i < 200; i++)); do
    [[ ! -S $memory/$1 ]] || return 0
    sleep 0.05
  done
  echo "$1 is not served" >&2
  return 1
}
# Fills what is served, by requests as large as those of the writes that are measured: the page cache keeps a file in
# pieces as large as what brought them, and each piece costs at every write.
fill() { nbdcopy --request-size=1048576 --flush "$memory/image" "$(uri "$1")"; }
# raw_in DIR NAME, with_hash DIR NAME HASH [OPTION...]: a file or device of that name in DIR, with the image in it,
# served as NAME.sock. The journal is as large as that of a usual device.
raw_in() {
  truncate -s "$size" "$1/$2"
  serve "$2.sock" open --format raw "$1/$2"
  fill "$2.sock"
}
with_hash() {
  truncate -s $((size + size / 8 + (128 << 20))) "$1/$2"
  "$intact" integrity format "$1/$2" --no-wipe --sector-size 4096 --integrity "$3" --journal-size $((64 << 20)) > /dev/null
  "$intact" integrity resize "$1/$2" --integrity "$3" --size $((size / 512)) > /dev/null
  serve "$2.sock" integrity open "$1/$2" --integrity "$3" "${@:4}"
  fill "$2.sock"
}
# beside_raw NAME HOW URI RAW_URI: does HOW with both and sets ratio, the part of the raw file's speed.
beside_raw() {
  compare "$1" : "$2 '$3'" 'raw file' : "$2 '$4'"
  ratio=$(ratio "$peer_median" "$median")
}
uri() { printf 'nbd+unix:///?socket=%s/%s\n' "$memory" "$1"; }
# Over several connections, as all processors take part in the bound: each has one thread of the server.
in_order() { nbdcopy --connections=4 "$1" null:; }
here_and_there() { qemu-img bench -t none -f raw -c 20000 -d 16 -s 4096 -S $((4096 * 1009)) "$1"; }
# Flushed every 16 MiB, and at the end.
written() { qemu-img bench -w -t none -f raw --flush-interval=16 -c "$mib" -d 4 -s 1M "$1"; }

raw_in "$memory" raw
raw=$(uri raw.sock)
with_hash "$memory" crc crc32c
beside_raw 'crc32c, in order' in_order "$(uri crc.sock)" "$raw"
target '  of its speed' "$ratio" at-least 0.8
beside_raw 'crc32c, 20000 of 4 KiB' here_and_there "$(uri crc.sock)" "$raw"
target '  of its speed' "$ratio" at-least 0.7
beside_raw 'crc32c, journal, writes in order' written "$(uri crc.sock)" "$raw"
target '  of its speed' "$ratio" at-least 0.45
with_hash "$memory" bitmap crc32c --integrity-bitmap-mode
beside_raw 'crc32c, bitmap, writes in order' written "$(uri bitmap.sock)" "$raw"
target '  of its speed' "$ratio" at-least 0.85

# The flushes are real here. Where the disk is faster than processors that copy, those are the limit.
raw_in "$work" disk_raw
with_hash "$work" disk_crc crc32c
with_hash "$work" disk_bitmap crc32c --integrity-bitmap-mode
beside_raw 'on disk: journal, writes in order' written "$(uri disk_crc.sock)" "$(uri disk_raw.sock)"
target '  of its speed' "$ratio" at-least 0.45
beside_raw 'on disk: bitmap, writes in order' written "$(uri disk_bitmap.sock)" "$(uri disk_raw.sock)"
target '  of its speed' "$ratio" at-least 0.85
# to_model MODE: MB/s on the disk of 200 MB/s
to_model() {
  "$BUILD/bin/integrity_bench" --benchmark_filter="writes_to_disk/$1/" --benchmark_format=csv \
    --benchmark_min_time=2 2> /dev/null | awk -F , '/writes_to_disk/ { print $6 / 1e6 }'
}
model=$(to_model raw)
printf '%-48s %8.1f MB/s\n' 'model of a disk: raw file' "$model"
target '  journal, of its speed' "$(ratio "$(to_model journal)" "$model")" at-least 0.45
target '  bitmap, of its speed' "$(ratio "$(to_model bitmap)" "$model")" at-least 0.85

with_hash "$memory" sha sha256
declare -A rates
while read -r name value; do rates[$name]=$value; done < <("$BUILD/bin/digest_rates" "$memory/image")
beside_raw 'sha256, in order' in_order "$(uri sha.sock)" "$raw"
# What hashing takes of all processors is added to what serving takes.
bound=$(awk -v raw="$peer_median" -v size="$size" -v rate="${rates[sha256-fastest-all]}" 'BEGIN { print raw + size / rate / 1e9 }')
target '  of the bound, hashing and serving' "$(ratio "$median" "$bound")" at-most 1.3

# 80,000,016,284 sectors, all of them holes.
truncate -s $((80000016284 * 512)) "$memory/large"
"$intact" integrity format "$memory/large" --no-wipe > /dev/null
measure 'open and close 80,000,016,284 sectors' : '"$intact" integrity replay "$memory/large" --in-place'
target '  in milliseconds' "$(ratio "$median" 1 1000)" at-most 100
