#!/usr/bin/env bash
# A pull that is killed at any time leaves a store that works, and nothing that gc does not remove;
# pulls, mounts and gc at once do not harm each other.
. "$(dirname "$0")/lib.sh"
requires jq
sealed_image
source=oci:$work/layout:latest-sealed
for ((i = 1; i <= 12; i++)); do
  "$intact" pull "$source" "killed" --pub "$work/key.pub" > /dev/null 2>&1 &
  pid=$!
  sleep "0.0$((i * 8))"
  kill -KILL "$pid" 2> /dev/null || :
  wait "$pid" 2> /dev/null || :
  # What has a name is whole.
  if "$intact" inspect killed > /dev/null 2>&1; then
    expect 0 "$intact" verify killed --pub "$work/key.pub"
    expect 0 "$intact" rm killed
  fi
  [[ ! -e $INTACT_STORE/intact-store.json ]] || expect 0 "$intact" fsck
  ((i % 4)) || [[ ! -e $INTACT_STORE/intact-store.json ]] || expect 0 "$intact" gc
done
expect 0 "$intact" pull "$source" app --pub "$work/key.pub"
expect 0 "$intact" verify app --pub "$work/key.pub"
expect 0 "$intact" gc
expect 0 "$intact" rm app
expect 0 "$intact" gc
for dir in objects images trees blobs staging names leases; do
  [[ ! -d $INTACT_STORE/$dir ]] || equal "$(find "$INTACT_STORE/$dir" -type f | wc -l)" 0 "files left in $dir"
done

# All at once.
pids=()
for ((i = 0; i < 4; i++)); do
  (for ((j = 0; j < 5; j++)); do
    "$intact" pull "$source" "app$i" --pub "$work/key.pub" > /dev/null &&
      "$intact" verify "app$i" --pub "$work/key.pub" > /dev/null && "$intact" rm "app$i" || exit 1
  done) & pids+=($!)
done
(for ((j = 0; j < 10; j++)); do "$intact" gc > /dev/null || exit 1; sleep 0.1; done) & pids+=($!)
for pid in "${pids[@]}"; do wait "$pid"; done
expect 0 "$intact" fsck
