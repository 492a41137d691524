#!/usr/bin/env bash
# Signatures of the Notary Project, with certificates: notation accepts ours, and we accept its.
. "$(dirname "$0")/lib.sh"
requires notation docker-registry skopeo jq curl openssl
identity=registry.example/team/app:1
make_keys
subject='/C=US/ST=WA/O=Example'

# certified NAME EXTENSIONS [SIGNING OPTION...]: $work/NAME.key, .pem, and .chain.pem with the authority.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" -out "$work/$1.pem" -days 30 \
    -subj "$subject/CN=$1" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2> /dev/null
}
certified() {
  local name=$1 extensions=$2
  shift 2
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$name.key" -out "$work/$name.csr" -subj "$subject/CN=$name" 2> /dev/null
  printf '%s\n' basicConstraints=CA:FALSE keyUsage=critical,digitalSignature "$extensions" > "$work/extensions"
  openssl x509 -req -in "$work/$name.csr" -CA "$work/root.pem" -CAkey "$work/root.key" -CAcreateserial -days 20 \
    -extfile "$work/extensions" -out "$work/$name.pem" "$@" 2> /dev/null
  cat "$work/$name.pem" "$work/root.pem" > "$work/$name.chain.pem"
}
authority root
authority other
certified signer extendedKeyUsage=codeSigning
certified server extendedKeyUsage=serverAuth
certified old extendedKeyUsage=codeSigning -sha1

small_image "$work/layout"
seal() { # seal NAME FORMAT TAG
  "$intact" seal "oci:$work/layout:latest" "oci:$work/layout:$3" --key "$work/$1.key" --certificate "$work/$1.chain.pem" \
    --signature-format "notation-$2" --identity "$identity" --serial 3
}
expect 0 seal signer jws sealed
expect 0 seal signer cose sealed
digest=$(manifest_digest "$work/layout" sealed)
verify() { "$intact" verify "oci:$work/layout:sealed" "$@"; }
expect 0 verify --ca "$work/root.pem"
said 'CN=signer'
expect 0 verify --ca "$work/root.pem" --identity 'registry.example/team/*' --max-age 1h
expect 5 verify --ca "$work/root.pem" --identity 'registry.example/other/*'
said "has signed it as 'registry.example/team/app:1', not as --identity"
expect 5 verify --ca "$work/other.pem"
said 'does not lead to a trusted one'
expect 5 verify --pub "$work/key.pub"
said 'not signed by a trusted key'

# Certificates that are not for this, or of another key, are refused before anything is written.
expect 5 seal server jws server
said 'not one for code signing'
small_image "$work/weak"
expect 0 "$intact" seal "oci:$work/weak:latest" --key "$work/old.key" --certificate "$work/old.chain.pem" --signature-format notation-jws
expect 5 "$intact" verify "oci:$work/weak:latest-sealed" --ca "$work/root.pem"
said 'too weak'
cp "$work/signer.chain.pem" "$work/key.chain.pem"
expect 2 "$intact" seal "oci:$work/layout:latest" "oci:$work/layout:x" --key "$work/key.key" --password-file "$work/password" \
  --certificate "$work/signer.chain.pem" --signature-format notation-jws
said 'that of another key'
expect 2 "$intact" seal "oci:$work/layout:latest" --key "$work/signer.key" --signature-format notation-jws
said 'pass --certificate'
expect 2 "$intact" seal "oci:$work/layout:latest" --key "$work/signer.key" --certificate "$work/signer.chain.pem"
said 'only for the signature formats'

# A policy of certificates with a subject.
policy=$work/policy.json
expect 0 "$intact" trust add "$work/root.pem" --certificate --subject 'O=Example, CN=signer' --identity 'registry.example/team/*' \
  --policy "$policy" --label 'Team'
expect 0 verify --policy "$policy"
said 'Team'
expect 0 "$intact" trust test "oci:$work/layout:sealed" --policy "$policy"
said 'rule 1 \(Team\)'
expect 0 "$intact" pull "oci:$work/layout:sealed" "$identity" --policy "$policy"
expect 0 "$intact" verify "$identity" --policy "$policy"
expect 0 "$intact" export "$identity" "oci:$work/exported:1" --policy "$policy"
expect 0 "$intact" verify "oci:$work/exported:1" --policy "$policy"
rm "$policy"
expect 0 "$intact" trust add "$work/root.pem" --certificate --subject 'CN=somebody' --any --policy "$policy"
expect 5 verify --policy "$policy"
said "only 'CN=somebody' is trusted"

