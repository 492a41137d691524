#!/usr/bin/env bash
# The kernel's dm-integrity and `intact integrity` on the same devices, in many configurations and both directions: what
# one has formatted, written and flushed and then left as a power cut would, the other replays and reads. Here: journals,
# and where the parts of a device lie.
. "$(dirname "$0")/guest-lib.sh"
. /tests/vm/integrity-lib.sh
. /tests/vm/integrity-both-ways.sh

# The journal under a cipher and a MAC.
for crypt in 'ctr(aes)' 'cbc(aes)'; do
  for block in 512 4096; do
    closely_both "crypt=$crypt" "block=$block"
    both "crypt=$crypt" "block=$block" 'mac=hmac(sha256)' 'hash=hmac(sha256)' hash_key=32 interleave=512
  done
done
for mac in sha1 sha256 sha512; do both "mac=hmac($mac)"; done
closely_both 'mac=hmac(sha256)' block=4096
both 'mac=hmac(sha256)' legacy_hmac=yes
both 'mac=hmac(sha256)' 'hash=hmac(sha256)' hash_key=32 legacy_hmac=yes legacy_padding=yes block=4096
both 'mac=hmac(sha256)' 'crypt=ctr(aes)' mode=B
both 'mac=hmac(sha256)' 'crypt=cbc(aes)' mode=D

# Tags on a device of their own.
for mode in J B D; do closely_both "mode=$mode" meta=yes; done
both meta=yes hash=sha256 tag=20
both meta=yes start=512 block=4096
both meta=yes 'mac=hmac(sha256)' 'crypt=ctr(aes)' 'hash=hmac(sha256)' hash_key=32 journal=352

# Places.
both legacy_padding=yes
both legacy_padding=yes block=4096
both legacy_hmac=yes
both start=8
for start in 1000 2048; do both "start=$start" size=2M; done
both start=2048 size=2M 'mac=hmac(sha256)'
for interleave in 256 1024 4096; do both "interleave=$interleave" size=2M; done
both interleave=256 hash=sha256 block=4096
both buffer=8
both buffer=1024 interleave=2048 size=2M
both journal=1
both journal=1100 size=2M
both journal=1100 size=2M 'mac=hmac(sha256)' 'crypt=ctr(aes)'

configurations 38
