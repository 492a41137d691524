#!/usr/bin/env bash
# Random stacks of layers: the mount shows what umoci unpacks. SEED=N repeats one run.
. "$(dirname "$0")/lib.sh"
requires_root
requires_fuse
requires umoci jq getfattr
. "$root/tools/oci-layout.sh"
make_keys
mkdir "$work/mnt"
# shellcheck disable=SC2034
RANDOM=${SEED:=$(date +%s)}
echo "SEED=$SEED"

names=(a b c d e)
path() { # a random path of one to three components
  local depth=$((RANDOM % 3)) p=${names[RANDOM % 5]}
  while ((depth-- > 0)); do p+=/${names[RANDOM % 5]}; done
  printf '%s' "$p"
}
# One layer of entries that make sense: each path once, parents first, hard links to files of the layer.
layer() {
  local i p kind parent
  local -A kinds=([.]=dir)
  local files=()
  echo "dir . mtime=1$((RANDOM)).$((RANDOM + 100000000)) mode=755"
  for ((i = 0; i < 25; i++)); do
    p=$(path)
    parent=${p%/*}
    [[ $parent != "$p" ]] || parent=.
    [[ -z ${kinds[$p]:-} && ${kinds[$parent]:-} == dir ]] || continue
    local common="mode=$((RANDOM % 8))$((RANDOM % 8))$((RANDOM % 8)) uid=$((RANDOM % 3)) gid=$((RANDOM)) mtime=$((RANDOM * 40000)).5"
    kind=$((RANDOM % 12))
    kinds[$p]=other
    case $kind in
      0 | 1 | 2 | 3) kinds[$p]=dir; echo "dir $p $common" ;;
      4 | 5) files+=("$p"); echo "file $p $common fill=$((RANDOM % 9000))" ;;
      6) echo "file $p $common text=$RANDOM xattr:user.x=$RANDOM" ;;
      7) echo "symlink $p to=${names[RANDOM % 5]} mtime=$RANDOM" ;;
      8) echo "fifo $p $common" ;;
      9) ((${#files[@]} == 0)) || echo "link $p to=${files[RANDOM % ${#files[@]}]}" ;;
      10) unset "kinds[$p]"; kinds[$p]=whiteout; echo "whiteout $p" ;;
      11) kinds[$p]=dir; echo "dir $p $common"; echo "opaque $p" ;;
    esac
  done
}
for ((round = 0; round < ${ROUNDS:-12}; round++)); do
  rm -rf "$work/layout" "$work/unpacked"
  layout_init "$work/layout"
  for ((n = 0; n < 4; n++)); do
    layer > "$work/spec$n"
    "$root/tools/layer-tar" < "$work/spec$n" > "$work/tar"
    layout_layer "$work/layout" "$work/tar"
  done
  layout_image "$work/layout" latest '{}'
  unpack_image "$work/layout" latest
  "$intact" seal "oci:$work/layout:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null
  "$intact" pull "oci:$work/layout:latest-sealed" app --replace --pub "$work/key.pub" > /dev/null
  "$intact" mount app "$work/mnt" --pub "$work/key.pub"
  list_tree "$work/unpacked/rootfs" > "$work/want"
  list_tree "$work/mnt" > "$work/got"
  "$intact" umount "$work/mnt"
  cmp -s "$work/want" "$work/got" || { cat "$work"/spec?; diff -u "$work/want" "$work/got"; fail "SEED=$SEED round $round"; }
done
