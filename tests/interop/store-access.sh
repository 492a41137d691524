#!/usr/bin/env bash
# Who may read a store: its owner, unless it was shared. And what a pull remembers against stores and
# images that are put in the place of others.
. "$(dirname "$0")/lib.sh"
requires jq
requires_root
sealed_image
"$root/tools/make-small-image" "$work/second" latest "another text, long enough to be an object of its own, $(printf 'x%.0s' {1..99})"
"$intact" seal "oci:$work/second:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null
pull() { "$intact" pull "oci:$work/layout:latest-sealed" "$@" --pub "$work/key.pub"; }
nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; }
mode() { stat -c %a "$INTACT_STORE"; }

# A private store: nobody reads an object, a mount for all still works.
expect 0 pull app
equal "$(mode)" 700 "mode of a new store"
object=$(find "$INTACT_STORE/objects" -type f -print -quit)
expect 1 nobody cat "$object"
said 'Permission denied'
if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  mkdir "$work/mnt"
  expect 0 "$intact" mount app "$work/mnt" --pub "$work/key.pub" --allow-other
  expect 0 nobody cat "$work/mnt/usr/share/large"
  expect 0 "$intact" umount "$work/mnt"
fi
# One of an older version is tightened, once.
echo '{"version":1}' > "$INTACT_STORE/intact-store.json"
chmod 755 "$INTACT_STORE"
expect 0 "$intact" images
said 'everybody could read this store, .*--shared'
equal "$(mode)" 700 "mode of an older store"
expect 0 "$intact" images
[[ ! -s $work/err ]] || fail "a second notice: $(cat "$work/err")"
# A shared one is for everybody, and stays so.
expect 0 pull app --shared
equal "$(mode)" 755 "mode of a shared store"
expect 0 nobody cat "$object"
expect 0 "$intact" images
[[ ! -s $work/err ]] || fail "a notice on a shared store: $(cat "$work/err")"
equal "$(mode)" 755
as_other=(env "HOME=$work" "INTACT_STATE=$work/none" setpriv --reuid=nobody --regid=nogroup --clear-groups --)
expect 0 "${as_other[@]}" "$intact" verify app --pub "$work/key.pub"

# A second pull reads metadata only, unless it is told to; what is missing is brought back.
large=$(find "$INTACT_STORE/objects" -type f -size +1000k -print -quit)
flip "$large" 5000
expect 0 pull app --json
jq -e '.unchanged' "$work/out" > /dev/null || fail "not unchanged"
expect 3 "$intact" verify app --pub "$work/key.pub"
said '^DAMAGED /.*: block 1 '
expect 0 pull app --verify --json
jq -e '.unchanged | not' "$work/out" > /dev/null || fail "unchanged"
expect 0 "$intact" verify app --pub "$work/key.pub"
rm "$large"
expect 0 pull app
expect 0 "$intact" verify app --pub "$work/key.pub"
began=$(date +%s%N)
expect 0 pull app
took=$(((($(date +%s%N)) - began) / 1000000))
echo "a second pull: $took ms"

# Another store at the path, with another image validly signed: refused, also after a look at nothing.
export other=$work/other
INTACT_STATE=$work/elsewhere expect 0 "$intact" pull "oci:$work/second:latest-sealed" app --pub "$work/key.pub" --store "$other"
mv "$INTACT_STORE" "$work/away"
expect 7 "$intact" verify app --pub "$work/key.pub"
said "$INTACT_STORE: no store there"
expect 0 pull scratch --store "$work/scratch" # may not forget the store that is away
mv "$other" "$INTACT_STORE"
for command in "verify app" "export app tar:$work/app.tar"; do
  # shellcheck disable=SC2086
  expect 5 "$intact" $command --pub "$work/key.pub"
  said 'is not the store that this image was pulled into .*; put that store back, or pull the image again'
done
# The same by way of a link.
mv "$INTACT_STORE" "$other"
ln -s "$work/away" "$work/link"
INTACT_STORE=$work/link expect 0 pull app
rm "$work/link"
ln -s "$other" "$work/link"
expect 5 "$intact" verify app --pub "$work/key.pub" --store "$work/link"
said 'is not the store'
# The right store passes, wherever it is; an older image in it does not.
mv "$work/away" "$INTACT_STORE"
expect 0 "$intact" verify app --pub "$work/key.pub"
cp -a "$INTACT_STORE" "$work/moved"
expect 0 "$intact" verify app --pub "$work/key.pub" --store "$work/moved"
expect 0 "$intact" pull "oci:$work/second:latest-sealed" app --replace --pub "$work/key.pub"
expect 5 "$intact" verify app --pub "$work/key.pub" --store "$work/moved"
said 'was pulled; to accept it, pull it again with --replace'
# A pull says that another store is meant.
rm -rf "$INTACT_STORE"
mv "$work/moved" "$INTACT_STORE"
expect 0 pull app --replace
expect 0 "$intact" verify app --pub "$work/key.pub"

