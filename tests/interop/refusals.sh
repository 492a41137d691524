#!/usr/bin/env bash
# tools/check-refusals finds refusals of which a test checks the status alone, and the project's own tests have none.
. "$(dirname "$0")/lib.sh"
requires perl git
check=$root/tools/check-refusals

cat > "$work/good.sh" << 'TEXT'
expect 0 program
expect 1 program; said 'the reason'
expect 2 program \
  --option 'a # and a "'
# expect 3 program
cat > input << 'HERE'
expect 4 program
HERE
said 'the reason'
expect 5 program || fail 'unexpected'
jq -e '.ok == false' "$work/out"
is_clear() { (($(wc -l < "$work/err") == 1)); }
refused() {
  expect "$1" program "${@:3}"
  is_clear
  said "$2"
}
refused 6 'the reason' --option
later() { expect "$1" program "${@:2}"; }
later 0 --option
later 7 --option
said 'the reason'
for status in 0 3; do later "$status" --option; is_clear; done
TEXT
cat > "$work/bad.sh" << 'TEXT'
expect 1 program
expect 0 program
said 'the reason'
refused() {
  expect 2 program "$@"
}
refused --option
said 'the reason'
later() { expect "$1" program "${@:2}"; }
later 3 --option
for status in 0 4; do expect "$status" program; done
rm -f "$work/out"
expect 5 program 'said something' \
  --option
TEXT
expect 0 "$check" "$work/good.sh"
expect 1 "$check" "$work/bad.sh"
for line in 1 5 10 11 13; do said "bad.sh:$line: only the status is checked; add said REGEX: "; done
equal "$(wc -l < "$work/out")" 5 'lines about refusals'
expect 2 "$check" "$work/missing.sh"
said 'missing.sh: No such file'

git -C "$root" rev-parse > /dev/null 2>&1 || skip "not a git checkout"
cd "$root" || exit
expect 0 "$check"
