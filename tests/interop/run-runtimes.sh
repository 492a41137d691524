#!/usr/bin/env bash
# run with each runtime that is there, as root and as a user; the first that works unless one is named.
. "$(dirname "$0")/lib.sh"
requires_fuse
sealed_image
chmod 644 "$work/key.pub"
# The image's own user and working directory need mapped user ids; user 0 needs none.
container() {
  local options=()
  if [[ ${1:-} == --runtime ]]; then options=("$1" "$2"); shift 2; fi
  "${who[@]}" timeout 120 "$intact" run --pub "$work/key.pub" --user 0 --workdir / "${options[@]}" app "$@"
}
ran=0
try() {
  local runtime
  "${who[@]}" "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub" > /dev/null
  for runtime in runc crun runsc; do
    command -v "$runtime" > /dev/null || continue
    expect 0 container --runtime "$runtime"
    said '^hello from small image$'
    expect 7 container --runtime "$runtime" -- 'exit 7'
    ran=$((ran + 1))
  done
  ((ran > 0)) || skip "none of runc, crun and runsc is there"
  expect 0 container
  said '^hello from small image$'
}
who=()
if ((EUID == 0)); then try; fi
user_space
who=(as_user)
try
