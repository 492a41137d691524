#!/usr/bin/env bash
# An image that nobody has sealed is pulled as it is: signed as cosign signs, pinned by its digest, or
# trusted on first use. This machine seals what it unpacked. The seal is demanded at every start, and one
# of another machine, name, image or time is refused.
# shellcheck disable=SC2016
. "$(dirname "$0")/lib.sh"
requires jq
small_image "$work/layout" plain 'one text'
small_image "$work/layout" other 'another text'
plain=oci:$work/layout:plain other=oci:$work/layout:other
digest=$(manifest_digest "$work/layout" plain)
another=$(manifest_digest "$work/layout" other)
record() { printf '%s\n' "$INTACT_STORE/names/$1.json"; }
seal_of() { jq -r '.evidence[] | select(.kind == "local-seal") | .document' "$(record "$1")"; }

# Neither signed nor sealed: refused, and told what to do.
expect 5 "$intact" pull "$plain" app
said 'not signed.*--pin DIGEST or --tofu'
expect 5 "$intact" pull "$plain" app --pin "$another"
said "not the digest that was pinned, $another"
expect 2 "$intact" pull "$plain" app --pin sha256:12
said '--pin: not a digest'
expect 2 "$intact" pull "$plain" app --pin "$digest" --tofu
said '--pin excludes --tofu'
[[ ! -e $INTACT_STORE/names/app.json ]] || fail "what was refused is in the store"

# Pinned.
expect 0 "$intact" pull "$plain" app --pin "$digest"
said 'pinned by its digest when it was pulled'
said 'sealed by this machine'
equal "$(stat -c %a "$INTACT_STATE/local-seal" "$INTACT_STATE/local-seal/key.pem" | paste -sd ' ')" '700 600' modes
expect 0 "$intact" pull "$plain" app --pin "$digest" --json
equal "$(jq -c '[.unchanged, .seal, .basis, .signer]' "$work/out")" '[true,"local","pin",null]'
expect 0 "$intact" verify app
said "'app' is intact: .*; pinned by its digest when it was pulled, sealed by this machine"
expect 0 "$intact" verify app --json
equal "$(jq -c '[.ok, .seal, .basis]' "$work/out")" '[true,"local","pin"]'
expect 0 "$intact" images
said '^NAME .* SEAL +PULLED$'
said '^app .* local +20'
expect 0 "$intact" inspect app
said '^Seal +by this machine, 20.*pinned'
expect 0 "$intact" inspect app --json
equal "$(jq -c '[.seal, .local_seal.basis, .signature]' "$work/out")" '["local","pin",null]'
expect 0 "$intact" export app "rootfs:$work/root"
expect 0 "$intact" export app "oci:$work/exported:x"
equal "$(manifest_digest "$work/exported" x)" "$digest" 'the exported manifest'
expect 0 "$intact" fsck
# A pin does not replace a signature that was asked for.
make_keys
expect 5 "$intact" verify app --pub "$work/key.pub"
said 'not signed; get a signed image'
expect 5 "$intact" verify app --identity 'registry.example/*'
said 'not signed; get a signed image'
# Another image under the name.
expect 1 "$intact" pull "$other" app --pin "$another"
said 'pass --replace'

# On first use: the first of its name, and no other.
expect 0 "$intact" pull "$plain" first --tofu
said 'trusted on first use'
expect 0 "$intact" verify first
said 'trusted on first use, sealed by this machine'
expect 0 "$intact" pull "$plain" first --tofu
expect 5 "$intact" pull "$other" first --tofu
said "first: $digest was pulled under this name before"
expect 5 "$intact" pull "$plain" x --pub "$work/key.pub" --tofu
said 'not signed; get a signed image'
# Where the policy says who signs such images, a missing signature cannot be replaced by a first use.
policy=(--policy "$work/policy.json")
expect 0 "$intact" trust add "$work/key.pub" --identity 'registry.example/team/*' "${policy[@]}"
expect 5 "$intact" pull "$plain" registry.example/team/app --tofu "${policy[@]}"
said 'needs a signature by sha256:'
expect 0 "$intact" pull "$plain" registry.example/tool/app --tofu "${policy[@]}"
# A requirement rules out a pin and a first use, of the names that it is for.
needed=(--policy "$work/needed.json")
expect 0 "$intact" trust require --signers 2 --identity 'registry.example/prod/**' "${needed[@]}"
for accepted in "--pin $digest" --tofu; do
  # shellcheck disable=SC2086
  expect 5 "$intact" pull "$plain" registry.example/prod/app $accepted "${needed[@]}"
  said "requirement of 'registry.example/prod/\*\*': 2 signers, so neither a pin nor the first use is enough"
