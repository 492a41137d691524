#!/usr/bin/env bash
# The artifacts of composefs-rs: signatures over fs-verity digests of manifest, config and image, the same that
# `fsverity sign` makes.
. "$(dirname "$0")/lib.sh"
requires jq fsverity openssl
cd "$work" || exit
small_image layout
person() {
  openssl req -x509 -newkey "${@:2}" -nodes -keyout "$1.key" -out "$1.crt" -subj "/CN=$1" -days 1 2> /dev/null
  openssl pkey -in "$1.key" -pubout -out "$1.pub"
}
person rsa rsa:2048
person other rsa:2048
seal() { expect "$1" "$intact" seal oci:layout:latest oci:sealed:x --key rsa.key --composefs-artifact "${@:2}"; }

seal 2 other.crt
said '--composefs-artifact: the certificate is that of another key'
[[ ! -e sealed/index.json ]] || fail 'sealed with a certificate of another key'
seal 0 rsa.crt
digest=$(manifest_digest sealed x)
artifacts() {
  for file in sealed/blobs/sha256/*; do
    jq -e --arg subject "$digest" --arg type application/vnd.composefs.metadata.v1 \
      'select(.subject.digest == $subject and .artifactType == $type)' "$file" > /dev/null 2>&1 && echo "$file"
  done
  true
}
equal "$(artifacts | wc -l)" 2 'one artifact for each algorithm'
expect 0 "$intact" pull oci:sealed:x app --pub rsa.pub

fields() { openssl asn1parse -inform DER -in "$1" | sed -E 's/.*(prim|cons): //' | grep -v NULL; }
manifest=$(blob sealed "$digest")
config=$(config_of sealed x)
for artifact in $(artifacts); do
  keys=$(jq -r '[.layers[].annotations | keys[]] | join(" ")' "$artifact")
  algorithm=$(grep -o 'sha[0-9]*' <<< "${keys%% *}")
  equal "$keys" "composefs.manifest.fsverity-$algorithm-12 composefs.config.fsverity-$algorithm-12 \
composefs.merged.erofs.v1.fsverity-$algorithm-12" 'order of the layers'
  equal "$(jq -c '[.config.mediaType, (.layers | map(.mediaType) | unique)]' "$artifact")" \
    '["application/vnd.oci.empty.v1+json",["application/vnd.composefs.signature.v1+pkcs7"]]' 'media types'
  merged=$(jq -r ".annotations[\"composefs.merged.erofs.v1.fsverity-$algorithm-12\"]" "$manifest")
  n=0
  for file in "$manifest" "$config" ''; do
    signature=$(blob sealed "$(jq -r ".layers[$n].digest" "$artifact")")
    signed=$(jq -r ".layers[$n].annotations[]" "$artifact")
    n=$((n + 1))
    if [[ -n $file ]]; then
      equal "$signed" "$(fsverity digest --compact --hash-alg="$algorithm" "$file")" "digest of $file"
    else
      equal "$signed" "$merged" 'digest of the image'
    fi
    # RSA signatures have one form only, and fsverity hashes by the algorithm of the digest. It writes the
    # parameters of SHA-256, which are NULL, and CMS leaves them out.
    if [[ -n $file && $algorithm == sha256 ]]; then
      fsverity sign "$file" theirs --key rsa.key --cert rsa.crt --hash-alg=sha256 > /dev/null
      diff <(fields "$signature") <(fields theirs) || fail "fsverity signs otherwise: $file"
    fi
    size=$((${#signed} / 2))
    { printf '%b' "FSVerity\\x$(printf %02x "$((size / 32))")\\x00\\x$(printf %02x "$size")\\x00"; basenc -d --base16 <<< "${signed^^}"; } > content
    openssl smime -verify -in "$signature" -inform DER -content content -binary -certfile rsa.crt -nointern \
      -noverify -out /dev/null 2> err || fail "openssl refuses: $(cat err)"
  done
done

# The same again changes nothing; another signer's is added to it.
seal 0 rsa.crt --json
equal "$(jq .unchanged out)" true unchanged
equal "$(artifacts | wc -l)" 2 artifacts
expect 0 "$intact" seal oci:layout:latest oci:sealed:x --key other.key --composefs-artifact other.crt
equal "$(artifacts | wc -l)" 4 'artifacts of two signers'

# Nothing to sign.
mkdir -p bare/etc
expect 6 "$intact" seal rootfs:bare oci:bare-layout:x --key rsa.key --composefs-artifact rsa.crt
said '--composefs-artifact: /usr: the image has no such directory'
