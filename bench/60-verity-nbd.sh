# Verified reads over NBD beside nbdkit's file plugin on the same file: all of it in order, and 4 KiB here and
# there. The client is qemu's or libnbd's and the same for both; the file is in the page cache.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

for tool in nbdkit nbdcopy qemu-img; do has "$tool" || { echo "$tool is not there"; exit 0; }; done
memory=$(mktemp -d /dev/shm/intact-bench.XXXXXX) || exit 0
servers=()
trap 'kill "${servers[@]}" 2> /dev/null || :; wipe "$memory"; cleanup' EXIT
size=$((512 << 20))
head -c "$size" /dev/urandom > "$memory/data"
"$intact" verity format "$memory/data" "$memory/tree" --root-hash-file "$memory/root" > /dev/null

"$intact" verity open "$memory/data" "$memory/tree" --root-hash-file "$memory/root" --nbd "$memory/ours" > /dev/null &
servers+=($!)
nbdkit --foreground --readonly --unix "$memory/theirs" file "$memory/data" &
servers+=($!)
for socket in ours theirs; do
  until [[ -S $memory/$socket ]]; do sleep 0.05; done
done
# shellcheck disable=SC2034
ours="nbd+unix:///?socket=$memory/ours" theirs="nbd+unix:///?socket=$memory/theirs"

# shellcheck disable=SC2034
in_order() { nbdcopy --connections=4 "$1" null:; }
here_and_there() {  # 40000 reads, 16 at a time; the same places every time
  qemu-img bench -t none -f raw -c 40000 -d 16 -s 4096 -S $((4096 * 1009)) "$1"
}
compare 'verified reads over NBD, 512 MiB in order' : 'in_order "$ours"' "nbdkit's file plugin" : 'in_order "$theirs"'
target '  of its speed' "$(ratio "$peer_median" "$median")" at-least 0.7
compare 'verified reads over NBD, 40000 of 4 KiB' : 'here_and_there "$ours"' "nbdkit's file plugin" : \
  'here_and_there "$theirs"'
target '  of its speed' "$(ratio "$peer_median" "$median")" at-least 0.7
