# Memory and time as images grow: many files, and one large file. SCALE_FILES and SCALE_BYTES make it shorter.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

layer=$BUILD/bin/layer_tool
mkdir "$work/mnt"
echo bench > "$work/password"
"$intact" keygen "$work/key" --password-file "$work/password" > /dev/null 2>&1
# shellcheck source=tools/oci-layout.sh
source "$root/tools/oci-layout.sh"

# peak COMMAND...: sets wall (seconds) and peak (MiB resident)
peak() {
  /usr/bin/time -f '%e %M' -o "$work/peak" "$@" > /dev/null 2>&1
  read -r wall peak < <(tail -1 "$work/peak")
  peak=$((peak / 1024))
}

# life DIR: seals, pulls, verifies and mounts DIR/image; sets seconds and most (MiB) for each step.
life() {
  local pub=(--pub "$work/key.pub")
  export INTACT_STORE=$1/store
  seconds=() most=()
  peak "$intact" seal "oci:$1/image:x" --key "$work/key.key" --password-file "$work/password"
  seconds+=("$wall") most+=("$peak")
  peak "$intact" pull "oci:$1/image:x-sealed" app "${pub[@]}"
  seconds+=("$wall") most+=("$peak")
  peak "$intact" verify app "${pub[@]}"
  seconds+=("$wall") most+=("$peak")
  peak "$intact" mount app "$work/mnt" "${pub[@]}"
  seconds+=("$wall")
  "$BUILD/bin/tree_tool" walk "$work/mnt" > /dev/null
  most+=("$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$(pgrep -n -f "mount app $work/mnt")/status")")
  "$intact" umount "$work/mnt"
  wipe "$1"
}
highest_of() { printf '%s\n' "$@" | sort -g | tail -1; }

printf '%10s %21s %21s %21s %21s\n' files 'seal s (MiB)' 'pull s (MiB)' 'verify s (MiB)' 'mount s (MiB, walked)'
for files in ${SCALE_FILES:-10000 100000 1000000}; do
  mkdir "$work/n"
  layout_init "$work/n/image"
  "$layer" files "$files" > "$work/n/layer"
  layout_layer "$work/n/image" "$work/n/layer" zstd
  layout_image "$work/n/image" x '{}'
  life "$work/n"
  printf '%10d' "$files"
  for i in 0 1 2 3; do printf ' %14.2f (%4d)' "${seconds[i]}" "${most[i]}"; done
  printf '\n'
done
target 'mount of the largest, s' "${seconds[3]}" at-most 1
target 'most memory of the largest, MiB' "$(highest_of "${most[@]}")" at-most 1024

mkdir "$work/n"
layout_init "$work/n/image"
"$layer" large "${SCALE_BYTES:-4294967296}" > "$work/n/layer"
layout_layer "$work/n/image" "$work/n/layer" zstd
layout_image "$work/n/image" x '{}'
life "$work/n"
for i in 0 1 2; do
  step=(seal pull verify)
  printf '%-48s %8.2f s  (%d MiB)\n' "${step[i]} of a layer with one large file" "${seconds[i]}" "${most[i]}"
done
target 'most memory of the large layer, MiB' "$(highest_of "${most[@]:0:3}")" at-most 200
