# composefs images of the test image's root directory, beside mkcomposefs.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
has umoci || { echo 'umoci is not there: it makes the directory'; exit 0; }

need_image
# shellcheck disable=SC2046
umoci --log error unpack $( ((EUID == 0)) || echo --rootless) --image "$image:latest" "$work/unpacked"
rootfs=$work/unpacked/rootfs
printf '%s entries, %s\n' "$(find "$rootfs" | wc -l)" "$(du -sh "$rootfs" | cut -f 1)"

# compare WANTED WHAT BEFORE ARGUMENT...: both programs with these arguments, SOURCE first; how many times as fast
# ours should be.
compare() {
  local wanted=$1 what=$2 before=$3
  shift 3
  measure "intact composefs create, $what" "$before" "\"\$intact\" composefs create $*"
  local ours=$median ours_cpu=$cpu
  has mkcomposefs || return 0
  measure '  beside it: mkcomposefs' "$before" "mkcomposefs $*"
  target '  times as fast' "$(ratio "$median" "$ours")" at-least "$wanted"
  printf '%-48s %8.2f\n' '  by processor time' "$(ratio "$cpu" "$ours_cpu")"
}
# shellcheck disable=SC2016
compare 4 'digest only' : '--print-digest-only "$rootfs"'
# shellcheck disable=SC2016
compare 4 'image' 'rm -f "$work/cfs"' '"$rootfs" "$work/cfs"'
# shellcheck disable=SC2016
compare 2 'image and objects' 'rm -rf "$work/cfs" "$work/objects"' '--digest-store "$work/objects" "$rootfs" "$work/cfs"'
# shellcheck disable=SC2016
compare 2 'image, the objects being there' : '--digest-store "$work/objects" "$rootfs" "$work/cfs"'
