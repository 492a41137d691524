#!/usr/bin/env bash
# What is built on a sealed base image inherits its labels, which name the image of the base. It is pulled as an
# image that is not sealed, with a warning; labels that name anything else are damage.
. "$(dirname "$0")/lib.sh"
requires jq gzip
sealed_image
layout=$work/layout
type=application/vnd.oci.image

put() { # put FILE: adds it as a blob; prints "DIGEST SIZE"
  local digest
  digest=$(sha256sum < "$1" | cut -c -64)
  cp "$1" "$layout/blobs/sha256/$digest"
  echo "sha256:$digest $(stat -c %s "$1")"
}
"$root/tools/layer-tar" > "$work/layer.tar" << 'SPEC'
dir etc mtime=1700000000
file etc/added fill=5
SPEC
read -r layer layer_size < <(put "$work/layer.tar")
# built TAG CONFIG-PROGRAM MANIFEST-PROGRAM: what a builder makes of the sealed image with one more layer
built() {
  local tag=$1 config size manifest msize
  jq -c --arg layer "$layer" ".rootfs.diff_ids += [\$layer] | del(.history) | $2" "$(config_of "$layout" latest-sealed)" > "$work/c"
  read -r config size < <(put "$work/c")
  jq -c --arg config "$config" --argjson size "$size" --arg layer "$layer" --argjson lsize "$layer_size" --arg type "$type" \
    ".config.digest = \$config | .config.size = \$size |
     .layers += [{mediaType: (\$type + \".layer.v1.tar\"), digest: \$layer, size: \$lsize}] | $3" \
    "$(blob "$layout" "$(manifest_digest "$layout" latest-sealed)")" > "$work/m"
  read -r manifest msize < <(put "$work/m")
  jq -c --arg tag "$tag" --arg digest "$manifest" --argjson size "$msize" --arg type "$type" \
    '.manifests += [{mediaType: ($type + ".manifest.v1+json"), digest: $digest, size: $size,
      annotations: {"org.opencontainers.image.ref.name": $tag}}]' "$layout/index.json" > "$work/i"
  cp "$work/i" "$layout/index.json"
}
built derived . .
built foreign '(.config.Labels["intact.image.digest"]) |= "sha256:" + ("0" * 64)
  | .config.Labels |= del(.["containers.composefs.fsverity"])' .
derived=$(manifest_digest "$layout" derived)
foreign=$(manifest_digest "$layout" foreign)
base=$(jq -r '.config.Labels["intact.image.digest"]' "$(config_of "$layout" latest-sealed)")
count=$(jq '.layers | length' "$(blob "$layout" "$derived")")

# Nothing vouches for it by itself.
expect 5 "$intact" pull "oci:$layout:derived" app --pub "$work/key.pub"
said 'not signed; get a signed image'
expect 0 "$intact" pull "oci:$layout:derived" app --pin "$derived"
said "warning: its labels seal its base image, the first $((count - 1)) of its $count layers, and not this image: it counts as not sealed"
expect 0 "$intact" pull "oci:$layout:derived" app --pin "$derived" --json
equal "$(jq -c '[.unchanged, .seal, .basis]' "$work/out")" '[true,"local","pin"]'
[[ $(jq -r .image "$work/out") != "$base" ]] || fail "the image of the base"
expect 0 "$intact" verify app
said "sealed by this machine"
expect 0 "$intact" export app "rootfs:$work/root"
[[ -e $work/root/etc/added ]] || fail "the layer on top is missing"
expect 0 "$intact" tag app again
expect 0 "$intact" verify again
expect 0 "$intact" inspect app
expect 0 "$intact" verify "oci:$layout:derived" --insecure-unsigned --json
equal "$(jq -c '[.ok, .seal]' "$work/out")" '[true,"none"]'
# The base itself is sealed as before.
expect 0 "$intact" pull "oci:$layout:latest-sealed" base --pub "$work/key.pub" --json
equal "$(jq -c '[.seal, .image]' "$work/out")" "[\"publisher\",\"$base\"]"
# Sealed again it is a sealed image.
expect 0 "$intact" seal "oci:$layout:derived" --key "$work/key.key" --password-file "$work/password"
expect 0 "$intact" pull "oci:$layout:derived-sealed" sealed --pub "$work/key.pub" --json
equal "$(jq -r .seal "$work/out")" publisher

# The seal that says so is the machine's. Without it, or with the record of another, the image is not used.
jq -c '.evidence = []' "$INTACT_STORE/names/app.json" > "$work/record"
cp "$INTACT_STORE/names/app.json" "$work/good"
cp "$work/record" "$INTACT_STORE/names/app.json"
expect 5 "$intact" verify app
said 'its local seal has gone from the store'
jq -c --arg base "$base" '.image = $base' "$work/good" > "$INTACT_STORE/names/app.json"
expect 3 "$intact" verify app
said "the store's record names the .*, but the local seal the "
cp "$work/good" "$INTACT_STORE/names/app.json"
expect 0 "$intact" verify app

# Labels of something else: damage, whatever vouches for it.
for how in "--pin $foreign" --tofu --insecure-unsigned; do
  # shellcheck disable=SC2086
  expect 3 "$intact" pull "oci:$layout:foreign" foreign $how
  said 'its layers make the image sha256:.*, but it was sealed as sha256:0000'
done
[[ ! -e $INTACT_STORE/names/foreign.json ]] || fail "a damaged image is in the store"
expect 3 "$intact" verify "oci:$layout:foreign" --insecure-unsigned
said 'the layers make the image sha256:.*, but it was sealed as sha256:0000'
