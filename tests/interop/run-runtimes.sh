#!/usr/bin/env bash
# run with each runtime that is there, as root and as a user; the first that works unless one is named.
. "$(dirname "$0")/lib.sh"
requires_fuse
user_space
sealed_image
chmod 644 "$work/key.pub"
as_user "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub" > /dev/null
ran=0
for runtime in runc crun runsc; do
  command -v "$runtime" > /dev/null || continue
  expect 0 as_user timeout 120 "$intact" run app --pub "$work/key.pub" --runtime "$runtime"
  said '^hello from small image$'
  expect 7 as_user timeout 120 "$intact" run app --pub "$work/key.pub" --runtime "$runtime" -- 'exit 7'
  ran=$((ran + 1))
done
((ran > 0)) || skip "none of runc, crun and runsc is there"
expect 0 as_user "$intact" run app --pub "$work/key.pub"
said '^hello from small image$'
