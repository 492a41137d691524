#!/usr/bin/env bash
# Images in a registry: seal, pull, verify, push, copy, inspect, login, beside skopeo and docker's registry.
. "$(dirname "$0")/lib.sh"
requires docker-registry skopeo jq perl openssl
make_keys
small_image "$work/layout"

# One registry for everybody, and one with TLS, users and an authority of its own.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/tls.key" \
  -out "$work/tls.crt" -days 2 -subj /CN=registry -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2> /dev/null
# shellcheck disable=SC2016
printf 'me:%s\n' "$(perl -e 'print crypt("pass word", q{$2b$05$abcdefghijklmnopqrstuu})')" > "$work/users"
port=$(free_port)
serve_registry open "$port"
serve_registry private "$((port + 1))" ", tls: {certificate: $work/tls.crt, key: $work/tls.key}" \
  "auth: {htpasswd: {realm: r, path: $work/users}}"
open=docker://127.0.0.1:$port/team
private=docker://localhost:$((port + 1))/team

# From a registry into a registry. What skopeo pushed is the source, and skopeo reads the result.
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:latest" "$open/app:1.0"
expect 0 "$intact" seal "$open/app:1.0" "$open/sealed:1.0" --key "$work/key.key" \
  --password-file "$work/password" --identity "127.0.0.1:$port/team/sealed:1.0" --json
digest=$(jq -r .manifest "$work/out")
equal "$(skopeo inspect --tls-verify=false "$open/sealed:1.0" | jq -r .Digest)" "$digest" "digest in the registry"
skopeo --insecure-policy copy -q --preserve-digests --src-tls-verify=false "$open/sealed:1.0" "oci:$work/copied:1.0"
equal "$(manifest_digest "$work/copied" 1.0)" "$digest" "digest of skopeo's copy"

expect 0 "$intact" verify "$open/sealed:1.0" --pub "$work/key.pub"
expect 0 "$intact" pull "$open/sealed:1.0" --pub "$work/key.pub"
expect 0 "$intact" verify "127.0.0.1:$port/team/sealed:1.0" --pub "$work/key.pub"
expect 0 "$intact" pull "$open/sealed@$digest" by-digest --pub "$work/key.pub"
# What the policy says of the place in the registry counts by whatever name the image is kept.
expect 0 "$intact" trust add --policy "$work/place.json" --identity "127.0.0.1:$port/team/*" "$work/key.pub"
expect 5 "$intact" pull --policy "$work/place.json" --tofu "$open/app:1.0"
said 'needs a signature by sha256:'
expect 0 "$intact" trust add --policy "$work/elsewhere.json" --identity "127.0.0.1:$port/other/*" "$work/key.pub"
expect 0 "$intact" pull --policy "$work/elsewhere.json" --tofu "$open/app:1.0" first
expect 0 "$intact" trust require --policy "$work/place.json" --identity "127.0.0.1:$port/team/*" --signers 2
expect 5 "$intact" verify "$open/sealed:1.0" --policy "$work/place.json"
said 'requires 2 signers'
# Unsigned, and missing.
expect 5 "$intact" pull "$open/app:1.0" other --pub "$work/key.pub"
said 'not signed; get a signed image'
expect 7 "$intact" pull "$open/app:none" other --pub "$work/key.pub"
said 'manifest unknown|MANIFEST_UNKNOWN'
expect 7 "$intact" pull "$open/nothing:1.0" other --pub "$work/key.pub"
said 'nothing: 1.0: MANIFEST_UNKNOWN'
expect 2 "$intact" pull docker://app:1.0 other --pub "$work/key.pub"
said 'a short name; write its registry, as in docker://docker.io/library/app'

# With its signatures into a layout, and from there into another repository.
expect 0 "$intact" copy "$open/sealed:1.0" "oci:$work/out-layout"
expect 0 "$intact" verify "oci:$work/out-layout:1.0" --pub "$work/key.pub"
expect 0 "$intact" copy "oci:$work/out-layout:1.0" "$open/again:2.0" --json
equal "$(jq -r .manifest "$work/out")" "$digest" "digest of the copy"
expect 0 "$intact" verify "$open/again:2.0" --pub "$work/key.pub"
# Blobs that are there are not sent again.
expect 0 "$intact" copy "oci:$work/out-layout:1.0" "$open/again:3.0" --json
equal "$(jq -r .bytes "$work/out")" 0 "bytes sent a second time"
expect 0 "$intact" copy "$open/sealed:1.0" "$open/mounted:1.0" --json
equal "$(jq -r .bytes "$work/out")" 0 "bytes sent where the registry can mount"

expect 0 "$intact" inspect "$open/sealed:1.0" --json
jq -e --arg digest "$digest" '.digest == $digest and (.layers | length) > 0 and (.signatures | length) == 1
  and (.tags | index("1.0"))' "$work/out" > /dev/null || fail "inspect: $(cat "$work/out")"
