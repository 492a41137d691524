# Reading through a mount: what verification costs, what the kernel keeps, names and attributes beside the
# kernel's own EROFS. What the server takes of the processors is counted with what the reader takes.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

tool=$BUILD/bin/tree_tool
size=${MOUNT_BYTES:-1073741824}
mkdir "$work/mnt" "$work/kernel" "$work/root"
echo bench > "$work/password"
"$intact" keygen "$work/key" --password-file "$work/password" > /dev/null 2>&1
openssl enc -aes-128-ctr -pass pass:1 -nosalt < /dev/zero 2> /dev/null | head -c "$size" > "$work/root/large" || :

# seal_and_pull NAME LAYOUT:TAG: into a store of its own
seal_and_pull() {
  "$intact" seal "oci:$2" --key "$work/key.key" --password-file "$work/password"
  INTACT_STORE=$work/store-$1 "$intact" pull "oci:$2-sealed" "$1" --pub "$work/key.pub"
} > /dev/null 2>&1
attach() { INTACT_STORE=$work/store-$1 "$intact" mount "$1" "$work/mnt" --pub "$work/key.pub" --verity "$2"; } > /dev/null 2>&1
detach() { "$intact" umount "$work/mnt"; }

# shellcheck source=tools/oci-layout.sh
source "$root/tools/oci-layout.sh"
layout_init "$work/image"
tar -C "$work/root" -cf "$work/layer" large
layout_layer "$work/image" "$work/layer" none
layout_image "$work/image" large '{}'
seal_and_pull large "$work/image:large"
find "$work/store-large/objects" -type f -exec cat {} + > /dev/null

server_ticks() { awk '{ print $14 + $15 }' "/proc/$(pgrep -n -f "mount large $work/mnt")/stat"; }
per_second=$(getconf CLK_TCK)
declare -A first cpus second
for ((i = 0; i < runs; i++)); do
  for mode in require off; do
    attach large "$mode"
    in_use "$work"
    before=$(server_ticks)
    once : '"$tool" read "$work/mnt/large"'
    first[$mode]+=" $wall"
    cpus[$mode]+=" $(awk -v c="$used" -v t="$(($(server_ticks) - before))" -v h="$per_second" 'BEGIN { print c + t / h }')"
    once : '"$tool" read "$work/mnt/large"'
    second[$mode]+=" $wall"
    detach
  done
  once : '"$tool" read "$work/root/large"'
  second[native]+=" $wall"
done
# shellcheck disable=SC2086
rate_of() { ratio "$size" "$(median_of $1)" 1e-9; }
# shellcheck disable=SC2086
for mode in require off; do
  printf '%-48s %8.3f GB/s  (processors %.3f s)\n' "first read of a large file, --verity $mode" \
    "$(rate_of "${first[$mode]}")" "$(median_of ${cpus[$mode]})"
done
target '  verified to unverified' "$(ratio "$(rate_of "${first[require]}")" "$(rate_of "${first[off]}")")" at-least 0.6
# shellcheck disable=SC2086
target '  the same by processor time' "$(ratio "$(median_of ${cpus[off]})" "$(median_of ${cpus[require]})")" at-least 0.6
printf '%-48s %8.3f GB/s\n' 'second read, verified' "$(rate_of "${second[require]}")" \
  '  beside it: a native file in the page cache' "$(rate_of "${second[native]}")"
target '  to the native file' "$(ratio "$(rate_of "${second[require]}")" "$(rate_of "${second[native]}")")" at-least 0.9

need_image
cp -a "$image" "$work/demo"
seal_and_pull demo "$work/demo:latest"
walk() { "$tool" walk "$work/$1"; }
reattach() { detach || :; attach demo require; }
kernel_again() { umount "$work/kernel" || :; mount -t erofs -o loop,ro "$work"/store-demo/images/* "$work/kernel"; }
if ((EUID == 0)) && kernel_again 2> /dev/null; then
  compare 'walk with stat, fresh mount' reattach 'walk mnt' 'EROFS of the kernel, fresh mount' kernel_again 'walk kernel'
  target '  times the kernel' "$(ratio "$median" "$peer_median")" at-most 5
  compare 'walk with stat, again' : 'walk mnt' 'EROFS of the kernel, again' : 'walk kernel'
  target '  times the kernel' "$(ratio "$median" "$peer_median")" at-most 3
  umount "$work/kernel"
else
  measure 'walk with stat, fresh mount' reattach 'walk mnt'
  measure 'walk with stat, again' : 'walk mnt'
  echo '  (no EROFS of the kernel to compare with: not root, or no loop devices)'
fi
detach
