#!/usr/bin/env bash
# Real cosign accepts what keygen and seal wrote, and refuses what it must.
. "$(dirname "$0")/lib.sh"
requires cosign jq
export COSIGN_PASSWORD='a password'
sealed_image
verify() { cosign verify --insecure-ignore-tlog --key "$1" --local-image "$2"; }
expect 0 verify "$work/key.pub" "$work/layout"
make_keys other
expect 1 verify "$work/other.pub" "$work/layout"
said 'invalid signature|no matching signatures'

# cosign reads the private key that keygen wrote: the public half is the same.
expect 0 cosign public-key --key "$work/key.key"
same "$work/out" "$work/key.pub"

# Sealing another image in the same layout: the newest is what cosign looks at, the older tag stays.
small_image "$work/layout" second 'another text'
expect 0 "$intact" seal "oci:$work/layout:second" --key "$work/key.key" --password-file "$work/password"
expect 0 verify "$work/key.pub" "$work/layout"
said "$(manifest_digest "$work/layout" second-sealed)"
expect 0 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"

# keygen's key made by cosign: seal signs with it, both sides accept.
(cd "$work" && cosign generate-key-pair --output-key-prefix theirs > /dev/null 2>&1)
small_image "$work/layout3"
expect 0 "$intact" seal "oci:$work/layout3:latest" --key "$work/theirs.key" --password-file "$work/password"
expect 0 verify "$work/theirs.pub" "$work/layout3"
expect 0 "$intact" verify "oci:$work/layout3:latest-sealed" --key "$work/theirs.pub"
