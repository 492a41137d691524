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
# read_large NAME MODE: sets wall, and cpus with what the server took.
read_large() {
  local before took
  before=$(server_ticks)
  once : '"$tool" read "$work/mnt/large"'
  took=$(($(server_ticks) - before))
  walls[$1-$2]+=" $wall"
  cpus[$1-$2]+=" $(awk -v c="$used" -v t="$took" -v h="$per_second" 'BEGIN { print c + t / h }')"
  servers[$1-$2]+=" $took"
}
declare -A walls cpus servers
# They are short.
for ((i = 0; i < 3 * runs; i++)); do
  for mode in require off; do
    attach large "$mode"
    in_use "$work"
    for name in first second third; do read_large "$name" "$mode"; done
    detach
  done
  once : '"$tool" read "$work/root/large"'
  walls[native]+=" $wall"
done
# shellcheck disable=SC2086
rate_of() { ratio "$size" "$(median_of ${walls[$1]})" 1e-9; }
# shellcheck disable=SC2086
for mode in require off; do
  printf '%-48s %8.3f GB/s  (processors %.3f s)\n' "first read of a large file, --verity $mode" \
    "$(rate_of "first-$mode")" "$(median_of ${cpus[first-$mode]})"
done
target '  verified to unverified' "$(ratio "$(rate_of first-require)" "$(rate_of first-off)")" at-least 0.6
# shellcheck disable=SC2086
target '  the same by processor time' "$(ratio "$(median_of ${cpus[first-off]})" "$(median_of ${cpus[first-require]})")" at-least 0.6
# At the second read of a page the kernel marks it as used again, once, and for each page: those of a native
# file may be larger than those of FUSE.
# shellcheck disable=SC2086
for name in second third; do
  printf '%-48s %8.3f GB/s  (server %s ms)\n' "$name read, verified" "$(rate_of "$name-require")" \
    "$(ratio "$(median_of ${servers[$name-require]})" "$per_second" 1000)"
done
printf '%-48s %8.3f GB/s\n' '  beside it: a native file in the page cache' "$(rate_of native)"
for name in second third; do
  target "  $name to the native file" "$(ratio "$(rate_of "$name-require")" "$(rate_of native)")" at-least 0.9
done

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
