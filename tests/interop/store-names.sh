#!/usr/bin/env bash
# What an image may be called: NAME, NAME@DIGEST, a digest or the first digits of one, in every command; tag,
# images -q and --format, sizes, rm --all, verify --all, --identity, --platform, and what is not sealed.
. "$(dirname "$0")/lib.sh"
requires jq
make_keys
seal() { "$intact" seal "$@" --key "$work/key.key" --password-file "$work/password"; }
small_image "$work/app" 1.0 'the app'
small_image "$work/tool" latest 'the tool'
expect 0 seal "oci:$work/app:1.0" --identity example.org/team/app:1.0
expect 0 seal "oci:$work/tool:latest" --identity example.org/team/tool:2
pub=(--pub "$work/key.pub")
expect 0 "$intact" pull "oci:$work/app:1.0-sealed" "${pub[@]}"
expect 0 "$intact" pull "oci:$work/tool:latest-sealed" tool "${pub[@]}"
app=$(manifest_digest "$work/app" 1.0-sealed) tool=$(manifest_digest "$work/tool" latest-sealed)
app_hex=${app#sha256:}

for name in example.org/team/app:1.0 "example.org/team/app:1.0@$app" "example.org/team/app:1.0@${app:0:19}" \
  "$app" "$app_hex" "${app_hex:0:12}" "sha256:${app_hex:0:8}"; do
  expect 0 "$intact" verify "$name" "${pub[@]}"
  expect 0 "$intact" inspect "$name" --json
  equal "$(jq -r .name "$work/out")" example.org/team/app:1.0 "name"
  rm -f "$work/app.tar"
  expect 0 "$intact" export "$name" "tar:$work/app.tar" "${pub[@]}"
done
expect 7 "$intact" verify "tool@$app" "${pub[@]}"
said "'tool' is $tool"
expect 7 "$intact" verify "example.org/team/app:1.0@$tool" "${pub[@]}"
said "example.org/team/app:1.0@$tool: no such image in the store; 'example.org/team/app:1.0' is $app"
expect 7 "$intact" verify 0000000000 "${pub[@]}"
said '0000000000: no such image in the store'
expect 5 "$intact" verify "$app"
said ': there are no trusted keys; '

# Digests are not looked up as names: neither a record that was put into the store nor the tag of a layout stands for
# another image.
expect 0 "$intact" seal "oci:$work/tool:latest" "oci:$work/anonymous:1.0" --key "$work/key.key" --password-file "$work/password"
cp "$work/anonymous/index.json" "$work/anonymous.json"
for name in "$app" "$app_hex" "${app_hex:0:12}"; do
  jq -c --arg name "$name" '.name = $name' "$INTACT_STORE/names/tool.json" > "$INTACT_STORE/names/$name.json"
  expect 0 "$intact" verify "$name" --json "${pub[@]}"
  equal "$(jq -r .manifest "$work/out")" "$app" "manifest of $name"
  expect 3 "$intact" fsck
  said "DAMAGED names/$name.json: "
  rm "$INTACT_STORE/names/$name.json"
  jq -c --arg name "$name" '(.manifests[].annotations["org.opencontainers.image.ref.name"] | select(. == "1.0")) = $name' \
    "$work/anonymous.json" > "$work/anonymous/index.json"
  expect 2 "$intact" pull "oci:$work/anonymous" "${pub[@]}"
  said "means the image with that digest; give the image another NAME"
done
expect 0 "$intact" fsck
# Older versions made such records: rm takes them away, and nothing is looked up through them.
jq -c '.name = "83a24cf3b540e"' "$INTACT_STORE/names/tool.json" > "$INTACT_STORE/names/83a24cf3b540e.json"
expect 7 "$intact" verify 83a24cf3b540e "${pub[@]}"
said '83a24cf3b540e: the store has no image with this digest'
expect 0 "$intact" rm 83a24cf3b540e
expect 7 "$intact" rm 83a24cf3b540e
said '83a24cf3b540e: the store has no image with this digest'
expect 0 "$intact" fsck

# tag: another name for the same image, as far as its signature goes.
expect 0 "$intact" tag "${app_hex:0:12}" local "${pub[@]}"
expect 0 "$intact" verify local "${pub[@]}"
expect 5 "$intact" tag tool example.org/team/app:2.0 "${pub[@]}"
said "signed as .*, so it cannot have the name 'example.org/team/app:2.0'"
expect 1 "$intact" tag tool local "${pub[@]}"
said 'pass --replace'
expect 0 "$intact" verify "local@$app" "${pub[@]}"
expect 0 "$intact" tag tool local --replace "${pub[@]}"
expect 0 "$intact" verify "local@$tool" "${pub[@]}"
expect 2 "$intact" tag tool oci:x "${pub[@]}"
said "'oci:x'.* begins with 'oci:', which marks a source"
expect 7 "$intact" tag nobody x "${pub[@]}"
said 'nobody: no such image in the store'

# images for scripts.
expect 0 "$intact" images -q
equal "$(sort "$work/out" | tr '\n' ' ')" "$(printf '%s\n' "${app_hex:0:12}" "${tool:7:12}" | sort | tr '\n' ' ')" "digests"
expect 0 "$intact" images --format '{{.Name}} {{.Digest}} {{.Repository}} {{.Tag}}'
grep -qx "example.org/team/app:1.0 $app example.org/team/app 1.0" "$work/out" || fail "$(cat "$work/out")"
grep -qx "local $tool local " "$work/out" || fail "$(cat "$work/out")"
expect 0 "$intact" images --format 'table {{.Name}}\t{{.Size}}'
said '^NAME +SIZE$'
expect 0 "$intact" images --format json
jq -e 'length == 3' "$work/out" > /dev/null
# The manual names every field.
man=$(dirname "$0")/../../docs/man
for command in 'images tool' 'inspect tool'; do
  # shellcheck disable=SC2086
  expect 0 "$intact" $command --format '{{json .}}'
  jq -r 'keys[]' "$work/out" > "$work/fields"
  (($(wc -l < "$work/fields") > 15)) || fail "$command: $(cat "$work/out")"
  while read -r field; do
    grep -qF "\`.$field\`" "$man/intact-${command% *}.md" || fail "intact-${command% *}.md does not name .$field"
  done < "$work/fields"
done
expect 2 "$intact" images --format '{{.Nonsense}}'
said "no field 'Nonsense'; there are Name"
expect 0 "$intact" inspect tool --format '{{.Digest}} {{.Architecture}} {{index .Config.Env 0}}'
said "^$tool [a-z0-9]+ "
# What hands know from podman.
expect 0 "$intact" images -a -n --no-trunc tool
equal "$(awk '{ print $1, $2 }' "$work/out")" "tool $tool" "images of one name"
expect 0 "$intact" images -q "$app"
equal "$(cat "$work/out")" "${app_hex:0:12}" "images of a digest"
expect 0 "$intact" images -q nothing
equal "$(cat "$work/out")" "" "images of a name that is not there"
expect 0 "$intact" images --format 'table {{.Name}}\t{{.Tag}}' local
said '^local +<none>$'
expect 0 "$intact" images -n --format 'table {{.Name}}\t{{.Tag}}' example.org/team/app:1.0
equal "$(wc -l < "$work/out")" 1 "lines without a heading"
expect 0 "$intact" inspect tool "$app" --json
equal "$(jq -r '.[].name' "$work/out" | tr '\n' ' ')" "tool example.org/team/app:1.0 " "images that inspect shows"
expect 0 "$intact" inspect tool --json
equal "$(jq -r .name "$work/out")" tool "one image"
expect 7 "$intact" rm nothing
said 'nothing: no such image in the store'
expect 0 "$intact" rm -f nothing
expect 2 "$intact" pull containers-storage:x
said "^intact: containers-storage:x: unknown transport 'containers-storage'; write docker://HOST/REPO\[:TAG\], oci:DIR"
expect 2 "$intact" export tool dir:x "${pub[@]}"
said '^intact: dir: unknown form; write oci, '
# Own and shared sizes add up to the whole, and what is shared is in both.
expect 0 "$intact" images --sizes --json
jq -e 'all(.[]; .own_size + .shared_size == .size and .shared_size > 0 and .own_size > 0)' "$work/out" > /dev/null ||
  fail "sizes: $(cat "$work/out")"
expect 0 "$intact" images --sizes
said '^NAME .* OWN +SHARED +SEAL +PULLED$'

# Everything at once, for cron: quiet while all is well.
expect 0 "$intact" verify --all -q "${pub[@]}"
equal "$(cat "$work/out" "$work/err")" "" "output of verify --all -q"
expect 0 "$intact" verify --all "${pub[@]}"
equal "$(grep -c 'is intact' "$work/out")" 3 "images"
expect 0 "$intact" verify -q tool "${pub[@]}"
equal "$(cat "$work/out" "$work/err")" "" "output of verify -q"
shared=$(find "$INTACT_STORE/objects" -type f -size 3000001c)
flip "$shared" 5000
expect 3 "$intact" verify --all -q "${pub[@]}"
said "^DAMAGED /usr/share/large: block 1"
said "^To repair it, run .intact pull --verify oci:$work/tool:latest-sealed tool.$"
equal "$(grep -c 'is damaged' "$work/out")" 3 "damaged images"
expect 3 "$intact" verify --all --json "${pub[@]}"
jq -e '.ok == false and (.images | length == 3) and all(.images[]; .ok == false and (.damaged | length > 0) and .name != null)' "$work/out" > /dev/null
# fsck names all of them, and a page says who shares the object and what to do.
expect 3 "$intact" fsck
said "^DAMAGED 'example.org/team/app:1.0', 'local', 'tool' /usr/share/large: block 1"
said "To repair it with .intact pull --verify SOURCE NAME., pull again: 'example.org/team/app:1.0', 'local', 'tool'"
expect 3 "$intact" fsck --json
jq -e '.damaged[0].images == ["example.org/team/app:1.0", "local", "tool"] and .damaged[0].image == "example.org/team/app:1.0"' "$work/out" > /dev/null
expect 3 "$intact" verify "$app" "${pub[@]}" --report "$work/page.html"
said '^DAMAGED /usr/share/large: block 1'
grep -q '<td>local, tool</td>' "$work/page.html" || fail "no word of who shares the object"
grep -qF "intact pull oci:$work/app:1.0-sealed example.org/team/app:1.0 --verify" "$work/page.html" || fail "no command"
grep -qF "$(uname -n)" "$work/page.html" || fail "no host"
grep -qF "$INTACT_STORE" "$work/page.html" || fail "no store"
flip "$shared" 5000
# Many bad blocks and files: the output stays short, --json has all of it.
cp -a "$shared" "$work/kept"
for ((i = 0; i < 40; i++)); do flip "$shared" $((i * 8192)); done
expect 3 "$intact" fsck
equal "$(grep -c '^DAMAGED .*: block ' "$work/out")" 10 "blocks that are named"
said '30 further blocks'
expect 3 "$intact" fsck --json
equal "$(jq '.damaged | length' "$work/out")" 40 "damaged blocks"
chmod u+w "$shared" && cp "$work/kept" "$shared"
expect 0 "$intact" fsck

# The name that was signed, asked for by hand.
for where in "oci:$work/app:1.0-sealed" example.org/team/app:1.0; do
  expect 0 "$intact" verify "$where" "${pub[@]}" --identity example.org/team/app:1.0
  expect 0 "$intact" verify "$where" "${pub[@]}" --identity 'example.org/team/*'
  expect 5 "$intact" verify "$where" "${pub[@]}" --identity example.org/team/tool:2
  said "not as --identity 'example.org/team/tool:2'"
  expect 2 "$intact" verify "$where" "${pub[@]}" --identity ''
  said '--identity: .*empty'
done
expect 5 "$intact" verify "oci:$work/app:1.0-sealed" --identity example.org/team/tool:2 --insecure-unsigned
said ': there are no trusted keys; '

# A platform that the image is not for.
expect 6 "$intact" pull "oci:$work/app:1.0-sealed" other "${pub[@]}" --platform linux/s390x
said 'not for linux/s390x'
expect 6 "$intact" verify "oci:$work/app:1.0-sealed" "${pub[@]}" --platform linux/s390x
said ': the image is for linux/[a-z0-9]+, not for linux/s390x; '
expect 6 "$intact" verify tool "${pub[@]}" --platform linux/s390x
said ': the image is for linux/[a-z0-9]+, not for linux/s390x; '
expect 6 seal "oci:$work/app:1.0" "oci:$work/other:x" --platform linux/s390x
said ': the image is for linux/[a-z0-9]+, not for linux/s390x; '
platform=linux/$(jq -r .architecture "$(config_of "$work/app" 1.0)")
expect 0 "$intact" verify tool "${pub[@]}" --platform "$platform"
expect 0 "$intact" verify "oci:$work/app:1.0-sealed" "${pub[@]}" --platform "$platform"

# Of an image that is not signed the message names the sealed one beside it, or what else there is to do.
for command in "pull oci:$work/app:1.0 x" "verify oci:$work/app:1.0"; do
  # shellcheck disable=SC2086
  expect 5 "$intact" $command "${pub[@]}"
  said "not signed"
  said "did you mean oci:$work/app:1.0-sealed\?"
done
small_image "$work/alone" latest
expect 5 "$intact" verify "oci:$work/alone:latest"
said 'not signed.*--pin DIGEST or --tofu'
expect 5 "$intact" verify "oci:$work/alone:latest" "${pub[@]}"
said 'not signed; get a signed image from its publisher$'
expect 2 seal "oci:$work/app:1.0-sealed"
said 'already sealed'
expect 7 "$intact" verify "oci:$work/app:1.0-sealed-sealed" "${pub[@]}"
said "no image '1.0-sealed-sealed'; there are 1.0, 1.0-sealed"

# Mounts by name.
if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  mkdir "$work/one" "$work/two"
  expect 0 "$intact" mount tool "$work/one" "${pub[@]}"
  expect 0 "$intact" mount
  said "^tool +$work/one +serving"
  expect 0 "$intact" mount --json
  jq -e --arg dir "$work/one" 'any(.[]; .name == "tool" and .directory == $dir and .method == "fuse")' "$work/out" > /dev/null
  expect 0 "$intact" umount tool
  expect 7 "$intact" umount tool
  said 'not an Intact mount'
  expect 0 "$intact" mount "$tool" "$work/one" "${pub[@]}"
  expect 0 "$intact" mount "$tool" "$work/two" "${pub[@]}"
  name=$(awk -v at="$work/one" '$2 == at { print $1 }' /proc/self/mounts)
  expect 2 "$intact" umount "$name"
  said "$work/one, $work/two"
  expect 0 "$intact" umount "$work/two"
  expect 0 "$intact" umount "$name@$tool"
  expect 2 "$intact" umount
  said 'DIR or NAME is required'
  expect 2 "$intact" mount tool
  said 'DIR is required'
fi

# A digest does not make Intact forget what was pulled under another name: which names an image has is the store's word.
expect 0 "$intact" tag tool kept "${pub[@]}"
jq -c '.name = "kept"' "$INTACT_STORE"/names/*team*.json > "$work/kept.json"
cp "$work/kept.json" "$INTACT_STORE/names/kept.json"
expect 5 "$intact" verify kept "${pub[@]}"
said 'kept: the store has sha256:[0-9a-f]* under this name, but sha256:[0-9a-f]* was pulled'
expect 0 "$intact" rm "$app"
said "'kept' was removed, but the pull of it is still remembered: another image was pulled .*run .intact rm kept"
cp "$work/kept.json" "$INTACT_STORE/names/kept.json"
expect 5 "$intact" verify kept "${pub[@]}"
said "but $tool was pulled"
expect 0 "$intact" rm kept
cp "$work/kept.json" "$INTACT_STORE/names/kept.json"
expect 0 "$intact" verify kept "${pub[@]}"
expect 0 "$intact" rm kept
expect 0 "$intact" pull "oci:$work/app:1.0-sealed" "${pub[@]}"

# rm: all names of a digest, then all that is there.
expect 2 "$intact" rm
said 'nothing to remove'
expect 2 "$intact" rm --all tool
said '--all: removes every image; leave out the names'
expect 7 "$intact" rm tool nobody
said 'nobody: no such image in the store'
expect 0 "$intact" inspect tool
expect 0 "$intact" rm "${tool:7:12}"
equal "$(grep -c Removed "$work/out")" 2 "names removed"
expect 7 "$intact" inspect tool
said 'tool: no such image in the store'
expect 0 "$intact" rm --all
expect 0 "$intact" images -q
equal "$(cat "$work/out")" "" "images"
expect 0 "$intact" gc
said '^Freed .*: .*[0-9]+ objects?, 2 images'
