#!/usr/bin/env bash
# pull accepts an image that cosign signed, through a registry on the loopback device.
. "$(dirname "$0")/lib.sh"
requires cosign docker-registry skopeo jq
export COSIGN_PASSWORD='a password'
sealed_image
(cd "$work" && cosign generate-key-pair --output-key-prefix theirs > /dev/null 2>&1)

port=$(free_port)
serve_registry registry "$port"
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:latest-sealed" \
  "docker://127.0.0.1:$port/team/app:v1"
digest=$(manifest_digest "$work/layout" latest-sealed)
image=127.0.0.1:$port/team/app@$digest
expect 0 cosign sign --key "$work/theirs.key" --tlog-upload=false -y "$image"
expect 0 cosign save --dir "$work/saved" "$image"

# cosign's layout has no tags, only `kind` annotations; give the image a name as skopeo would.
jq -c --arg sig "${digest/:/-}.sig" '
  (.manifests[] | select(.annotations.kind == "dev.cosignproject.cosign/image") | .annotations)
    += {"org.opencontainers.image.ref.name": "v1"}' "$work/saved/index.json" > "$work/new"
cp "$work/new" "$work/saved/index.json"
expect 0 "$intact" pull "oci:$work/saved:v1" app --pub "$work/theirs.pub"
expect 0 "$intact" verify app --pub "$work/theirs.pub"
# Our own key has signed it, too, but that signature was not copied.
expect 5 "$intact" verify app --pub "$work/key.pub"
said ': not signed by a trusted key; '
expect 5 "$intact" pull "oci:$work/saved:v1" app2 --pub "$work/key.pub"
said ': not signed by a trusted key; '

# The same by tags, as a copy out of the registry has them.
skopeo --insecure-policy copy -q --src-tls-verify=false "docker://127.0.0.1:$port/team/app:v1" "oci:$work/tags:v1"
skopeo --insecure-policy copy -q --src-tls-verify=false \
  "docker://127.0.0.1:$port/team/app:${digest/:/-}.sig" "oci:$work/tags:${digest/:/-}.sig"
expect 0 "$intact" pull "oci:$work/tags:v1" app3 --pub "$work/theirs.pub"
