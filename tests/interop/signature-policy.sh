#!/usr/bin/env bash
# A policy.json of containers/image decides which keys may sign which images of a registry, at the pull and at
# each later use.
. "$(dirname "$0")/lib.sh"
requires docker-registry skopeo jq
make_keys
make_keys other
small_image "$work/layout"
port=$(free_port)
serve_registry open "$port"
host=127.0.0.1:$port
open=docker://$host/team
skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/layout:latest" "$open/app:1.0"
expect 0 "$intact" seal "$open/app:1.0" "$open/sealed:1.0" --key "$work/key.key" --password-file "$work/password" \
  --identity "$host/team/sealed:1.0"
skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false --preserve-digests \
  "$open/sealed:1.0" "$open/sealed:2.0"

policy=$work/signature-policy.json
# scopes JSON: the policy has these scopes of registries, and rejects everything else.
scopes() { jq -n --argjson scopes "$1" '{default: [{type: "reject"}], transports: {docker: $scopes}}' > "$policy"; }
signed() { jq -nc --arg key "$work/$1.pub" --argjson more "${2:-{\}}" '{type: "sigstoreSigned", keyPath: $key} + $more'; }
pull() { "$intact" pull "$@" --signature-policy "$policy"; }
verify() { "$intact" verify "$@" --signature-policy "$policy"; }

scopes "{\"$host/team\": [$(signed key)]}"
expect 0 pull "$open/sealed:1.0" app
expect 0 verify app
expect 0 verify "$open/sealed:1.0"
expect 0 "$intact" trust test "$open/sealed:1.0" --signature-policy "$policy"
expect 5 "$intact" verify app
said 'there are no trusted keys'
# The tag was signed.
expect 5 pull "$open/sealed:2.0" second
said "as '$host/team/sealed:1.0', not under the name that the signature policy demands"
expect 5 pull "$open/app:1.0" unsigned
said "signature policy $policy: sha256:.*: not signed"

# The image in the store is judged by where it came from, whatever it is called and whatever its record says.
scopes "{\"$host/team\": [$(signed other)]}"
expect 5 verify app
said 'not signed by a trusted key'
scopes "{\"$host/other\": [$(signed key)]}"
expect 5 verify app
said "the signature policy $policy .scope default. rejects such images"
jq -c '.source = "oci:elsewhere"' "$INTACT_STORE/names/app.json" > "$work/record"
jq -n '{default: [{type: "insecureAcceptAnything"}], transports: {docker: {"": [{type: "reject"}]}}}' > "$policy"
cp "$work/record" "$INTACT_STORE/names/app.json"
expect 5 verify app
said "the signature policy $policy .scope docker ''. rejects such images"
scopes "{\"$host\": [$(signed key '{"signedIdentity": {"type": "matchRepository"}}'), {\"type\": \"insecureAcceptAnything\"}]}"
expect 0 verify app
expect 0 pull "$open/sealed:2.0" second

# Without a signature where none is demanded, for as long as the policy is named.
scopes "{\"$host/team/app\": [{\"type\": \"insecureAcceptAnything\"}]}"
expect 0 pull "$open/app:1.0" plain
expect 0 verify plain
said 'NOT SIGNED by a trusted key, sealed by this machine'
expect 5 "$intact" verify plain
said 'not signed'
expect 5 pull "$open/sealed:1.0" third
said 'rejects such images'

# What is not supported is refused by name.
scopes "{\"$host\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\", \"keyPath\": \"/keys.gpg\"}]}"
expect 6 pull "$open/sealed:1.0" third
said 'requires signedBy .GPG keys., which is not supported'
echo '{"default": [{"type": "trustMe"}]}' > "$policy"
expect 6 pull "$open/sealed:1.0" third
said "unknown type of requirement 'trustMe'"
rm "$policy"
expect 5 pull "$open/sealed:1.0" third
said 'signature-policy.json'
expect 2 verify app --pub "$work/key.pub"
said '--pub excludes --signature-policy'
[[ ! -e $INTACT_STORE/names/third.json ]] || fail "what was refused is in the store"
# A layout is judged by the default.
jq -n --argjson one "$(signed key "{\"signedIdentity\": {\"type\": \"exactRepository\", \"dockerRepository\": \"$host/team/sealed\"}}")" \
  '{default: [$one]}' > "$policy"
expect 0 "$intact" copy "$open/sealed:1.0" "oci:$work/copied:1.0"
expect 0 pull "oci:$work/copied:1.0" copied
expect 0 verify copied
jq '.transports.oci = {"": [{type: "reject"}]}' "$policy" > "$work/new"
cp "$work/new" "$policy"
expect 6 verify copied
said "has scopes of the transport 'oci', which are not supported"
