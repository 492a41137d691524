#!/usr/bin/env bash
# Sigstore bundles, the signatures that cosign 3 makes by default: cosign accepts ours, and we accept
# its, from layouts in which they are found in each of the ways that tools use.
. "$(dirname "$0")/lib.sh"
requires cosign-3 docker-registry skopeo jq curl
export COSIGN_PASSWORD='a password'
identity=registry.example/team/app:1
make_keys
make_keys foreign
small_image "$work/layout"
seal() { "$intact" seal "oci:$work/layout:latest" --key "$work/key.key" --password-file "$work/password" --identity "$identity" "$@"; }
verify_with_cosign() { cosign-3 verify --insecure-ignore-tlog --key "$1" --local-image "$2"; }
# subjects DIR DIGEST: the manifests of DIR that refer to DIGEST.
subjects() {
  local file
  for file in "$1"/blobs/sha256/*; do
    jq -e --arg digest "$2" 'select(.subject.digest? == $digest)' "$file" > /dev/null 2>&1 && printf 'sha256:%s\n' "${file##*/}"
  done
  true
}

# Ours: a bundle alone, which cosign 3 accepts from the layout.
expect 0 seal --signature-format bundle --json
digest=$(manifest_digest "$work/layout" latest-sealed)
bundle=$(subjects "$work/layout" "$digest")
equal "$(jq -r .signature "$work/out")" "$bundle" "the bundle"
expect 0 verify_with_cosign "$work/key.pub" "$work/layout"
expect 1 verify_with_cosign "$work/foreign.pub" "$work/layout"
said 'signature|verif'
expect 0 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub" --identity 'registry.example/team/*'
expect 5 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/foreign.pub"
said 'not signed by a trusted key'
expect 5 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub" --identity 'registry.example/other/*'
said "$identity"

# Sealing again changes nothing; asking for the other form adds that and keeps the first.
cp "$work/layout/index.json" "$work/index.json"
expect 0 seal --signature-format bundle --json
equal "$(jq -r .unchanged "$work/out")" true "unchanged"
same "$work/layout/index.json" "$work/index.json"
expect 0 seal --signature-format both
equal "$(subjects "$work/layout" "$digest")" "$bundle" "the bundle"
expect 0 cosign verify --insecure-ignore-tlog --key "$work/key.pub" --local-image "$work/layout"
expect 2 seal --signature-format envelope
said 'is classic, bundle, both'

# In the store, and out again, the bundle stays.
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" "$identity" --pub "$work/key.pub"
expect 0 "$intact" verify "$identity" --pub "$work/key.pub"
expect 0 "$intact" inspect "$identity"
said "$bundle .sigstore-bundle"
for form in "oci:$work/exported:1" "oci-archive:$work/exported.tar:1"; do
  expect 0 "$intact" export "$identity" "$form" --pub "$work/key.pub"
  expect 0 "$intact" verify "$form" --pub "$work/key.pub"
done
equal "$(subjects "$work/exported" "$digest")" "$bundle" "the exported bundle"
expect 0 verify_with_cosign "$work/key.pub" "$work/exported"
expect 0 "$intact" gc
expect 0 "$intact" verify "$identity" --pub "$work/key.pub"
expect 0 "$intact" fsck

# cosign's: through a registry on the loopback device.
(cd "$work" && cosign-3 generate-key-pair --output-key-prefix theirs > /dev/null 2>&1 &&
  cosign-3 signing-config create --out signing.json)
port=$(free_port)
serve_registry registry "$port"
repository=127.0.0.1:$port/team/app
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:latest-sealed" "docker://$repository:v1"
expect 0 cosign-3 sign --key "$work/theirs.key" --signing-config "$work/signing.json" -y "$repository@$digest"
expect 0 cosign-3 sign --key "$work/theirs.key" --signing-config "$work/signing.json" \
  -a "dev.intact.identity=$identity" -y "$repository@$digest"

# fetch DIGEST|TAG: puts what the registry has, and all it points to, into $work/pulled.
fetch() {
  local type=application/vnd.oci.image file digest
  curl -sf -H "Accept: $type.manifest.v1+json, $type.index.v1+json" "http://127.0.0.1:$port/v2/team/app/manifests/$1" -o "$work/document"
  file=$(sha256sum < "$work/document" | cut -d' ' -f1)
  cp "$work/document" "$work/pulled/blobs/sha256/$file"
  for digest in $(jq -r '.manifests[]?.digest' "$work/document"); do fetch "$digest"; done
  for digest in $(jq -r '.config.digest?, .layers[]?.digest | strings' "$work/pulled/blobs/sha256/$file"); do
    curl -sf "http://127.0.0.1:$port/v2/team/app/blobs/$digest" -o "$work/pulled/blobs/${digest/://}"
  done
}
skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$repository:v1" "oci:$work/pulled:v1"
expect 5 "$intact" verify "oci:$work/pulled:v1" --pub "$work/theirs.pub"
said ': not signed; '
cp -a "$work/pulled" "$work/plain"
fetch "${digest/:/-}"
theirs=$(subjects "$work/pulled" "$digest")
equal "$(wc -w <<< "$theirs")" 2 "bundles of cosign"

# Blobs alone, an entry in the index, the list under the fallback tag: cosign's list calls them all
# empty documents, which is not believed.
entry() { # entry DIGEST TYPE [NAME]
  jq -cn --arg digest "$1" --arg type "application/vnd.oci.image.$2.v1+json" --arg name "${3:-}" \
    --argjson size "$(stat -c %s "$(blob "$work/pulled" "$1")")" \
    '{mediaType: $type, digest: $digest, size: $size, artifactType: "application/vnd.oci.empty.v1+json"}
     + if $name == "" then {} else {annotations: {"org.opencontainers.image.ref.name": $name}} end'
}
list=sha256:$(sha256sum < <(curl -sf -H 'Accept: application/vnd.oci.image.index.v1+json' \
  "http://127.0.0.1:$port/v2/team/app/manifests/${digest/:/-}") | cut -d' ' -f1)
