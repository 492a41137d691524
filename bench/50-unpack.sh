# pull of the real test image beside umoci unpack, on disk and in memory; seal beside what it cannot leave
# out. On disk nothing is deleted between runs: file systems are slow to use numbers of files again that
# have just become free.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

need_image
echo bench > "$work/password"
"$intact" keygen "$work/key" --password-file "$work/password" > /dev/null 2>&1
cp -a "$image" "$work/image"
seal() { "$intact" seal "oci:$work/image:latest" "$@" --key "$work/key.key" --password-file "$work/password"; }
seal > /dev/null 2>&1

pull() { INTACT_STORE=$1 "$intact" pull "oci:$work/image:latest-sealed" app --pub "$work/key.pub"; }
rootless=$( ((EUID == 0)) || echo --rootless)
# shellcheck disable=SC2086
unpack() { umoci --log error unpack $rootless --image "$work/image:latest" "$1"; }
# beside_umoci WHERE DIRECTORY TIMES
beside_umoci() {
  local n=0 dir=$2
  mkdir -p "$dir"
  if ! has umoci; then
    measure "pull into an empty store, $1" 'sync; in_use "$dir"; n=$((n + 1))' 'pull "$dir/store$n"'
    return
  fi
  compare "pull into an empty store, $1" 'sync; in_use "$dir"; n=$((n + 1))' 'pull "$dir/store$n"' \
    "umoci unpack, $1" 'sync; in_use "$dir"' 'unpack "$dir/root$n"'
  target '  times as fast' "$(ratio "$peer_median" "$median")" at-least "$3"
  target '  the same by processor time' "$(ratio "$peer_cpu" "$cpu")" at-least "$3"
}
memory=$(mktemp -d /dev/shm/intact-bench.XXXXXX) || exit 0
trap 'wipe "$memory"; cleanup' EXIT
beside_umoci 'on disk' "$work/disk" 3
beside_umoci 'in memory' "$memory" 5

layers=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "latest").digest' \
  "$work/image/index.json")
mapfile -t layers < <(jq -r '.layers[].digest' "$work/image/blobs/sha256/${layers#sha256:}")
layers=("${layers[@]/#sha256:/$work/image/blobs/sha256/}")
# shellcheck disable=SC2034
n=0
compare 'seal' 'n=$((n + 1))' 'seal "oci:$memory/sealed$n:x"' \
  'inflating and hashing alone' : '"$BUILD/bin/bound_tool" "${layers[@]}"'
target '  times the bound, by the clock' "$(ratio "$median" "$peer_median")" at-most 1.3
# Every seal opens its key, which scrypt makes slow on purpose.
seal_cpu=$cpu
mkdir "$work/empty"
measure '  beside it: seal of an empty image' 'n=$((n + 1))' \
  '"$intact" seal "rootfs:$work/empty" "oci:$memory/empty$n:x" --key "$work/key.key" --password-file "$work/password"'
target '  times the bound without that, processors' "$(ratio "$(awk -v a="$seal_cpu" -v b="$cpu" 'BEGIN { print a - b }')" "$peer_cpu")" at-most 1.3
