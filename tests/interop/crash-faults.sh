#!/usr/bin/env bash
# The disk is full or fails at any one system call of a command: it ends with 0, having done its work, or
# with 1 and one clear line; the store is as good as before, and the command works again. Every call fails
# in turn with INTACT_LONG=1, else some of each command.
. "$(dirname "$0")/crash-lib.sh"
crash_set_up
source=oci:$work/layout
cat >> "$work/words" << 'WORDS'
# ended [STATUS...]: with 0, or with one of these (1 unless told) and a line that says why.
ended() {
  local want
  ((STATUS)) || return 0
  for want in "${@:-1}"; do
    if ((STATUS == want)); then
      if ((STATUS == 3)); then
        grep -q "^DAMAGED .*: " "$OUTPUT" || fail "no word about it"
      elif (($(grep -vc "^intact: warning: " "$OUTPUT") > 2)) || ! grep -q "^intact: ..*" "$OUTPUT"; then
        fail "not one clear line"
      fi
      return 0
    fi
  done
  fail "status $STATUS"
}
WORDS

# inject NAME CHECK COMMAND...: as replay, for both errors.
inject() {
  local got error
  for error in ENOSPC EIO; do
    got=0
    printf '%-18s %-7s' "$1" "$error"
    "$crash_lab" inject --root "$disk" --error "$error" --seed "$seed" \
      --most "$((long ? 0 : ${most:-25}))" --check ". $work/words; $2" -- "${@:3}" || got=$?
    ((got != 77)) || skip "programs cannot be traced here"
    ((got == 0)) || fail "$1"
  done
}
# begin NAME=SOURCE...: an empty disk with these pulled.
begin() {
  rm -rf "$INTACT_STORE" "$disk/layout" "$disk/state"
  local pair
  for pair; do expect 0 pull "${pair#*=}" "${pair%=*}"; done
}

begin
inject "first pull" '
  ended; ! is_store || { fsck; whole_if_named app; }
  ((STATUS)) || whole app
  repairs old app; tidy' "$intact" pull "$source:old-sealed" app --policy "$policy"

begin app=old
inject "second pull" '
  ended; fsck; whole app; whole_if_named new
  ((STATUS)) || whole new
  repairs new new; tidy; whole app' "$intact" pull "$source:new-sealed" new --policy "$policy"
inject "pull --replace" '
  ended; fsck; whole app
  repairs new app --replace; tidy' "$intact" pull "$source:new-sealed" app --replace --policy "$policy"

begin app=old other=other
inject rm '
  ended; fsck; whole app; whole_if_named other
  ((STATUS)) || ! has other || fail "it is there"
  has other || repairs other other
  "$intact" rm other; tidy' "$intact" rm other
# What cannot be read is damage to those who look for damage.
inject verify '
  ended 1 3; fsck; whole app other' "$intact" verify app --policy "$policy"
inject fsck '
  ended 1 3; fsck; whole app other' "$intact" fsck

begin app=old other=other
expect 0 "$intact" rm other
inject gc '
  ended; fsck; whole app
  tidy; repairs other other; whole app' "$intact" gc

# An archive is there whole or not at all; a layout shows what is whole, and takes it when asked again.
begin app=old
export export="$intact export app --policy $policy"
inject "export archive" '
  ended 1 3; fsck; whole app
  ((STATUS == 0)) || [[ ! -e $disk/image.tar ]] || fail "there is an archive"
  ((STATUS)) || "$intact" verify "oci-archive:$disk/image.tar:x" --policy "$policy" || fail "what was exported"
  ' $export "oci-archive:$disk/image.tar:x"
inject "export layout" '
  ended 1 3; fsck; whole app
  ((STATUS == 0)) || $export "oci:$disk/out:x" || fail "again"
  "$intact" verify "oci:$disk/out:x" --policy "$policy" || fail "what was exported"
  ' $export "oci:$disk/out:x"

begin
cp -r "$work/layout" "$disk/layout"
jq '.manifests |= map(select(.annotations["org.opencontainers.image.ref.name"] == "old"))' \
  "$work/layout/index.json" > "$disk/layout/index.json"
export seal="$intact seal oci:$disk/layout:old --key $work/key.key --password-file $work/password"
most=$((${most:-25} / 2)) inject seal '
  ended
  count=$(jq ".manifests | length" "$disk/layout/index.json")
  ((count == 3 || (STATUS && count == 1))) || fail "$count manifests"
  $seal || fail seal
  "$intact" pull "oci:$disk/layout:old-sealed" app --policy "$policy" || fail "what was sealed"' $seal

if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  mkdir "$work/mnt"
  begin app=old
  cp "$(find "$INTACT_STORE/objects" -type f -size +200k)" "$work/shared"
  inject mount '
    ended
    if ((STATUS == 0)); then
      cmp "$work/mnt/etc/shared" "$work/shared" || fail "the mount does not work"
      "$intact" umount "$work/mnt" || fail umount
    fi
    ! mountpoint -q "$work/mnt" || fail "it is mounted"
    fsck; whole app; tidy' "$intact" mount app "$work/mnt" --policy "$policy"
else
  echo "mount: no FUSE here"
fi
