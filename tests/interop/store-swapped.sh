#!/usr/bin/env bash
# Somebody who can write to the directory of a store or a layout swaps one of its directories for a
# symbolic link while a command runs: nothing outside is changed, and a command that fails says why.
# Every directory at every system call with INTACT_LONG=1, otherwise some of them.
. "$(dirname "$0")/crash-lib.sh"
crash_set_up
source=oci:$work/layout
cat >> "$work/words" << 'WORDS'
# explained: it succeeded, or said in one line of the usual form what is wrong.
explained() {
  ((STATUS)) || return 0
  case $STATUS in 1|3|6|7) ;; *) fail "status $STATUS" ;; esac
  grep -qE "^intact: .*: |^DAMAGED .*: " "$OUTPUT" || fail "no reason: $(cat "$OUTPUT")"
}
WORDS
# swap NAME CHECK COMMAND...: as replay.
swap() {
  local got=0
  printf '%-18s ' "$1"
  "$crash_lab" swap --root "$INTACT_STORE" --seed "$seed" --most "$((long ? 0 : ${most:-30}))" \
    --check ". $work/words; $2" -- "${@:3}" || got=$?
  ((got != 77)) || skip "programs cannot be traced here"
  ((got == 0)) || fail "$1"
}
# begin NAME=SOURCE...: a store with these pulled.
begin() {
  rm -rf "$INTACT_STORE" "$INTACT_STATE"
  local pair
  for pair; do expect 0 pull "${pair#*=}" "${pair%=*}"; done
}

begin old=old
swap pull explained "$intact" pull "$source:new-sealed" new --policy "$policy"
swap "pull --replace" explained "$intact" pull "$source:new-sealed" old --replace --policy "$policy"
begin app=old other=other
swap rm explained "$intact" rm other
begin app=old other=other
expect 0 "$intact" rm other
swap gc explained "$intact" gc
swap verify explained "$intact" verify app --policy "$policy"

# Sealing into a layout.
cp -r "$work/layout" "$disk/layout"
jq '.manifests |= map(select(.annotations["org.opencontainers.image.ref.name"] == "old"))' \
  "$work/layout/index.json" > "$disk/layout/index.json"
INTACT_STORE=$disk/layout swap seal explained "$intact" seal "oci:$disk/layout:old" \
  --key "$work/key.key" --password-file "$work/password"
INTACT_STORE=$disk/layout swap "seal to a new one" explained bash -c "rm -rf $disk/layout/fresh; '$intact' \
  seal oci:$work/layout:old oci:$disk/layout/fresh:v1 --key $work/key.key --password-file $work/password"
# The same attack, by hand: a link in the place of names/ leads to somebody's policy.
begin app=old
mkdir "$work/etc"
echo precious > "$work/etc/policy.json"
mv "$INTACT_STORE/names" "$work/names"
ln -s "$work/etc" "$INTACT_STORE/names"
expect 3 "$intact" pull "$source:old-sealed" policy --policy "$policy"
said 'names: not a directory but a link'
expect 3 "$intact" rm policy
said 'names: not a directory but a link'
equal "$(cat "$work/etc/policy.json")" precious
rm "$INTACT_STORE/names"
mv "$work/names" "$INTACT_STORE/names"
expect 0 "$intact" pull "$source:old-sealed" policy --policy "$policy"
