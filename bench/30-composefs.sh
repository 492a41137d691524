# composefs images of the test image's root directory, beside mkcomposefs.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
has umoci || { echo 'umoci is not there: it makes the directory'; exit 0; }

need_image
# shellcheck disable=SC2046
umoci --log error unpack $( ((EUID == 0)) || echo --rootless) --image "$image:latest" "$work/unpacked"
rootfs=$work/unpacked/rootfs
printf '%s entries, %s\n' "$(find "$rootfs" | wc -l)" "$(du -sh "$rootfs" | cut -f 1)"

# beside WANTED WHAT BEFORE ARGUMENT...: both programs in turn with these arguments, SOURCE first; how many times
# as fast ours should be. $n is another number for each run.
# shellcheck disable=SC2034
n=0
beside() {
  local wanted=$1 what=$2 before="n=\$((n + 1)); $3"
  shift 3
  if ! has mkcomposefs; then
    measure "intact composefs create, $what" "$before" "\"\$intact\" composefs create $*"
    return
  fi
  compare "intact composefs create, $what" "$before" "\"\$intact\" composefs create $*" \
    mkcomposefs "$before" "mkcomposefs $*"
  target '  times as fast' "$(ratio "$peer_median" "$median")" at-least "$wanted"
  printf '%-48s %8.2f\n' '  by processor time' "$(ratio "$peer_cpu" "$cpu")"
}
# shellcheck disable=SC2016,SC2034
{
  beside 4 'digest only' : '--print-digest-only "$rootfs"'
  beside 4 'image' : '"$rootfs" "$work/cfs$n"'
  # Nothing is deleted between runs, as file systems are slow to use numbers of files again.
  beside 2 'image and objects' 'sync -f "$work"; in_use "$work"' \
    '--digest-store "$work/objects$n" "$rootfs" "$work/cfs$n"'
  measure '  beside it: cp and syncfs' 'n=$((n + 1)); sync -f "$work"; in_use "$work"' \
    'cp -a "$rootfs" "$work/copy$n" && sync -f "$work"'
  "$intact" composefs create --digest-store "$work/there" "$rootfs" "$work/cfs"
  beside 2 'image, the objects being there' : '--digest-store "$work/there" "$rootfs" "$work/cfs$n"'
}