expect 0 "$intact" inspect --raw "$open/sealed:1.0"
equal "sha256:$(sha256sum < "$work/out" | cut -d' ' -f1)" "$digest" "digest of the raw manifest"

# Bundles refer to the image. This registry has no API for referrers, so they are listed under a tag.
expect 0 "$intact" seal "$open/app:1.0" "$open/bundled:1.0" --key "$work/key.key" \
  --password-file "$work/password" --signature-format bundle
expect 0 "$intact" verify "$open/bundled:1.0" --pub "$work/key.pub"
expect 0 "$intact" copy "$open/bundled:1.0" "oci:$work/bundled"
expect 0 "$intact" verify "oci:$work/bundled:1.0" --pub "$work/key.pub"

# The private one: its certificate, then its users.
expect 5 "$intact" copy "oci:$work/out-layout:1.0" "$private/app:1.0"
said 'certificate'
mkdir -p "$HOME/.config/containers/certs.d/localhost:$((port + 1))"
cp "$work/tls.crt" "$HOME/.config/containers/certs.d/localhost:$((port + 1))/ca.crt"
expect 4 "$intact" copy "oci:$work/out-layout:1.0" "$private/app:1.0"
said 'run `intact login'
printf 'wrong' > "$work/secret"
expect 4 "$intact" login -u me --password-file "$work/secret" "localhost:$((port + 1))"
said 'access is refused to the credentials of this login'
printf 'pass word\n' > "$work/secret"
"$intact" login -u me --password-stdin "localhost:$((port + 1))" < "$work/secret"
equal "$(stat -c %a "$XDG_RUNTIME_DIR/containers/auth.json")" 600 "mode of auth.json"
expect 0 "$intact" login --get-login "localhost:$((port + 1))"
equal "$(cat "$work/out")" me "user"
expect 0 "$intact" copy "oci:$work/out-layout:1.0" "$private/app:1.0"
expect 0 "$intact" push by-digest "$private/pushed:1.0" --pub "$work/key.pub"
expect 0 "$intact" verify "$private/pushed:1.0" --pub "$work/key.pub"
# skopeo finds the same credentials.
equal "$(skopeo inspect --cert-dir "$HOME/.config/containers/certs.d/localhost:$((port + 1))" \
  "$private/pushed:1.0" | jq -r .Digest)" "$digest" "digest that skopeo sees"
expect 0 "$intact" inspect --tls-verify=false --cert-dir "$work/layout" "$private/pushed:1.0"
expect 0 "$intact" logout "localhost:$((port + 1))"
expect 7 "$intact" logout "localhost:$((port + 1))"
said 'no credentials in '
expect 4 "$intact" inspect "$private/pushed:1.0"
said 'asks for a user and a password; run .intact login'

# An index with its signatures, and those of the images in it.
index=$(jq -nc --arg digest "$digest" --argjson size "$(stat -c %s "$(blob "$work/out-layout" "$digest")")" '{schemaVersion: 2,
  mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: $digest, size: $size, platform: {os: "linux", architecture: "amd64"}}]}')
index_digest=sha256:$(printf %s "$index" | sha256sum | cut -d' ' -f1)
printf %s "$index" > "$(blob "$work/out-layout" "$index_digest")"
jq -c --arg digest "$index_digest" --argjson size "${#index}" '.manifests += [{mediaType:
  "application/vnd.oci.image.index.v1+json", digest: $digest, size: $size,
  annotations: {"org.opencontainers.image.ref.name": "multi"}}]' "$work/out-layout/index.json" > "$work/index.json"
cp "$work/index.json" "$work/out-layout/index.json"
expect 0 "$intact" copy --all "oci:$work/out-layout:multi" "$open/multi:1.0"
expect 0 "$intact" verify "$open/multi@$digest" --pub "$work/key.pub"
expect 0 "$intact" copy --all "$open/multi:1.0" "oci:$work/multi:1.0"
expect 0 "$intact" verify "oci:$work/multi:@$digest" --pub "$work/key.pub"
skopeo --insecure-policy copy -q --all --preserve-digests --dest-tls-verify=false "oci:$work/out-layout:multi" "$open/bare:1.0"
expect 5 "$intact" verify "$open/bare@$digest" --pub "$work/key.pub"
said 'not signed; get a signed image'

# A tag that names another image is moved, as skopeo does it.
expect 0 "$intact" push by-digest "$open/moved:1.0" --pub "$work/key.pub"
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:latest" "$open/moved:1.0"
expect 0 "$intact" export by-digest "$open/moved:1.0" --pub "$work/key.pub"
equal "$(skopeo inspect --tls-verify=false "$open/moved:1.0" | jq -r .Digest)" "$digest" "digest of the moved tag"

