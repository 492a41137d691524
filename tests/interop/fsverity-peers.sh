#!/usr/bin/env bash
# intact fsverity digest prints what `fsverity digest` prints.
. "$(dirname "$0")/lib.sh"
requires fsverity
cd "$work" || exit
for size in 0 1 100 1024 4095 4096 4097 524288 524289 1000000; do
  head -c "$size" /dev/zero | tr '\0' 'x' > "f$size"
done
for options in '' '--compact' '--for-builtin-sig' '--hash-alg=sha512' '--hash-alg=sha512 --compact' '--block-size=1024' \
  '--salt=00ff10' '--salt=' '--compact --salt= --hash-alg=sha256' '--hash-alg=sha256 --block-size=2048 --salt=0123456789abcdef0123456789abcdef'; do
  # shellcheck disable=SC2086
  if ! fsverity digest $options f* > theirs 2> /dev/null; then continue; fi
  # shellcheck disable=SC2086
  "$intact" fsverity digest $options f* > ours
  cmp theirs ours || fail "digest $options: $(diff theirs ours | head -4)"
done
expect 7 "$intact" fsverity digest nowhere
said '^intact: nowhere: '
expect 2 "$intact" fsverity digest --block-size=1000 f1
said 'block size'
expect 2 "$intact" fsverity digest --block-size=0x1000 f1
said "block size '0x1000' is not a number of bytes"
expect 2 "$intact" fsverity digest --hash-alg=md5 f1
said "unknown hash algorithm 'md5': use sha256 or sha512"
expect 2 "$intact" fsverity digest --salt=0g f1
said "salt '0g' is not a hexadecimal string"
