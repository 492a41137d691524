#!/usr/bin/env bash
# Every command explains itself, wrong usage is status 2, and output that cannot be written is an error.
. "$(dirname "$0")/lib.sh"
expect 0 "$intact" --help
expect 0 "$intact" --version
said '^intact [0-9]+\.[0-9]+\.[0-9]+'
expect 0 "$intact" help
said '^  seal '
expect 0 "$intact" help composefs create
said '^Usage: intact composefs create '
for command in keygen trust 'trust add' 'trust list' 'trust rm' seal pull images inspect rm gc fsck verify mount \
  umount run export fsverity 'fsverity digest' composefs 'composefs create' 'composefs dump' 'composefs info' \
  'composefs objects' verity 'verity format' 'verity verify' 'verity dump' 'verity repair' 'verity open' 'verity close' 'verity status' \
  integrity 'integrity format' 'integrity open' 'integrity close' 'integrity dump' 'integrity status' 'integrity check' \
  'integrity replay' 'integrity recalculate' 'integrity resize' 'integrity detect' open info; do
  # shellcheck disable=SC2086
  expect 0 "$intact" $command --help
  said '[Uu]sage'
  ! grep -E '=\[\]|=-1|NONNEGATIVE' "$work/out" || fail "--help of $command speaks of the parser"
done
expect 2 "$intact"
expect 2 "$intact" nonsense
said "there is no command 'intact nonsense'"
expect 2 "$intact" trust nonsense --json
said "has no option '--json'"
expect 2 "$intact" trust nonsense
said "there is no command 'intact trust nonsense'"
expect 2 "$intact" --store here images
said "'--store' belongs behind \`intact images\`"
expect 2 "$intact" --store here
said "\`intact\` has no option '--store'"
expect 2 "$intact" images one two
said "\`intact images\` does not take 'one two'"
# Neither is what is missing as well.
expect 2 "$intact" verify --nonsense
said "\`intact verify\` has no option '--nonsense'"
expect 2 "$intact" verify
said 'IMAGE is required'
if [[ -c /dev/full ]]; then
  status=0
  "$intact" --help > /dev/full 2> /dev/null || status=$?
  equal "$status" 1 "exit status when the disk is full"
fi