# notation judges what we wrote, in a registry on the loopback device.
port=$(free_port)
serve_registry registry "$port"
url=http://127.0.0.1:$port/v2/team/app
repository=127.0.0.1:$port/team/app
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:sealed" "docker://$repository:v1"
push_blob() { # push_blob FILE
  local location
  location=$(curl -sf -X POST -D - -o /dev/null "$url/blobs/uploads/" | tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }')
  curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=sha256:$(sha256sum < "$1" | cut -d' ' -f1)"
}
push_manifest() { curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.$3.v1+json" --data-binary "@$1" "$url/manifests/$2"; }
# The manifests that refer to the image, with the list that registries without an API have.
manifests=()
for file in "$work/layout"/blobs/sha256/*; do
  jq -e --arg digest "$digest" 'select(.subject.digest? == $digest)' "$file" > /dev/null 2>&1 || continue
  for blob in $(jq -r '.config.digest, .layers[].digest' "$file"); do push_blob "$(blob "$work/layout" "$blob")"; done
  push_manifest "$file" "sha256:${file##*/}" manifest
  manifests+=("$(jq -cn --arg digest "sha256:${file##*/}" --argjson size "$(stat -c %s "$file")" \
    '{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size, artifactType: "application/vnd.cncf.notary.signature"}')")
done
equal "${#manifests[@]}" 2 "signatures of ours"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,%s]}' "${manifests[@]}" > "$work/list.json"
push_manifest "$work/list.json" "${digest/:/-}" index

config=$XDG_CONFIG_HOME/notation
trust_store() { # trust_store AUTHORITY
  rm -rf "$config/truststore"
  mkdir -p "$config/truststore/x509/ca/it"
  cp "$work/$1.pem" "$config/truststore/x509/ca/it/"
}
trust_store root
cat > "$config/trustpolicy.json" << JSON
{"version": "1.0", "trustPolicies": [{"name": "it", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
  "trustStores": ["ca:it"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Example, CN=signer"]}]}
JSON
judge() { notation verify --insecure-registry --max-signatures "${1:-100}" "$repository@$digest"; }
expect 0 judge
said "$identity"
# Each of the two alone: the list is what notation goes by.
for one in "${manifests[@]}"; do
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$one" > "$work/one.json"
  push_manifest "$work/one.json" "${digest/:/-}" index
  expect 0 judge
done
trust_store other
expect 1 judge
said 'signature verification failed'
trust_store root

# notation's own signatures, in both forms.
printf '{"default":"signer","keys":[{"name":"signer","keyPath":"%s","certPath":"%s"}]}' "$work/signer.key" "$work/signer.chain.pem" > "$config/signingkeys.json"
for form in jws cose; do
  skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$repository:v1" "oci:$work/$form:v1"
  expect 5 "$intact" verify "oci:$work/$form:v1" --ca "$work/root.pem"
  said 'not signed; get a signed image'
  expect 0 notation sign --insecure-registry --key signer --signature-format "$form" --user-metadata "dev.intact.identity=$identity" "$repository@$digest"
  curl -sf -H 'Accept: application/vnd.oci.image.index.v1+json' "$url/manifests/${digest/:/-}" > "$work/list.json"
  newest=$(jq -r '.manifests[-1].digest' "$work/list.json")
  curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$url/manifests/$newest" > "$(blob "$work/$form" "$newest")"
  for one in $(jq -r '.config.digest, .layers[].digest' "$(blob "$work/$form" "$newest")"); do
    curl -sf "$url/blobs/$one" > "$(blob "$work/$form" "$one")"
  done
  expect 0 "$intact" verify "oci:$work/$form:v1" --ca "$work/root.pem" --identity 'registry.example/team/*' --max-age 1h
  expect 5 "$intact" verify "oci:$work/$form:v1" --ca "$work/other.pem"
  said 'the certificate does not lead to a trusted one'
done
