#!/usr/bin/env bash
# What led to an image counts: a revoked index, config or layer is refused at the pull and afterwards, and a name
# that nobody trusted has signed is not for the maker of a layout to choose.
. "$(dirname "$0")/lib.sh"
requires jq
sealed_image
layout=$work/layout
pub=(--pub "$work/key.pub")
policy=(--policy "$work/policy.json")
sealed=$(descriptor "$layout" latest-sealed)
manifest=$(jq -r .digest <<< "$sealed")

# index NAME DESCRIPTOR...: an index of these under a tag; prints its digest.
index() {
  local name=$1 digest
  shift
  printf '%s\n' "$@" | jq -cs '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: map({mediaType, digest, size})}' > "$work/index"
  digest=$(sha256sum < "$work/index" | cut -c -64)
  cp "$work/index" "$layout/blobs/sha256/$digest"
  jq -c --arg name "$name" --arg digest "sha256:$digest" --argjson size "$(stat -c %s "$work/index")" \
    '.manifests += [{mediaType: "application/vnd.oci.image.index.v1+json", digest: $digest, size: $size,
      annotations: {"org.opencontainers.image.ref.name": $name}}]' "$layout/index.json" > "$work/new"
  cp "$work/new" "$layout/index.json"
  echo "sha256:$digest"
}
inner=$(index inner "$sealed")
outer=$(index outer "$(descriptor "$layout" inner)")
expect 0 "$intact" trust add "$work/key.pub" --any "${policy[@]}"
expect 0 "$intact" pull "oci:$layout:outer" app "${policy[@]}"
expect 0 "$intact" pull "oci:$layout:outer" app "${policy[@]}" --json
equal "$(jq .unchanged "$work/out")" true unchanged
expect 0 "$intact" pull "oci:$layout:latest-sealed" plain "${policy[@]}"
expect 0 "$intact" tag app again "${policy[@]}"
expect 0 "$intact" verify app "${policy[@]}"

for digest in "$inner" "$outer"; do
  expect 0 "$intact" trust revoke "$digest" "${policy[@]}"
  expect 5 "$intact" pull "oci:$layout:outer" new "${policy[@]}"
  said "^intact: oci:.*:outer: $manifest: it comes from the index $digest, which is revoked"
  for how in "--pin $manifest" --tofu --insecure-unsigned; do
    # shellcheck disable=SC2086
    expect 5 "$intact" pull "oci:$layout:outer" new $how "${policy[@]}"
    said "it comes from the index $digest, which is revoked"
  done
  expect 5 "$intact" verify "oci:$layout:outer" "${policy[@]}"
  said "it comes from the index $digest, which is revoked"
  expect 5 "$intact" trust test "oci:$layout:outer" "${policy[@]}"
  said "Not trusted: .*it comes from the index $digest, which is revoked"
  # What was pulled from it before, under this name and under another one.
  for name in app again; do
    expect 5 "$intact" verify "$name" "${policy[@]}"
    said "'$name': $manifest: it comes from the index $digest, which is revoked"
  done
  expect 5 "$intact" export app "rootfs:$work/root" "${policy[@]}"
  said "it comes from the index $digest, which is revoked"
  # The same image from elsewhere is another matter.
  expect 0 "$intact" verify plain "${policy[@]}"
  expect 0 "$intact" verify "oci:$layout:latest-sealed" "${policy[@]}"
  # The record in the store need not say so: this machine remembers.
  cp "$INTACT_STORE/names/app.json" "$work/record"
  jq -e '.through | length == 2' "$work/record" > "$work/answer" || fail "indexes in the record"
  jq -c 'del(.through)' "$work/record" > "$INTACT_STORE/names/app.json"
  expect 5 "$intact" verify app "${policy[@]}"
  said "it comes from the index $digest, which is revoked"
  # Nor need this machine remember, if it is another user who uses the store.
  cp "$work/record" "$INTACT_STORE/names/app.json"
  INTACT_STATE=$work/other-state expect 5 "$intact" verify app "${policy[@]}"
  said "it comes from the index $digest, which is revoked"
  expect 0 "$intact" trust revoke --undo "$digest" "${policy[@]}"
  expect 0 "$intact" verify app "${policy[@]}"
done

