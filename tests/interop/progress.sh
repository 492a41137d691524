#!/usr/bin/env bash
# seal, pull and verify tell on a terminal how far they are, on one line that fits it and is wiped before
# they say anything else. Elsewhere they are quiet.
. "$(dirname "$0")/lib.sh"
requires script strace
sealed_image
strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"

# on_terminal COLUMNS COMMAND...: with a terminal as stderr, and each pread64 slow, so that there is
# something to tell; what it saw stands in $work/tty.
on_terminal() {
  local columns=$1
  shift
  TERM=${TERM_HERE-xterm} script -qec "stty cols $columns rows 24 2> /dev/null; $(printf '%q ' strace -f -qqq -o /dev/null \
    -e trace=pread64 -e inject=pread64:delay_enter=60000 "$@")" "$work/typescript" > "$work/tty" < /dev/null
}
check() { # check STEP LAST: a line of progress was there, none too wide, and LAST stands on a clean line.
  tr '\r' '\n' < "$work/tty" | sed 's/\x1b\[K//g' > "$work/lines"
  grep -qE "^$1( |\$)" "$work/lines" || { cat -v "$work/tty" >&2; fail "no word of '$1'"; }
  awk -v most="$columns" '/%/ && length($0) >= most { exit 1 }' "$work/lines" || fail "a line is too wide"
  grep -aqE $'\r\x1b\\[K'"$2" "$work/tty" || { cat -v "$work/tty" >&2; fail "'$2' is not on a clean line"; }
}
for columns in 100 40; do
  rm -rf "$work/out.layout" "$work/store"
  on_terminal "$columns" "$intact" seal "oci:$work/layout:latest" "oci:$work/out.layout:v1" --key "$work/key.key" \
    --password-file "$work/password"
  check 'Unpacking' 'Sealed'
  on_terminal "$columns" "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
  check 'Unpacking' 'Pulled'
  on_terminal "$columns" "$intact" verify app --pub "$work/key.pub"
  check 'Checking files' "'app' is intact"
  on_terminal "$columns" "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
  check 'Reading layers' "'oci:.*' is intact"
done
# Of a directory most time goes into the layer that is made of it.
mkdir -p "$work/rootfs/usr"
head -c 8M /dev/urandom > "$work/rootfs/file"
columns=100
on_terminal 100 "$intact" seal "rootfs:$work/rootfs" "oci:$work/made:v1" --key "$work/key.key" \
  --password-file "$work/password"
check 'Making a layer .*[0-9]%' 'Sealed'
# A long file is told of while it is read.
"$intact" pull "oci:$work/made:v1" long --pub "$work/key.pub" > /dev/null
on_terminal 100 "$intact" verify long --pub "$work/key.pub"
check 'Checking files .* [1-9][0-9]%' "'long' is intact"
# Nor on a terminal that cannot redraw, nor in a pipe.
TERM_HERE=dumb on_terminal 100 "$intact" verify app --pub "$work/key.pub"
! grep -q '%' "$work/tty" || fail "progress on a dumb terminal"
expect 0 strace -f -qqq -o /dev/null -e trace=pread64 -e inject=pread64:delay_enter=60000 \
  "$intact" verify app --pub "$work/key.pub"
[[ ! -s $work/err ]] || fail "progress in a pipe: $(cat -v "$work/err")"
