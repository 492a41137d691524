#!/usr/bin/env bash
# verify --report writes a page that names what is damaged and needs nothing but itself; --map shows the
# same on a terminal, in colours only there. Hostile names are text in both.
. "$(dirname "$0")/lib.sh"
requires jq fsverity script xmllint
make_keys
"$root/tools/layer-tar" > "$work/root.tar" << 'SPEC'
dir .
dir etc
file etc/release text=small%0a
dir usr
dir usr/<script>alert(1)<%2fscript>
file usr/<script>alert(1)<%2fscript>/%1b[2Jfile fill=300000
dir usr/share
file usr/share/large fill=3000001
SPEC
"$intact" seal "tar:$work/root.tar" "oci:$work/layout:v1" --key "$work/key.key" --password-file "$work/password" > /dev/null
"$intact" pull "oci:$work/layout:v1" app --pub "$work/key.pub" > /dev/null
verify() { "$intact" verify app --pub "$work/key.pub" "$@"; }
page() { cat "$work/page.html"; }
# One page, well-formed, that loads and runs nothing.
check_page() {
  xmllint --html --noout --nowarning "$work/page.html" 2> "$work/lint" || :
  grep -vE 'Tag (svg|path|circle|rect|title|g|main|details|summary|footer) invalid|^ *(<|\^)|^.*\^$' "$work/lint" |
    grep -i error && fail "the page is not well-formed"
  ! grep -qE '<script|<img|<link|https?:|url\(' "$work/page.html" || fail "the page wants more than itself"
  ! grep -q $'\x1b' "$work/page.html" || fail "the page has control characters"
}

expect 0 verify --report "$work/page.html"
check_page
page | finds '<b>Intact.</b>'
! page | finds 'class="ring"' || fail "damage where there is none"
expect 0 verify --map
said 'there is none'
! grep -q 'X\.' "$work/out" || fail "damage where there is none"

evil=$(find "$INTACT_STORE/objects" -type f -size 300000c)
flip "$evil" 5000
flip "$(find "$INTACT_STORE/objects" -type f -size 3000001c)" 2000000
expect 3 verify --report "$work/page.html" --map
! grep -q $'\x1b' "$work/out" || fail "control characters in what is no terminal"
grep -q 'X' "$work/out"
said 'has damage: 2 of'
said 'DAMAGED /usr/<script>'
check_page
page | finds '2 files are not what was signed'
page | finds 'class="ring"'
page | finds -F '&lt;script&gt;alert(1)'
page | finds -F '\x1b[2Jfile'
page | finds -F '<td class="mono">488</td>'
# On a terminal, with colours and without.
script -qec "stty cols 90; $(printf '%q ' "$intact" verify app --pub "$work/key.pub" --map)" /dev/null > "$work/tty" < /dev/null || :
grep -q $'\x1b\\[1;31m█' "$work/tty" || fail "no colours on a terminal"
! grep -q $'\x1b\\[2J' "$work/tty" || fail "a name acts on the terminal"
NO_COLOR=1 script -qec "$(printf '%q ' "$intact" verify app --pub "$work/key.pub" --map)" /dev/null > "$work/tty" < /dev/null || :
! grep -q $'\x1b\\[1;31m' "$work/tty" || fail "colours in spite of NO_COLOR"

# Damaged metadata, and no trust: a page still tells how far it went.
image=$(echo "$INTACT_STORE"/images/*)
flip "$image" 1500
expect 3 verify --report "$work/page.html"
said '^DAMAGED '
check_page
page | finds 'metadata of the image is not what was signed'
flip "$image" 1500
make_keys other
expect 5 "$intact" verify app --pub "$work/other.pub" --report "$work/page.html"
said ': not signed by a trusted key; '
check_page
page | finds 'No trusted key has signed'
rm "$work/page.html"
expect 7 "$intact" verify nobody --pub "$work/key.pub" --report "$work/page.html"
said 'nobody: no such image in the store'
[[ ! -e $work/page.html ]] || fail "a page about nothing"
# The verdict wins over a report that cannot be written.
expect 3 verify --report "$work/nowhere/page.html"
said 'warning: the report: .*nowhere/page.html: its directory: No such file or directory'

# An image in a layout: its tree where all is well, else its layers.
source_verify() { "$intact" verify "oci:$work/layout:v1" --pub "$work/key.pub" "$@"; }
expect 0 source_verify --report "$work/page.html" --map
said 'there is none'
check_page
page | finds '<b>Intact.</b>'
page | finds -F '&lt;script&gt;alert(1)'
layer=$(blob "$work/layout" "$(jq -r '.layers[0].digest' "$(blob "$work/layout" "$(manifest_digest "$work/layout" v1)")")")
flip "$layer" 1000
expect 3 source_verify --report "$work/page.html" --map
said '^/layer 1 +X'
check_page
page | finds 'The layers of the image are not what was signed'
page | finds -F "${layer##*/}"
flip "$layer" 1000
expect 0 source_verify
expect 5 "$intact" verify "oci:$work/layout:v1" --pub "$work/other.pub" --report "$work/page.html"
said ': not signed by a trusted key; '
page | finds 'No trusted key has signed'
expect 2 verify --map --json
said '--map: draws for people; leave out --json'