# What an older version remembered beside the policy counts, and moves with the next pull.
expect 0 "$intact" trust add "$work/key.pub" --policy "$work/etc/policy.json"
rm -rf "$INTACT_STATE"
jq -n --arg store "$INTACT_STORE" --arg manifest "sha256:$(printf '0%.0s' {1..64})" \
  '{version: 1, pulled: [{store: $store, name: "app", manifest: $manifest}]}' > "$work/etc/pulled.json"
expect 5 "$intact" verify app --policy "$work/etc/policy.json"
said 'app: the store has sha256:[0-9a-f]* under this name, but sha256:0000[0-9]* was pulled'
expect 5 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json"
said 'app: sha256:[0-9a-f]* was pulled under this name before, but this is sha256:'
said 'app: sha256:0{64} was pulled under this name before'
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json" --replace
expect 0 "$intact" verify app --policy "$work/etc/policy.json"
[[ ! -e $work/etc/pulled.json && -e $INTACT_STATE/pulled.json ]] || fail "it has not moved"

# Somebody removes or breaks the record of a name: the next pull takes no other image for it.
record=$INTACT_STORE/names/app.json
cp "$record" "$work/record"
second=(pull "oci:$work/second:latest-sealed" app --policy "$work/etc/policy.json")
for damage in 'rm "$record"' 'echo "{" > "$record"'; do
  eval "$damage"
  expect 5 "$intact" "${second[@]}"
  said 'app: sha256:[0-9a-f]{64} was pulled under this name before, but this is sha256:[0-9a-f]{64}; pass --replace to accept the change'
  expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json"
  same "$(jq .manifest "$record" > "$work/a"; echo "$work/a")" "$(jq .manifest "$work/record" > "$work/b"; echo "$work/b")"
done
# Somebody changes or removes the id of the store, or puts a new store there.
cp -a "$INTACT_STORE" "$work/whole"
for damage in 'jq ".id = (.id | explode | reverse | implode)" "$work/whole/intact-store.json" > "$INTACT_STORE/intact-store.json"' \
  'jq "del(.id)" "$work/whole/intact-store.json" > "$INTACT_STORE/intact-store.json"' \
  'rm -rf "$INTACT_STORE"'; do
  for lost in true 'rm -f "$record"'; do
    eval "$damage"; eval "$lost"
    if [[ -e $record ]]; then expect 1 "$intact" "${second[@]}"; said 'app: the store has another image of this name'; else
      expect 5 "$intact" "${second[@]}"
      said 'app: sha256:[0-9a-f]{64} was pulled under this name into the store at .* another store \(its id differs\); put that store back, or pass --replace'
    fi
    rm -rf "$INTACT_STORE"
    cp -a "$work/whole" "$INTACT_STORE"
    expect 0 "$intact" verify app --policy "$work/etc/policy.json"
  done
done
rm -rf "$INTACT_STORE"
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json" # the very image
rm -rf "$INTACT_STORE"
expect 0 "$intact" "${second[@]}" --replace
rm -rf "$INTACT_STORE"
expect 5 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json"
said 'app: sha256:[0-9a-f]* was pulled under this name .*, but this is sha256:[0-9a-f]* and another store'
cp -a "$work/whole" "$INTACT_STORE"
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json" --replace
# So does no tag.
expect 0 "$intact" pull "oci:$work/second:latest-sealed" other --policy "$work/etc/policy.json"
rm "$record"
expect 5 "$intact" tag other app --policy "$work/etc/policy.json"
said 'pass --replace to accept the change'
expect 0 "$intact" "${second[@]}" --replace
expect 0 "$intact" verify app --policy "$work/etc/policy.json"
# A name that the user removes is free.
expect 0 "$intact" rm app
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json"
# However the path of the store is spelled.
mkdir "$work/ways"
ln -s "$INTACT_STORE" "$work/ways/cur"
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$work/etc/policy.json" --store "$work/ways/cur"
ln -sfn "$work/other" "$work/ways/cur"
for spelling in "$work/ways/cur" "$work/ways/../ways/cur" "/proc/self/cwd/cur"; do
  (cd "$work/ways" && expect 5 "$intact" verify app --policy "$work/etc/policy.json" --store "$spelling")
  said 'is not the store that this image was pulled into'
done
expect 0 "$intact" verify app --policy "$work/etc/policy.json"
# The memory is believed only if nobody else could have written it.
chmod 666 "$INTACT_STATE/pulled.json"
expect 5 "$intact" verify app --policy "$work/etc/policy.json"
said 'pulled.json: writable by others'
chmod 644 "$INTACT_STATE/pulled.json"
expect 0 "$intact" verify app --policy "$work/etc/policy.json"

# A marker that another user put into our directory does not make the directory our store.
mkdir "$work/public"
chmod 1777 "$work/public"
echo '{"version":1}' > "$work/public/intact-store.json"
chown nobody "$work/public/intact-store.json"
expect 0 "$intact" images --store "$work/public"
said 'belongs to another user, so its mode is left as it is'
equal "$(stat -c %a "$work/public")" 1777
chown root "$work/public/intact-store.json"
expect 0 "$intact" images --store "$work/public"
equal "$(stat -c %a "$work/public")" 700
