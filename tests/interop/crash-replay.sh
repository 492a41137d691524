#!/usr/bin/env bash
# The machine stops in the middle of a command: whatever of its work came to the disk, as fsync and
# syncfs allow, the store is in order, what has a name is whole, and the same command works again.
# Every state is looked at with INTACT_LONG=1, else some for each command.
. "$(dirname "$0")/crash-lib.sh"
crash_set_up

# begin [NAME=SOURCE...]: an empty disk with these pulled.
begin() {
  rm -rf "$INTACT_STORE" "$disk/layout" "$disk/state"
  local pair
  for pair; do expect 0 pull "${pair#*=}" "${pair%=*}"; done
}
source=oci:$work/layout

begin
replay "first pull" '
  ! is_store || { fsck; whole_if_named app; }
  ((!ENDED)) || whole app
  repairs old app; tidy' "$intact" pull "$source:old-sealed" app --policy "$policy"

begin app=old
replay "second pull" '
  fsck; whole app; whole_if_named new
  ((!ENDED)) || whole new
  repairs new new; tidy; whole app' "$intact" pull "$source:new-sealed" new --policy "$policy"

begin app=old
replay "pull --replace" '
  fsck; whole app
  cp "$INTACT_STORE/names/app.json" "$work/record"
  ((!ENDED)) || repairs new app
  repairs new app --replace; tidy' "$intact" pull "$source:new-sealed" app --replace --policy "$policy"

# The object that all have is damaged; a pull repairs it for all.
begin app=old
flip "$(find "$INTACT_STORE/objects" -type f -size +200k)" 5000
replay "pull that repairs" '
  ((!ENDED)) || { fsck; whole app new; }
  repairs new new; whole app; tidy' "$intact" pull "$source:new-sealed" new --policy "$policy"

begin app=old other=other
replay rm '
  fsck; whole app; whole_if_named other
  ((!ENDED)) || ! has other || fail "it is there again"
  tidy; whole app; whole_if_named other
  repairs other other' "$intact" rm other

begin app=old other=other
expect 0 "$intact" rm other
replay gc '
  fsck; whole app
  tidy
  repairs other other; whole app' "$intact" gc

# A process that removed a name was killed before it synced the directory; gc must not treat the name as
# gone before the disk does.
begin app=old other=other
replay "gc after a killed rm" '
  fsck; whole app; whole_if_named other
  tidy; repairs other other' \
  bash -c 'rm "$INTACT_STORE/names/other.json"; "$intact" gc'
begin app=old other=other
sed 's/"app"/"other"/' "$INTACT_STORE/names/app.json" > "$disk/record"
replay "gc after a killed replace" '
  fsck; whole app; [[ -e $disk/record ]] || has other || fail "other is gone"
  tidy; repairs other other --replace' \
  bash -c 'mv "$disk/record" "$INTACT_STORE/names/other.json"; "$intact" gc'
rm -f "$disk/record"

# Sealing adds to a layout that people have.
begin
layout_init "$disk/layout"
cp -r "$work/layout/blobs" "$disk/layout"
jq '.manifests |= map(select(.annotations["org.opencontainers.image.ref.name"] == "old"))' \
  "$work/layout/index.json" > "$disk/layout/index.json"
find "$disk/layout/blobs" -type f | while read -r file; do
  grep -qF "${file##*/}" "$disk/layout/index.json" <(cat "$(blob "$disk/layout" "$(manifest_digest "$disk/layout" old)")") || rm "$file"
done
seal=("$intact" seal "oci:$disk/layout:old" --key "$work/key.key" --password-file "$work/password")
most=$((${most:-60} / 2)) replay seal "
  sealed() { jq -e '.manifests | length == 3' $disk/layout/index.json > /dev/null; }
  usable() { $intact pull oci:$disk/layout:old-sealed app --policy $policy || fail 'the layout has it in part'; }
  rm -rf $disk/store
  if sealed; then usable; fi
  ((!ENDED)) || sealed || fail 'it is not there'
  ${seal[*]} || fail 'seal'
  sealed; usable" "${seal[@]}"

# An exported tree that has its name is whole: nothing checks its files later.
begin app=old
expect 0 "$intact" export app "rootfs:$work/exported" --policy "$policy"
replay "export rootfs" '
  if [[ -e $disk/out ]]; then diff -r "$work/exported" "$disk/out" || fail "the tree is not whole"; fi
  ((!ENDED)) || [[ -e $disk/out ]] || fail "it is not there"
  rm -rf "$disk/out"' "$intact" export app "rootfs:$disk/out" --policy "$policy"

begin
make_keys second
replay "trust add" '
  "$intact" trust list --policy "$policy" > /dev/null || fail "the policy is damaged"' \
  "$intact" trust add "$work/second.pub" --policy "$policy"
