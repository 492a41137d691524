#!/usr/bin/env bash
# pull, replace, rm, gc, verify, mount and fsck at once, in processes of their own: nobody ever misses a
# part of an image that has a name or is mounted, and nothing fails that would not fail alone.
# ROUNDS=N: how often each does its work (5; 100 with INTACT_LONG=1).
. "$(dirname "$0")/crash-lib.sh"
crash_set_up
rounds=${ROUNDS:-$((long ? 100 : 5))}
pull old stable > /dev/null
pull old replaced > /dev/null
shared=$(find "$INTACT_STORE/objects" -type f -size +200k -exec sha256sum {} + | cut -d ' ' -f 1)
has_fuse=0
[[ ! -c /dev/fuse ]] || ! command -v fusermount3 > /dev/null || has_fuse=1

# must COMMAND...: it succeeds, or its words are the test's last.
must() {
  local said=$work/$BASHPID.said
  "$@" > "$said" 2>&1 || fail "$*: $(cat "$said")"
}
verify() { must "$intact" verify "$1" --policy "$policy"; }

puller() {
  local i
  for ((i = 0; i < rounds; i++)); do
    must pull "$1" "mine-$1"
    verify "mine-$1"
    must "$intact" rm "mine-$1"
  done
}
replacer() {
  local i
  for ((i = 0; i < rounds; i++)); do
    must pull new replaced --replace
    must pull old replaced --replace
  done
}
reader() {
  local i
  for ((i = 0; i < rounds * 2; i++)); do
    verify stable
    verify replaced
  done
}
collector() {
  local i
  for ((i = 0; i < rounds * 4; i++)); do
    must "$intact" gc
  done
}
checker() {
  local i
  for ((i = 0; i < rounds; i++)); do
    must "$intact" fsck
  done
}
# Mounted, and then without a name: the mount lives on what its lease keeps.
mounter() {
  local i directory=$work/mnt-$1
  mkdir "$directory"
  for ((i = 0; i < rounds; i++)); do
    must pull "$1" "mounted-$1"
    must "$intact" mount "mounted-$1" "$directory" --policy "$policy"
    must "$intact" rm "mounted-$1"
    must "$intact" gc
    [[ $(sha256sum < "$directory/etc/shared") == "$shared "* ]] || fail "content of the mount"
    grep -q "text-of-$1" "$directory/etc/own-$1" || fail "content of the mount"
    must "$intact" umount "$directory"
  done
}

pids=()
begin() { "$@" & pids+=($!); }
begin puller other
begin puller new
begin replacer
begin reader
begin collector
begin checker
((!has_fuse)) || { begin mounter old; begin mounter other; }
bad=0
for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
((!bad)) || fail "one of them failed"
whole stable replaced
tidy
((has_fuse)) || echo "without mounts: no FUSE here"
