#!/usr/bin/env bash
# The annotations of composefs-rs: seal writes them beside the labels, and an image that has nothing else is
# pulled, mounted and verified by them. Where they do not fit, the message names the rule that differs.
. "$(dirname "$0")/lib.sh"
requires jq mkcomposefs composefs-info fsverity
# shellcheck source=../../tools/oci-layout.sh
. "$root/tools/oci-layout.sh"
sealed_image
layout=$work/layout
merged=composefs.merged.erofs.v1.fsverity config=composefs.config.fsverity
manifest_of() { blob "$layout" "$(manifest_digest "$layout" "$1")"; }
annotation() { jq -re --arg key "$2" '.annotations[$key]' "$(manifest_of "$1")"; }

# What seal writes. The digests of the config are fsverity's.
sha256=$(annotation latest-sealed $merged-sha256-12)
sha512=$(annotation latest-sealed $merged-sha512-12)
[[ $sha256 =~ ^[0-9a-f]{64}$ && $sha512 =~ ^[0-9a-f]{128}$ ]] || fail "annotations: $sha256 $sha512"
for algorithm in sha256 sha512; do
  equal "$(jq -r --arg key $config-$algorithm-12 '.config.annotations[$key]' "$(manifest_of latest-sealed)")" \
    "$(fsverity digest --compact --hash-alg=$algorithm "$(config_of "$layout" latest-sealed)")" "config, $algorithm"
done
label=$(jq -r '.config.Labels["intact.image.digest"]' "$(config_of "$layout" latest-sealed)")
[[ $label != "sha256:$sha256" ]] || fail "the labels name the canonical tree"
expect 0 "$intact" verify "oci:$layout:latest-sealed" --pub "$work/key.pub"
# Without, the manifest has none, nor those of a source that is sealed again.
expect 0 "$intact" seal "oci:$layout:latest-sealed" "oci:$work/without:x" --no-composefs-annotations \
  --key "$work/key.key" --password-file "$work/password"
equal "$(jq -c '[.annotations, .config.annotations]' "$(blob "$work/without" "$(manifest_digest "$work/without" x)")" |
  grep -c composefs || true)" 0 'annotations that were not asked for'

# annotated TAG FILTER: the image as it was, with the manifest that jq makes of it.
annotated() {
  jq -c "$2" "$(manifest_of latest)" > "$work/manifest"
  local descriptor
  descriptor=$(layout_blob "$layout" "$work/manifest" application/vnd.oci.image.manifest.v1+json)
  jq -c --arg tag "$1" --argjson new "$descriptor" \
    '.manifests += [$new + {annotations: {"org.opencontainers.image.ref.name": $tag}}]' \
    "$layout/index.json" > "$work/index"
  cp "$work/index" "$layout/index.json"
  pin=$(jq -r .digest <<< "$descriptor")
}

# Both algorithms, no labels: the image in the store is that of the annotation, and mkcomposefs makes the
# same of its dump.
annotated both ".annotations = {\"$merged-sha256-12\": \"$sha256\", \"$merged-sha512-12\": \"$sha512\",
  \"composefs.merged.erofs.v1.fsverity-sha512-16\": \"unknown\"}"
expect 5 "$intact" pull "oci:$layout:both" both
said 'not signed'
expect 0 "$intact" pull "oci:$layout:both" both --pin "$pin"
expect 0 "$intact" verify both
said "'both' is intact"
expect 0 "$intact" verify "oci:$layout:both" --insecure-unsigned --json
equal "$(jq -r '[.image, .seal] | join(" ")' "$work/out")" "sha256:$sha256 publisher" 'image of the annotation'
image=$INTACT_STORE/images/$sha256
equal "$(fsverity digest --compact "$image")" "$sha256" 'digest of the stored image'
composefs-info dump "$image" > "$work/dump"
mkcomposefs --from-file --min-version=1 --max-version=1 "$work/dump" "$work/theirs"
cmp "$image" "$work/theirs"
! grep -q '^/run/' "$work/dump" || fail '/run is not empty'
grep -E '^/usr/share/capability ' "$work/dump" | finds 'security\.capability='
! grep -E '^/usr/share/(xattrs|acl) ' "$work/dump" | finds 'user\.|posix_acl' || fail 'xattrs are kept'
expect 0 "$intact" export both "rootfs:$work/root"
equal "$(cat "$work/root/etc/release")" 'small image' content
[[ -d $work/root/run && -z $(ls -A "$work/root/run") ]] || fail '/run is exported'

# SHA-512 alone: checked, and the store keeps the same tree by SHA-256.
annotated long ".annotations = {\"$merged-sha512-12\": \"$sha512\"}"
expect 0 "$intact" pull "oci:$layout:long" long --pin "$pin"
said 'sealed by this machine'
equal "$(jq -r .image "$INTACT_STORE/names/long.json" | grep -c "$sha256")" 1 'image of the canonical tree'
expect 0 "$intact" verify long

# A digest of the tree that the labels name: the rules differ, and the message says so.
annotated rules ".annotations = {\"$merged-sha256-12\": \"${label#sha256:}\"}"
expect 3 "$intact" pull "oci:$layout:rules" bad --pin "$pin"
said "do not make the image that $merged-sha256-12 names.*extended attributes and symbolic links are kept as in the layers"
expect 3 "$intact" verify "oci:$layout:rules" --insecure-unsigned
said 'sealed by other rules than those of erofs.v1'
annotated wrong ".annotations = {\"$merged-sha512-12\": \"${sha512/[0-7]/8}\"}"
expect 3 "$intact" pull "oci:$layout:wrong" bad --pin "$pin"
said "$merged-sha512-12 names.*no known difference between the tools explains that"
annotated short ".annotations = {\"$merged-sha512-12\": \"$sha256\"}"
expect 6 "$intact" pull "oci:$layout:short" bad --pin "$pin"
said "the annotation $merged-sha512-12 is '$sha256', not a sha512 digest"
annotated config ".annotations = {\"$merged-sha256-12\": \"$sha256\"} |
  .config.annotations = {\"$config-sha256-12\": \"$sha256\"}"
expect 3 "$intact" pull "oci:$layout:config" bad --pin "$pin"
said "the config is not the one that the annotation $config-sha256-12 names"
[[ ! -e $INTACT_STORE/names/bad.json ]] || fail "what was refused is in the store"

# No /usr: sealed all the same.
mkdir -p "$work/bare/etc"
expect 0 "$intact" seal "rootfs:$work/bare" "oci:$work/bare-layout:x" --key "$work/key.key" \
  --password-file "$work/password"
said 'sealed without composefs.merged annotations.*: /usr: the image has no such directory'