done
expect 0 "$intact" pull "$plain" registry.example/test/app --pin "$digest" "${needed[@]}"
expect 0 "$intact" rm registry.example/test/app
# A revoked image is refused whatever vouches for it.
expect 0 "$intact" trust revoke "$digest" "${policy[@]}"
expect 5 "$intact" verify app "${policy[@]}"
said 'revoked'
expect 5 "$intact" pull "$plain" revoked --pin "$digest" "${policy[@]}"
said 'revoked by the trust policy'
expect 0 "$intact" trust revoke "$digest" --undo "${policy[@]}"
expect 0 "$intact" verify app "${policy[@]}"

# An unsigned image has to be asked for at each command.
expect 0 "$intact" pull "$plain" nobody --insecure-unsigned
expect 5 "$intact" verify nobody
said 'not signed; get a signed image'
expect 0 "$intact" verify nobody --insecure-unsigned
said 'NOT SIGNED by a trusted key, sealed by this machine'

# Sealed by its publisher.
expect 0 "$intact" seal "$plain" "oci:$work/sealed:x" --key "$work/key.key" --password-file "$work/password"
expect 0 "$intact" pull "oci:$work/sealed:x" sealed --pub "$work/key.pub"
expect 0 "$intact" verify sealed --pub "$work/key.pub"
said 'signed by .*, sealed by its publisher'
expect 0 "$intact" images --json
equal "$(jq -r '.[] | select(.name == "sealed") | .seal' "$work/out")" publisher
# A sealed image whose key nobody trusts: pinned, and both seals name the same image.
expect 0 "$intact" pull "oci:$work/sealed:x" sealed-pinned --pin "$(manifest_digest "$work/sealed" x)"
expect 0 "$intact" verify sealed-pinned
said 'pinned by .*, sealed by this machine'
expect 5 "$intact" verify sealed
said 'there are no trusted keys'

# A changed disk is found at the read that meets it.
path=usr/share/large
large=$(find "$INTACT_STORE/objects" -type f -size "$(stat -c %s "$work/root/$path")c")
flip "$large" 5000
expect 3 "$intact" verify app
said 'DAMAGED .*block 1 '
flip "$large" 5000
expect 0 "$intact" verify app
if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  mkdir "$work/mnt"
  expect 0 "$intact" mount app "$work/mnt"
  cmp "$work/mnt/$path" "$work/root/$path"
  expect 0 "$intact" umount "$work/mnt"
  flip "$large" 5000
  expect 0 "$intact" mount app "$work/mnt"
  expect 1 cat "$work/mnt/$path"
  said 'Input/output error'
  expect 0 "$intact" umount "$work/mnt"
  flip "$large" 5000
fi