# What had arrived when a pull was ended is used by the next one, and verified.
head -c 24M /dev/urandom > "$work/random"
jq -nc '{architecture: "amd64", os: "linux", rootfs: {type: "layers", diff_ids: [$digest]}}' \
  --arg digest "sha256:$(tar -C "$work" -cf - --owner=0 --group=0 --numeric-owner --sort=name random | tee "$work/layer.tar" | sha256sum | cut -d' ' -f1)" > "$work/config.json"
mkdir -p "$work/long/blobs/sha256"
put() { # put FILE: into the layout; prints digest and size as members of a descriptor.
  local sum
  sum=$(sha256sum < "$1" | cut -d' ' -f1)
  cp "$1" "$work/long/blobs/sha256/$sum"
  printf '"digest":"sha256:%s","size":%s' "$sum" "$(stat -c %s "$1")"
}
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",%s}]}' \
  "$(put "$work/config.json")" "$(put "$work/layer.tar")" > "$work/manifest.json"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}' \
  "$(put "$work/manifest.json")" > "$work/long/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' > "$work/long/oci-layout"
skopeo --insecure-policy copy -q --preserve-digests --dest-tls-verify=false "oci:$work/long:1" "$open/long:1"
long=$(sha256sum < "$work/layer.tar" | cut -d' ' -f1)
link=$work/open/docker/registry/v2/repositories/team/long/_layers/sha256/$long
part=$work/parts/staging/part-sha256-$long
expect 0 "$intact" pull --store "$work/parts" "$open/app:1.0" app --tofu
cp "$work/layer.tar" "$part"
mv "$link" "$work/kept"
expect 0 "$intact" pull --store "$work/parts" "$open/long:1" long --tofu
[[ ! -e $part ]] || fail "the part stays"
expect 0 "$intact" verify --store "$work/parts" long
expect 7 "$intact" pull --store "$work/parts2" "$open/long:1" long --tofu
said "layer sha256:$long: "
mv "$work/kept" "$link"
# A part that is wrong costs time, no more; one that nobody needs is garbage.
part=$work/wrong/staging/${part##*/}
expect 0 "$intact" pull --store "$work/wrong" "$open/app:1.0" app --tofu
head -c 1000000 /dev/zero > "$part"
expect 0 "$intact" pull --store "$work/wrong" "$open/long:1" long --tofu
[[ ! -e $part ]] || fail "the wrong part stays"
head -c 1000000 /dev/zero > "$part"
expect 0 "$intact" gc --store "$work/wrong"
[[ ! -e $part ]] || fail "gc leaves the part"
expect 0 "$intact" verify --store "$work/wrong" long

# A mirror with wrong bytes is passed over; where all are wrong the last is named.
layer=$(jq -r '.layers[0].digest' "$(blob "$work/out-layout" "$digest")")
stored=docker/registry/v2/blobs/sha256/${layer:7:2}/${layer:7}/data
cp -r "$work/open" "$work/mirror"
serve_registry mirror "$((port + 2))"
printf '[[registry]]\nprefix = "127.0.0.1:%s/team"\n[[registry.mirror]]\nlocation = "127.0.0.1:%s/team"\n' \
  "$port" "$((port + 2))" > "$work/registries.conf"
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
expect 0 "$intact" pull --store "$work/mirrored" "$open/sealed:1.0" app --pub "$work/key.pub"
flip "$work/mirror/$stored" 100
expect 0 "$intact" pull --store "$work/mirrored2" "$open/sealed:1.0" app --pub "$work/key.pub"
expect 0 "$intact" verify "$open/sealed:1.0" --pub "$work/key.pub"
expect 0 "$intact" copy "$open/sealed:1.0" "oci:$work/mirrored3"
link=$work/open/docker/registry/v2/repositories/team/sealed/_layers/sha256/${layer:7}
mv "$link" "$work/kept"
expect 3 "$intact" pull --store "$work/mirrored4" "$open/sealed:1.0" app --pub "$work/key.pub"
said "127.0.0.1:$((port + 2))/team/sealed: has other bytes as $layer"
mv "$work/kept" "$link"
unset CONTAINERS_REGISTRIES_CONF

# Wrong bytes on the registry's disk.
flip "$work/open/$stored" 100
expect 3 "$intact" verify "$open/sealed:1.0" --pub "$work/key.pub"
said 'is damaged in 1 of 2 layers'
# A store that has the layers needs nothing of the registry; another takes no damaged one.
expect 0 "$intact" pull "$open/sealed:1.0" again --pub "$work/key.pub"
expect 3 "$intact" pull --store "$work/empty" "$open/sealed:1.0" damaged --pub "$work/key.pub"
said "layer ${layer}: .*its content is sha256:"
expect 7 "$intact" verify --store "$work/empty" damaged --pub "$work/key.pub"
said 'no such image|no store there'
