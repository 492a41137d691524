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
sleep 2.1  # ages are in whole seconds
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

# Nothing is published that a requirement refuses by the name that it gets: here the name of a tag, since the
# signature has none.
small_image "$work/nameless"
expect 0 "$intact" seal "oci:$work/nameless:latest" "oci:$work/unnamed:registry.example/prod/x:1" --key "$work/stranger.key" \
  --password-file "$work/password"
expect 0 "$intact" trust add "$work/stranger.pub" --any --label stranger --policy "$policy"
unnamed=oci:$work/unnamed:registry.example/prod/x:1
refused_by() { # refused_by REGEX REQUIREMENT...: the pull is refused, and nothing has the name
  local why=$1
  shift
  expect 0 require --identity 'registry.example/prod/**' "$@"
  expect 5 "$intact" pull "$unnamed" --policy "$policy"
  said "^intact: oci:.*: as 'registry.example/prod/x:1': .*$why"
  [[ ! -e $INTACT_STORE/names/registry.example%2Fprod%2Fx:1.json ]] || fail "published: $*"
  expect 0 "$intact" images --json
  equal "$(jq 'map(select(.name | startswith("registry.example/prod/x"))) | length' "$work/out")" 0 "$why"
  expect 0 "$intact" pull "$unnamed" "elsewhere" --policy "$policy"
  expect 0 require --identity 'registry.example/prod/**' --remove
}
refused_by 'requires 2 signers' --signers 2
refused_by 'requires 1 signers? for .*none signed' --attestation slsaprovenance1
refused_by 'serial number of 9 or more' --min-serial 9
refused_by 'made after 2099' --not-before 2099-01-01T00:00:00Z
sleep 2.1  # ages are in whole seconds
refused_by 'longer ago than allowed' --max-age 1s
expect 0 "$intact" pull "$unnamed" --policy "$policy"
expect 0 "$intact" verify registry.example/prod/x:1 --policy "$policy"
expect 0 "$intact" trust rm stranger --policy "$policy"

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

# The highest serial number that was pulled is the lowest from then on: of the identity under any name and in any
# store, and of the name whatever identity was signed.
small_image "$work/releases"
release() { # release SERIAL TAG [OPTION...]
  local serial=$1 tag=$2
  shift 2
  small_image "$work/releases" "plain-$tag" "release $tag"
  expect 0 "$intact" seal "oci:$work/releases:plain-$tag" "oci:$work/releases:$tag" --key "$work/one.key" \
    --password-file "$work/password" ${serial:+--serial "$serial"} "$@"
}
name=registry.example/prod/tool:latest
release 7 seven --identity "$name"
release 8 eight --identity "$name"
release '' none --identity "$name"
release 5 other --identity registry.example/prod/other:1
get() { # get TAG NAME [OPTION...]
  local tag=$1
  shift
  "$intact" pull "oci:$work/releases:$tag" "$@" --policy "$policy"
}
expect 0 get seven tool
expect 0 get eight tool --replace
expect 0 get eight tool
expect 5 get seven tool --replace
said 'tool: the image has the serial number 7, but one with 8 was pulled before .*--allow-older'
expect 5 get seven second-name
said 'but one with 8 was pulled before as'
INTACT_STORE=$work/second expect 5 get seven second-name
said 'but one with 8 was pulled before as'
expect 5 get none tool --replace
said 'the image has no signed serial number, but one with 8 was pulled before'
# Another identity, or none that is trusted, under the name.
expect 5 get other tool --replace
said 'the image has the serial number 5, but one with 8 was pulled before under the name .tool.'
expect 5 get plain-seven tool --replace --tofu
said 'the image has no signed serial number'
expect 0 get other other
expect 0 "$intact" verify tool --policy "$policy" --json
equal "$(jq -r .manifest "$work/out")" "$(manifest_digest "$work/releases" eight)" 'the image of the name'
# Removing the name forgets nothing; the user may.
expect 0 "$intact" rm tool
expect 5 get seven tool
said 'but one with 8 was pulled before'
expect 0 get seven tool --allow-older
expect 0 "$intact" verify tool --policy "$policy"
expect 5 get seven tool
said 'but one with 8 was pulled before'
expect 0 get eight tool --replace
# The highest of several signatures counts.
expect 0 "$intact" seal "oci:$work/releases:plain-seven" "oci:$work/releases:seven" --key "$work/two.key" \
  --password-file "$work/password" --serial 9 --identity "$name"
expect 0 get seven tool --replace
expect 5 get eight tool --replace
said 'the image has the serial number 8, but one with 9 was pulled before'
# The memory is believed only where others could not have written it.
equal "$(stat -c %a "$INTACT_STATE/serials.json")" "$( ((EUID == 0)) && echo 644 || echo 600)" 'mode of the memory'
chmod 666 "$INTACT_STATE/serials.json"
expect 5 get seven tool
said 'serials.json: '
chmod 600 "$INTACT_STATE/serials.json"
expect 0 get seven tool
