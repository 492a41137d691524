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

# Wrong bytes on the registry's disk.
layer=$(jq -r '.layers[0].digest' "$(blob "$work/out-layout" "$digest")")
file=$work/open/docker/registry/v2/blobs/sha256/${layer:7:2}/${layer:7}/data
flip "$file" 100
expect 3 "$intact" verify "$open/sealed:1.0" --pub "$work/key.pub"
said 'is damaged in 1 of 2 layers'
# A store that has the layers needs nothing of the registry; another takes no damaged one.
expect 0 "$intact" pull "$open/sealed:1.0" again --pub "$work/key.pub"
expect 3 "$intact" pull --store "$work/empty" "$open/sealed:1.0" damaged --pub "$work/key.pub"
said "layer ${layer}: .*its content is sha256:"
expect 7 "$intact" verify --store "$work/empty" damaged --pub "$work/key.pub"
said 'no such image|no store there'
