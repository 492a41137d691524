#!/usr/bin/env bash
# seal adds a sealed image and its signature to the layout and leaves all that was there as it was.
. "$(dirname "$0")/lib.sh"
requires jq openssl
make_keys
small_image "$work/layout"
cp -a "$work/layout" "$work/before"

expect 0 "$intact" seal "oci:$work/layout:latest" --key "$work/key.key" --password-file "$work/password" \
  --identity example.org/team/app:1.0
said 'latest-sealed'

# Every blob that was there is there, untouched; so is the old tag.
(cd "$work/before/blobs/sha256" && sha256sum ./*) > "$work/sums"
(cd "$work/layout/blobs/sha256" && sha256sum --quiet -c "$work/sums")
equal "$(descriptor "$work/layout" latest)" "$(descriptor "$work/before" latest)" "tag of the source"
# And every blob hashes to its name.
for file in "$work"/layout/blobs/sha256/*; do
  sum=$(sha256sum < "$file")
  equal "${sum%% *}" "${file##*/}" "name of a blob"
done

# The layers are the same, the config has the labels and is otherwise the same.
old=$(blob "$work/layout" "$(manifest_digest "$work/layout" latest)")
new=$(blob "$work/layout" "$(manifest_digest "$work/layout" latest-sealed)")
equal "$(jq -c .layers "$new")" "$(jq -c .layers "$old")" "layers"
config=$(config_of "$work/layout" latest-sealed)
jq -e '.config.Labels["intact.image.digest"] | test("^sha256:[0-9a-f]{64}$")' "$config" > /dev/null
equal "$(jq -r '.config.Labels["intact.image.format"]' "$config")" composefs-1 "format label"
equal "$(jq -cS 'del(.config.Labels["intact.image.digest", "intact.image.format"])' "$config")" \
  "$(jq -cS . "$(config_of "$work/layout" latest)")" "config but for the labels"

# The signature: a tag of its own, a payload that names the manifest and the identity, and OpenSSL
# finds it good with the public key, and not with another.
digest=$(manifest_digest "$work/layout" latest-sealed)
signatures=$(blob "$work/layout" "$(manifest_digest "$work/layout" "${digest/:/-}.sig")")
payload=$(blob "$work/layout" "$(jq -r '.layers[0].digest' "$signatures")")
equal "$(jq -r '.critical.image["docker-manifest-digest"]' "$payload")" "$digest" "signed digest"
jq -e '.critical.identity["docker-reference"] | startswith("example.org/team/app")' "$payload" > /dev/null
jq -r '.layers[0].annotations["dev.cosignproject.cosign/signature"]' "$signatures" |
  base64 -d > "$work/signature"
openssl dgst -sha256 -verify "$work/key.pub" -signature "$work/signature" "$payload" > /dev/null
make_keys other
! openssl dgst -sha256 -verify "$work/other.pub" -signature "$work/signature" "$payload" > /dev/null 2>&1 ||
  fail "a signature is good with another key"

# A destination of its own.
expect 0 "$intact" seal "oci:$work/layout:latest" "oci:$work/dest:v1" --key "$work/key.key" \
  --password-file "$work/password"
equal "$(manifest_digest "$work/dest" v1)" "$digest" "sealed digest"

# A wrong password, and a password by descriptor.
printf 'wrong\n' > "$work/wrong"
expect 4 "$intact" seal "oci:$work/layout:latest" "oci:$work/dest2:v1" --key "$work/key.key" \
  --password-file "$work/wrong"
said 'key.key: wrong password'
expect 0 "$intact" seal "oci:$work/layout:latest" "oci:$work/dest2:v1" --key "$work/key.key" \
  --password-fd 3 3< "$work/password"