# What the manifest leads to.
config=$(jq -r .config.digest "$(blob "$layout" "$manifest")")
layer=$(jq -r '.layers[0].digest' "$(blob "$layout" "$manifest")")
image=$(jq -r '.config.Labels["intact.image.digest"]' "$(config_of "$layout" latest-sealed)")
for digest in "$config" "$layer" "$image"; do
  expect 0 "$intact" trust revoke "$digest" "${policy[@]}"
  expect 5 "$intact" pull "oci:$layout:latest-sealed" new "${policy[@]}"
  said "$manifest: it contains $digest, which is revoked by the trust policy"
  expect 5 "$intact" verify app "${policy[@]}"
  said "'app': $manifest: it contains $digest, which is revoked by the trust policy"
  expect 0 "$intact" trust revoke --undo "$digest" "${policy[@]}"
done
[[ ! -e $INTACT_STORE/names/new.json ]] || fail "what was revoked is in the store"
expect 0 "$intact" pull "oci:$layout:latest-sealed" new "${policy[@]}"
# Of an image that nobody has sealed the digest is known once it is unpacked.
plain=$(manifest_digest "$layout" latest)
expect 0 "$intact" pull "oci:$layout:latest" unsealed --pin "$plain"
expect 0 "$intact" trust revoke "$(jq -r .image "$INTACT_STORE/names/unsealed.json")" "${policy[@]}"
expect 5 "$intact" pull "oci:$layout:latest" unsealed-2 --pin "$plain" "${policy[@]}"
said 'it contains sha256:.*, which is revoked'
expect 5 "$intact" verify unsealed "${policy[@]}"
said 'it contains sha256:.*, which is revoked'
expect 0 "$intact" verify unsealed

# A layout whose only image has a name in it.
renamed() { # renamed DIR TAG NAME: a layout with only that image and its signatures, called NAME
  cp -r "$layout" "$1"
  jq -c --arg tag "$2" --arg name "$3" '.manifests |= (map(select(.annotations["org.opencontainers.image.ref.name"] |
    . == $tag or endswith(".sig"))) | map(if .annotations["org.opencontainers.image.ref.name"] == $tag
    then .annotations["org.opencontainers.image.ref.name"] = $name else . end))' "$layout/index.json" > "$1/index.json"
}
renamed "$work/theirs" latest database
for how in "--pin $plain" --tofu; do
  for source in "oci:$work/theirs" "oci:$work/theirs:database"; do
    # shellcheck disable=SC2086
    expect 2 "$intact" pull "$source" $how
    said 'has no trusted signature, so its maker may not choose its name; give it a NAME, as in'
  done
done
[[ ! -e $INTACT_STORE/names/database.json ]] || fail "the maker's name is in the store"
expect 0 "$intact" pull "oci:$work/theirs" mine --tofu
# A trusted signature without a name allows every name; which one is still not for the layout to claim.
renamed "$work/claims" latest-sealed registry.example/prod/database:1
expect 2 "$intact" pull "oci:$work/claims" "${pub[@]}"
said "the name that it has here, 'registry.example/prod/database:1', is not signed; give it a NAME"
expect 0 "$intact" pull "oci:$work/claims:registry.example/prod/database:1" "${pub[@]}"
expect 0 "$intact" verify registry.example/prod/database:1 "${pub[@]}"
renamed "$work/local" latest-sealed some-name
expect 0 "$intact" pull "oci:$work/local" "${pub[@]}"
expect 0 "$intact" verify some-name "${pub[@]}"

# What came first under a name stays, whatever comes later and for whatever reason.
small_image "$layout" other 'another text'
expect 5 "$intact" pull "oci:$layout:other" mine --tofu
said "mine: $plain was pulled under this name before"
for how in "--pin $(manifest_digest "$layout" other)" --insecure-unsigned; do
  # shellcheck disable=SC2086
  expect 1 "$intact" pull "oci:$layout:other" mine $how
  said "mine: the store has another image of this name .$plain.; choose another name or pass --replace"
done
expect 1 "$intact" pull "oci:$layout:latest-sealed" mine "${pub[@]}"
said 'mine: the store has another image of this name'
expect 1 "$intact" tag some-name mine "${pub[@]}"
said 'mine'
rm "$INTACT_STORE/names/mine.json" # not by `intact rm`
for how in --tofu "--pin $(manifest_digest "$layout" other)" --insecure-unsigned; do
  # shellcheck disable=SC2086
  expect 5 "$intact" pull "oci:$layout:other" mine $how
  said "mine: $plain was pulled under this name before"
done
expect 0 "$intact" pull "oci:$layout:latest" mine --tofu
expect 0 "$intact" verify mine
expect 0 "$intact" pull "oci:$layout:other" mine --tofu --replace
