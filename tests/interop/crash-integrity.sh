#!/usr/bin/env bash
# The power goes while a dm-integrity device is written: over 100,000 states that this may leave are
# opened again. Mode J loses and invents nothing; in D and B what may differ fails or is marked. The
# unit tests of the room, made long; SEED=N chooses other states, INTACT_LONG=1 many more.
. "$(dirname "$0")/lib.sh"
tests=$(dirname "$INTACT")/../tests/integrity_test
[[ -x $tests ]] || skip "no $tests"
length=8
((!${INTACT_LONG:-0})) || length=24
SEED=${SEED:-1} INTACT_CRASH_LENGTH=$length "$tests" --gtest_filter='IntegrityCrash.*' > "$work/out" 2>&1 ||
  fail "$(cat "$work/out")"
grep 'crash states' "$work/out"
states=$(awk '/crash states/ { sum += $1 } END { print sum }' "$work/out")
((states >= 100000)) || fail "only $states states"
