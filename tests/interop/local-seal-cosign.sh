#!/usr/bin/env bash
# An image that real cosign signed in its classic format and that nobody sealed: pulled as it is, and
# from then on both are demanded, that signature and the local seal.
. "$(dirname "$0")/lib.sh"
requires cosign docker-registry skopeo jq
make_keys
small_image "$work/layout" plain
record() { printf '%s\n' "$INTACT_STORE/names/$1.json"; }
edit() { jq -c "${@:2}" "$(record "$1")" > "$work/edited" && cp "$work/edited" "$(record "$1")"; }
export COSIGN_PASSWORD='a password'
(cd "$work" && cosign generate-key-pair --output-key-prefix theirs > /dev/null 2>&1)
port=$(free_port)
serve_registry registry "$port"
repository=127.0.0.1:$port/team/app
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:plain" "docker://$repository:v1"
signed=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$repository:v1")
expect 0 cosign sign --key "$work/theirs.key" --tlog-upload=false -y "$repository@$signed"
for tag in v1 "${signed/:/-}.sig"; do
  skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$repository:$tag" "oci:$work/signed:$tag"
done
expect 5 "$intact" pull "oci:$work/signed:v1" cosigned --pub "$work/key.pub"
said 'not signed by a trusted key'
expect 7 "$intact" inspect cosigned
said 'cosigned: no such image in the store'
expect 0 "$intact" verify "oci:$work/signed:v1" --pub "$work/theirs.pub"
said 'signed by sha256:.*, not sealed'
expect 0 "$intact" pull "oci:$work/signed:v1" cosigned --pub "$work/theirs.pub"
said 'signed by sha256:'
said 'sealed by this machine'
expect 0 "$intact" verify cosigned --pub "$work/theirs.pub"
said 'signed by sha256:.*, sealed by this machine'
# Both are demanded: the signature by a trusted key, and the seal.
expect 5 "$intact" verify cosigned
said 'there are no trusted keys'
expect 5 "$intact" verify cosigned --pub "$work/key.pub"
said 'not signed by a trusted key'
expect 0 "$intact" inspect cosigned --json
equal "$(jq -c '[.seal, .local_seal.basis, .signature.checked]' "$work/out")" '["local","signature",false]'
expect 0 "$intact" export cosigned "oci:$work/again:v1" --pub "$work/theirs.pub"
expect 0 "$intact" verify "oci:$work/again:v1" --pub "$work/theirs.pub"
edit cosigned 'del(.evidence[] | select(.kind == "local-seal"))'
expect 5 "$intact" verify cosigned --pub "$work/theirs.pub"
said 'local seal has gone from the store'
expect 0 "$intact" pull "oci:$work/signed:v1" cosigned --pub "$work/theirs.pub"
edit cosigned '.evidence |= map(select(.kind == "local-seal"))'
expect 5 "$intact" verify cosigned --pub "$work/theirs.pub"
said 'not signed'
