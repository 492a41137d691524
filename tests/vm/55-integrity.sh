#!/usr/bin/env bash
# The kernel's dm-integrity and `intact integrity` on the same devices, in many configurations and both directions: what
# one has formatted, written and flushed and then left as a power cut would, the other replays and reads. Here: hashes,
# blocks, tags, modes.
. "$(dirname "$0")/guest-lib.sh"
. /tests/vm/integrity-lib.sh
. /tests/vm/integrity-both-ways.sh

# Hashes and block sizes.
closely_both block=512 size=2M
for block in 1024 2048 4096; do both "block=$block"; done
for hash in crc32 xxhash64 sha256; do for block in 512 4096; do both "hash=$hash" "block=$block" interleave=512; done; done
for hash in sha1 sha512 sha3-256 blake2b-256; do both "hash=$hash" block=1024 interleave=512; done
both hash=crc32c hash_key=4
for hash in sha1 sha256 sha512; do both "hash=hmac($hash)" hash_key=32 block=4096; done
both 'hash=hmac(sha256)' hash_key=32 interleave=512

# The other modes.
for mode in B D; do
  closely_both "mode=$mode"
  both "mode=$mode" block=4096 size=2M
  both "mode=$mode" hash=sha256 interleave=512
  # Without the MAC what a crash leaves in bitmap mode may not be recalculated.
  both "mode=$mode" 'hash=hmac(sha256)' hash_key=32 block=4096 'mac=hmac(sha256)'
  both "mode=$mode" hash=xxhash64 start=64
  both "mode=$mode" legacy_padding=yes legacy_hmac=yes
done
both mode=B bit=64
both mode=B bit=1024 meta=yes

# Tags that are cut, and padded.
for tag in 20 24 28 48; do both hash=sha256 "tag=$tag" interleave=512; done
both hash=crc32c tag=8
both hash=sha512 tag=36 block=4096 size=2M

configurations 39