for where in blobs index list; do
  case $where in
    blobs) entries='[]' ;;
    index) entries=$(for one in $theirs; do entry "$one" manifest; done | jq -cs .) ;;
    list) entries="[$(entry "$list" index "${digest/:/-}" | jq -c 'del(.artifactType)')]" ;;
  esac
  jq -c --argjson entries "$entries" '.manifests += $entries' "$work/plain/index.json" > "$work/pulled/index.json"
  for tag in :v1 ''; do
    [[ -n $tag || $where != list ]] || continue
    expect 0 "$intact" verify "oci:$work/pulled$tag" --pub "$work/theirs.pub"
  done
  expect 0 "$intact" verify "oci:$work/pulled:v1" --pub "$work/theirs.pub" --identity 'registry.example/team/*'
  expect 5 "$intact" verify "oci:$work/pulled:v1" --pub "$work/foreign.pub"
  said 'oci:.*/pulled:v1: '
done
expect 0 "$intact" pull "oci:$work/pulled:v1" theirs --pub "$work/theirs.pub"
expect 0 "$intact" verify theirs --pub "$work/theirs.pub"
# A bundle without an identity fits no rule that asks for one.
policy=$work/policy.json
expect 0 "$intact" trust add "$work/theirs.pub" --policy "$policy" --identity "$identity"
expect 0 "$intact" verify theirs --policy "$policy"
expect 5 "$intact" verify theirs --pub "$work/theirs.pub" --identity 'registry.example/other:*'
said 'theirs.*registry.example/other'

# An attestation is required, listed, and never a signature.
printf '{"a":1}' > "$work/predicate.json"
expect 5 "$intact" verify "oci:$work/pulled:v1" --pub "$work/theirs.pub" --require-attestation custom
said 'no attestation'
cp -a "$work/plain" "$work/attested"
expect 0 cosign-3 attest --key "$work/theirs.key" --signing-config "$work/signing.json" --type custom \
  --predicate "$work/predicate.json" -y "$repository@$digest"
fetch "${digest/:/-}"
expect 0 "$intact" verify "oci:$work/pulled:v1" --pub "$work/theirs.pub" --require-attestation custom
expect 5 "$intact" verify "oci:$work/pulled:v1" --pub "$work/theirs.pub" --require-attestation slsaprovenance1
said "no attestation 'https://slsa.dev/provenance/v1' by a trusted signer"
expect 0 "$intact" pull "oci:$work/pulled:v1" attested --pub "$work/theirs.pub" --require-attestation custom
expect 0 "$intact" inspect attested
said 'Attestation +https://cosign.sigstore.dev/attestation/v1'
attestation=$(comm -13 <(sort <<< "$theirs") <(subjects "$work/pulled" "$digest" | sort))
for one in "$attestation" $(jq -r '.config.digest, .layers[].digest' "$(blob "$work/pulled" "$attestation")"); do
  cp "$(blob "$work/pulled" "$one")" "$(blob "$work/attested" "$one")"
done
expect 5 "$intact" verify "oci:$work/attested:v1" --pub "$work/theirs.pub"
said 'an attestation'

# change JQ: makes $work/changed of $work/plain with cosign's second bundle, changed.
change() {
  local manifest layer file
  rm -rf "$work/changed"
  cp -a "$work/plain" "$work/changed"
  manifest=$(tail -n 1 <<< "$theirs")
  layer=$(jq -r '.layers[0].digest' "$(blob "$work/pulled" "$manifest")")
  jq -c "$1" "$(blob "$work/pulled" "$layer")" > "$work/bundle"
  file=$(sha256sum < "$work/bundle" | cut -d' ' -f1)
  cp "$work/bundle" "$work/changed/blobs/sha256/$file"
  jq -c --arg digest "sha256:$file" --argjson size "$(stat -c %s "$work/bundle")" \
    '.layers[0] += {digest: $digest, size: $size}' "$(blob "$work/pulled" "$manifest")" > "$work/manifest"
  cp "$(blob "$work/pulled" "$(jq -r .config.digest "$work/manifest")")" "$work/changed/blobs/sha256/"
  cp "$work/manifest" "$work/changed/blobs/sha256/$(sha256sum < "$work/manifest" | cut -d' ' -f1)"
}
refused() { # refused REGEX JQ: what we refuse, cosign refuses
  change "$2"
  expect 5 "$intact" verify "oci:$work/changed:v1" --pub "$work/theirs.pub"
  said "$1"
}
change .
expect 0 "$intact" verify "oci:$work/changed:v1" --pub "$work/theirs.pub"
refused 'not signed by a trusted key' '.dsseEnvelope.payload |= (@base64d | sub("sha256\":\"."; "sha256\":\"0") | @base64)'
refused 'not signed by a trusted key' '.dsseEnvelope.payloadType = "application/json"'
refused 'exactly one' '.messageSignature = {signature: "AAAA"}'
refused 'both "dsseEnvelope" and' '.dsse_envelope = .dsseEnvelope'
refused 'several signatures' '.dsseEnvelope.signatures += .dsseEnvelope.signatures'
refused 'not a sigstore bundle of version' '.mediaType = "application/vnd.dev.sigstore.bundle.v0.9+json"'
