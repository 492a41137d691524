#!/usr/bin/env bash
# What seal must refuse, and that it then leaves the layout as it was.
. "$(dirname "$0")/lib.sh"
requires jq
make_keys
small_image "$work/good"
seal() { "$intact" seal "oci:$1:${2:-latest}" --key "$work/key.key" --password-file "$work/password"; }
tree_sum() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); }
# refused STATUS DIR [TAG]: seal ends with STATUS and the layout is as before.
refused() {
  local before
  before=$(tree_sum "$2")
  expect "$1" seal "$2" "${3:-latest}"
  equal "$(tree_sum "$2")" "$before" "layout after a refusal"
}
# edit_index DIR JQ: changes index.json.
edit_index() { jq -c "$2" "$1/index.json" > "$work/new" && cp "$work/new" "$1/index.json"; }

# The undamaged twin of all that follows.
cp -a "$work/good" "$work/twin"
expect 0 seal "$work/twin"

# No such tag, no such layout, a tag without its manifest.
refused 7 "$work/good" no-such-tag
said "no image 'no-such-tag'; there is only latest"
expect 7 seal "$work/nowhere"
said 'nowhere: No such file or directory'
cp -a "$work/good" "$work/sparse"
rm "$(blob "$work/sparse" "$(manifest_digest "$work/sparse" latest)")"
refused 7 "$work/sparse"
said 'blob sha256:[0-9a-f]{64} is missing'

# One flipped byte in each of the blobs.
for file in "$work"/good/blobs/sha256/*; do
  rm -rf "$work/flipped"
  cp -a "$work/good" "$work/flipped"
  flip "$work/flipped/blobs/sha256/${file##*/}" 100
  refused 3 "$work/flipped"
  said "${file##*/}|damaged|does not match|digest"
done

# The password is wrong. The layers are read while the key is opened; what comes of it must not matter.
printf 'not the password\n' > "$work/wrong"
cp -a "$work/good" "$work/locked"
sum=$(tree_sum "$work/locked")
sealed_wrongly() { "$intact" seal "oci:$1:latest" "${@:2}" --key "$work/key.key" --password-file "$work/wrong"; }
expect 4 sealed_wrongly "$work/locked"
said 'key.key: wrong password'
equal "$(tree_sum "$work/locked")" "$sum" 'layout after a wrong password'
expect 4 sealed_wrongly "$work/locked" "oci:$work/none:latest"
said 'key.key: wrong password'
[[ ! -e $work/none ]] || fail 'a wrong password left a new layout'
expect 4 sealed_wrongly "$work/flipped"
said 'key.key: wrong password'
expect 0 seal "$work/locked"

# An index of other platforms only.
cp -a "$work/good" "$work/foreign"
edit_index "$work/foreign" '.manifests[0].platform = {architecture: "s390x", os: "linux"}'
index=$(jq -c '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
  manifests: [.manifests[0] | del(.annotations)]}' "$work/foreign/index.json")
printf '%s' "$index" > "$work/index"
sum=$(sha256sum < "$work/index"); sum=${sum%% *}
cp "$work/index" "$work/foreign/blobs/sha256/$sum"
edit_index "$work/foreign" ".manifests = [{mediaType: \"application/vnd.oci.image.index.v1+json\",
  digest: \"sha256:$sum\", size: $(stat -c %s "$work/index"),
  annotations: {\"org.opencontainers.image.ref.name\": \"latest\"}}]"
refused 6 "$work/foreign"
said 's390x'
# Asked for the platform that it names: its image says that it is for another one.
for_s390x() {
  "$intact" seal "oci:$work/foreign:latest" "oci:$work/elsewhere:latest" --platform linux/s390x \
    --key "$work/key.key" --password-file "$work/password"
}
expect 6 for_s390x
said 'the image is for linux/[a-z0-9/]+, not for linux/s390x'
# The undamaged twin: an image that is for it.
put() { sum=$(sha256sum < "$work/new"); sum=${sum%% *}; cp "$work/new" "$work/foreign/blobs/sha256/$sum"; }
jq -c '.architecture = "s390x" | del(.variant)' "$(config_of "$work/good" latest)" > "$work/new"
put
jq -c --arg sum "sha256:$sum" --argjson size "$(stat -c %s "$work/new")" '.config.digest = $sum | .config.size = $size' \
  "$(blob "$work/good" "$(manifest_digest "$work/good" latest)")" > "$work/new"
put
jq -c --arg sum "sha256:$sum" --argjson size "$(stat -c %s "$work/new")" '.manifests[0].digest = $sum | .manifests[0].size = $size' \
  "$work/index" > "$work/new"
put
edit_index "$work/foreign" ".manifests[0].digest = \"sha256:$sum\" | .manifests[0].size = $(stat -c %s "$work/new")"
expect 0 for_s390x

# A build cache in place of an image.
cp -a "$work/good" "$work/cache"
config=$(manifest_digest "$work/cache" latest)
jq -c '.config.mediaType = "application/vnd.buildkit.cacheconfig.v0"' \
  "$(blob "$work/good" "$config")" > "$work/manifest"
sum=$(sha256sum < "$work/manifest"); sum=${sum%% *}
cp "$work/manifest" "$work/cache/blobs/sha256/$sum"
edit_index "$work/cache" ".manifests[0].digest = \"sha256:$sum\" | .manifests[0].size = $(stat -c %s "$work/manifest")"
refused 6 "$work/cache"
said 'build cache'

# Another image has the name TAG-sealed already.
cp -a "$work/twin" "$work/taken"
small_image "$work/taken" latest 'another text'
refused 1 "$work/taken"
said 'latest-sealed'

# Two descriptors of one name.
cp -a "$work/good" "$work/twice"
small_image "$work/twice" other 'another text'
edit_index "$work/twice" '.manifests[].annotations["org.opencontainers.image.ref.name"] = "latest"'
refused 6 "$work/twice"
said 'latest'

# No key; wrong usage.
expect 2 "$intact" seal "oci:$work/good:latest"
said '--key is required'
expect 7 "$intact" seal "oci:$work/good:latest" --key "$work/nowhere" --password-file "$work/password"
said 'nowhere: No such file or directory'
