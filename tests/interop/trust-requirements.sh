#!/usr/bin/env bash
# What a policy requires besides one trusted signature: signers, attestations, age, serial numbers.
. "$(dirname "$0")/lib.sh"
requires jq
identity=registry.example/prod/app:1
small_image "$work/layout"
policy=$work/policy.json
for key in one two three; do
  make_keys "$key"
  "$intact" trust add "$work/$key.pub" --identity 'registry.example/**' --label "$key" --policy "$policy" > /dev/null
done
seal() { # seal KEY [OPTION...]
  local key=$1
  shift
  "$intact" seal "oci:$work/layout:latest" --key "$work/$key.key" --password-file "$work/password" --identity "$identity" "$@"
}
verify() { "$intact" verify "oci:$work/layout:latest-sealed" --policy "$policy" "$@"; }
require() { "$intact" trust require --policy "$policy" "$@"; }
expect 0 seal one
expect 0 verify

# Two of three, and only for images of that name.
expect 0 require --identity 'registry.example/prod/**' --signers 2
expect 5 verify
said 'requires 2 signers.*only 1'
expect 0 seal one --signature-format bundle # the same key again is the same signer
expect 5 verify
said 'requires 2 signers.*only 1'
expect 5 "$intact" pull "oci:$work/layout:latest-sealed" "$identity" --policy "$policy"
said 'requires 2 signers.*only 1'
expect 0 seal two --signature-format bundle
expect 0 verify --json
equal "$(jq -r '.signers | length' "$work/out")" 2 signers
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --policy "$policy"
expect 0 "$intact" verify app --policy "$policy"
expect 0 require --identity 'registry.example/other/**' --signers 3
expect 0 verify
expect 0 require --signers 3
expect 5 verify
said 'requires 3 signers, and only 2 signed'
expect 5 "$intact" verify app --policy "$policy"
said 'requires 3 signers, and only 2 signed'
expect 0 require --remove
expect 7 require --remove
said 'no requirement for every image'
expect 0 verify

# What each signature is worth.
make_keys stranger
expect 0 seal stranger
expect 0 "$intact" trust test "oci:$work/layout:latest-sealed" --policy "$policy" --json
equal "$(jq -r '.ok, (.accepted | length), (.rejected | length), (.requirements | length)' "$work/out" | tr '\n' ' ')" 'true 3 1 1 ' "trust test"
expect 5 "$intact" trust test "oci:$work/layout:latest" --policy "$policy"
said 'Not trusted: .*not signed'
expect 5 "$intact" trust test "oci:$work/layout:latest-sealed" --policy "$policy" --name registry.example/prod/other
said 'cannot have the name'

# Age, serial number, time.
expect 0 verify --max-age 1h
sleep 1.1
expect 5 verify --max-age 1s
said 'longer ago than allowed'
expect 2 verify --max-age soon
said 'not an age'
expect 0 require --identity 'registry.example/prod/**' --min-serial 5
expect 5 verify
said 'serial number of 5 or more'
expect 0 seal three --serial 4 --signature-format bundle
expect 5 verify
said 'the policy requires a serial number of 5 or more'
expect 0 seal three --serial 5
expect 0 verify
expect 0 require --identity 'registry.example/prod/**' --not-before 2099-01-01T00:00:00Z
expect 5 verify
said 'made after 2099'
expect 0 require --identity 'registry.example/prod/**' --remove

# Attestations are by trusted signers, and about this image.
expect 5 verify --require-attestation slsaprovenance1
said "no attestation 'https://slsa.dev/provenance/v1'"
expect 0 "$intact" trust list --policy "$policy"
said 'required of'

# What a policy cannot mean is an error.
for member in '"signers": 0' '"signers": "2"' '"max_age": "soon"' '"identity": ""' '"attestations": [1]' '"unknown": 1' '"min_serial": null'; do
  jq -c ".requirements = [{$member}]" "$policy" > "$work/bad.json"
  expect 6 "$intact" trust list --policy "$work/bad.json"
  said 'requirement 1: '
done
expect 2 require
said 'requires nothing'