# Attacks by somebody who can write to the store. Each has its undamaged twin in between.
keep() { cp -a "$INTACT_STORE" "$work/store.kept"; }
put_back() { rm -rf "$INTACT_STORE"; cp -a "$work/store.kept" "$INTACT_STORE"; expect 0 "$intact" verify app; }
edit() { jq -c "${@:2}" "$(record "$1")" > "$work/edited" && cp "$work/edited" "$(record "$1")"; }
keep
# The seal is removed from the record, or its document from the store.
edit app 'del(.evidence[] | select(.kind == "local-seal"))'
expect 5 "$intact" verify app
said 'local seal has gone from the store; pull it again'
put_back
document=$(blob "$INTACT_STORE" "$(seal_of app)")
rm -f "$document"
expect 3 "$intact" verify app
said 'local seal: .*: missing; pull the image again'
put_back
flip "$document" 100
expect 3 "$intact" verify app
said 'local seal: .*: damaged, its digest is'
put_back
# That of another name, in the record and as the whole record.
edit app --arg seal "$(seal_of first)" '(.evidence[] | select(.kind == "local-seal") | .document) = $seal'
expect 5 "$intact" verify app
said "local seal was made for the name 'first'"
put_back
edit first '.name = "app"'
cp "$(record first)" "$(record app)"
expect 5 "$intact" verify app
said "local seal was made for the name 'first'"
put_back
# Another image, as which the record has it.
edit app --arg image "sha256:$(printf '1%.0s' {1..64})" '.image = $image'
expect 3 "$intact" verify app
said 'names the .* image .*, but the local seal the'
put_back
# Another manifest with the seal of this one.
expect 0 "$intact" pull "$other" two --pin "$another"
edit app --arg manifest "$another" '.manifest = $manifest'
expect 5 "$intact" verify app
said 'local seal was made for another manifest'
put_back
# Another machine's: the same store with another state, and a seal of that in this store.
(
  export INTACT_STATE=$work/elsewhere
  expect 5 "$intact" verify app
  said 'local seal was not made by this machine, so the store comes from another one'
  said 'pull the image again on this machine with `intact pull SOURCE NAME`'
  expect 0 "$intact" pull "$plain" app --pin "$digest"
  expect 0 "$intact" verify app
)
expect 5 "$intact" verify app
said 'local seal was not made by this machine'
put_back
# The key that is missing here, or that others could have read.
mv "$INTACT_STATE/local-seal.pub" "$work/saved.pub"
expect 5 "$intact" verify app
said 'not made by this machine'
mv "$work/saved.pub" "$INTACT_STATE/local-seal.pub"
chmod 644 "$INTACT_STATE/local-seal/key.pem"
expect 5 "$intact" pull "$other" three --pin "$another"
said 'other users have access'
chmod 600 "$INTACT_STATE/local-seal/key.pem"
expect 0 "$intact" verify app

# Rollback: the seal, and all of the store, of before a newer pull.
cp "$(record app)" "$work/old.json"
expect 0 "$intact" pull "$other" app --pin "$another" --replace
expect 0 "$intact" verify app
cp "$(record app)" "$work/new.json"
cp "$work/old.json" "$(record app)"
expect 5 "$intact" verify app
said "but $another was pulled"
cp "$work/new.json" "$(record app)"
# The same image, but an older seal that says another reason for its trust.
old=$(seal_of app)
expect 0 "$intact" pull "$other" app --tofu
expect 0 "$intact" verify app
said 'trusted on first use'
cp "$work/new.json" "$(record app)"
equal "$(seal_of app)" "$old"
expect 5 "$intact" verify app
said 'local seal in the store is not the one that this machine made last'
rm -rf "$INTACT_STORE"
cp -a "$work/store.kept" "$INTACT_STORE"
expect 5 "$intact" verify app
said "but $another was pulled"

# Keys of the two kinds are never taken for each other.
expect 6 "$intact" verify sealed --pub "$INTACT_STATE/local-seal.pub"
said 'INTACT LOCAL SEAL'
expect 6 "$intact" trust add "$INTACT_STATE/local-seal.pub"
said 'not a public key'
expect 6 "$intact" seal "$plain" "oci:$work/theirs:x" --key "$INTACT_STATE/local-seal/key.pem"
said 'not a private key'
cp "$work/key.pub" "$INTACT_STATE/local-seal.pub"
expect 6 "$intact" verify first
said 'not a PEM text with exactly one block .INTACT LOCAL SEAL PUBLIC KEY.'
rm "$INTACT_STATE/local-seal.pub"

# Further names get seals of their own.
expect 0 "$intact" pull "$plain" fresh --tofu
expect 0 "$intact" tag fresh again
expect 0 "$intact" verify again
said 'trusted on first use, sealed by this machine'
[[ $(seal_of fresh) != "$(seal_of again)" ]] || fail 'two names share a seal'
expect 0 "$intact" rm fresh
expect 0 "$intact" gc
expect 0 "$intact" fsck
expect 0 "$intact" verify again
