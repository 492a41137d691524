#!/usr/bin/env bash
# Every command has a manual page; the page has every option that --help lists, and no others; groff,
# mandoc and man have nothing to say against it.
. "$(dirname "$0")/lib.sh"
requires man groff mandoc
pages=$(dirname "$(dirname "$INTACT")")/man/man1
[[ -d $pages ]] || skip "no manual pages are built"

for page in "$pages"/*.1; do
  groff -man -ww -z -Tutf8 "$page" > "$work/said" 2>&1
  mandoc -T lint -W warning "$page" >> "$work/said" 2>&1 || :
  man --warnings -E UTF-8 -l "$page" 2>> "$work/said" > "$work/${page##*/}.txt"
  [[ ! -s $work/said ]] || { cat "$work/said" >&2; fail "${page##*/} has mistakes"; }
  grep -q '^SYNOPSIS' "$work/${page##*/}.txt" && grep -q '^DESCRIPTION' "$work/${page##*/}.txt" ||
    fail "${page##*/} is not complete"
done
# What stands below the options of --help, and the pages to read next.
tr -s ' \n' ' ' < "$work/intact-seal.1.txt" | grep 'Fixed limits: names of 255' > /dev/null || fail "intact-seal has no fixed limits"
grep -A2 '^SEE ALSO' "$work/intact-mount.1.txt" | finds 'intact-umount(1)' || fail "intact-mount does not lead to intact-umount"
! grep -F '\(ga' "$pages"/*.1 || fail "a backquote in a page"
# These checks do find mistakes.
printf '.TH X 1\n.SH NAME\nx\n.nonsense\n' > "$work/bad.1"
[[ -n $(groff -man -ww -z -Tutf8 "$work/bad.1" 2>&1) ]] || fail "groff warns of nothing"
[[ -n $(mandoc -T lint -W warning "$work/bad.1" 2>&1) ]] || fail "mandoc warns of nothing"

commands() { "$intact" help "$@" | sed -n '/^Subcommands:/,$ s/^  \([a-z]*\) .*/\1/p'; }
options() { "$intact" "$@" --help | sed -n '/^Options:/,$ s/^  \(-[^ ]*\).*/\1/p' | tr , '\n'; }
# What stands in bold at the head of a paragraph with a tag.
page_options() { grep -A1 '^\.TP' "$1" | grep '^\\fB\\-' | grep -oE '\\fB(\\-)[^\\]*(\\-[^\\]*)*\\fR' |
  sed 's/\\fB//; s/\\fR//; s/\\-/-/g'; }
for command in $(commands); do
  [[ $command != help ]] || continue
  page=$pages/intact-$command.1
  [[ -e $page ]] || fail "no page of $command"
  {
    options "$command"
    for sub in $(commands "$command"); do
      options "$command" "$sub"
      grep -qF "intact $command $sub" "$work/intact-$command.1.txt" || fail "intact-$command says nothing of $sub"
    done
  } | sort -u > "$work/options"
  page_options "$page" | sort -u > "$work/page-options"
  same "$work/options" "$work/page-options"
  grep -q "intact-$command(1)" "$work/intact.1.txt" || fail "intact(1) does not mention $command"
done
equal "$(find "$pages" -name '*.1' | wc -l)" "$(($(commands | wc -l)))" "number of pages"
