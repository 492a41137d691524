#!/usr/bin/env bash
# One flipped byte in each file of the store: verify, mount and run refuse with the right status and
# verify names the damage; turned back, all is well.
. "$(dirname "$0")/lib.sh"
requires jq fsverity umoci
pulled_image
unpack_image "$work/layout" latest
verify() { "$intact" verify app --pub "$work/key.pub" "$@"; }
expect 0 verify --json
jq -e '.ok == true and (.damaged | length) == 0' "$work/out" > /dev/null

# Objects: named by path, object, block and offset.
large=$INTACT_STORE/objects/$(object_of "$work/unpacked/rootfs/usr/share/large")
flip "$large" 1500000
flip "$large" 100
expect 3 verify --json
jq -e '.ok == false' "$work/out" > /dev/null
jq -e '[.damaged[] | select(.path | test("usr/share/large")) | .block] | sort == [0, 366]' "$work/out" > /dev/null ||
  fail "damaged blocks: $(cat "$work/out")"
jq -e '[.damaged[].offset] | sort == [0, 1499136]' "$work/out" > /dev/null || fail "offsets: $(cat "$work/out")"
flip "$large" 1500000
flip "$large" 100
expect 0 verify
# A file that several names have: the damage is found once or under each, but never passed over.
same=$INTACT_STORE/objects/$(object_of "$work/unpacked/rootfs/usr/share/same")
flip "$same" 99999
expect 3 verify
said 'usr/share/same'
flip "$same" 99999
# Several files at once: goes on to the end.
flip "$large" 0
flip "$same" 0
expect 3 verify
said 'usr/share/large'
said 'usr/share/same'
flip "$large" 0
flip "$same" 0
expect 0 verify

# Every other file that the image needs.
digest=$(manifest_digest "$work/layout" latest-sealed)
manifest=$(blob "$INTACT_STORE" "$digest")
config=$(blob "$INTACT_STORE" "$(jq -r .config.digest "$manifest")")
for file in "$manifest" "$config" "$INTACT_STORE"/images/*; do
  flip "$file" 50
  expect 3 verify
  said "${file##*/}: (damaged|does not match)"
  flip "$file" 50
  expect 0 verify
done
# A signature that is damaged does not count.
signature=$(blob "$INTACT_STORE" "$(manifest_digest "$work/layout" "${digest/:/-}.sig")")
payload=$(blob "$INTACT_STORE" "$(jq -r '.layers[0].digest' "$signature")")
for file in "$signature" "$payload"; do
  flip "$file" 50
  status=0
  verify > "$work/out" 2>&1 || status=$?
  ((status == 3 || status == 5)) || fail "damaged signature: exit status $status"
  flip "$file" 50
  expect 0 verify
done

# What is missing is damage, too, and not "not found".
for file in "$manifest" "$config" "$signature" "$payload" "$INTACT_STORE"/images/* "$large"; do
  mv "$file" "$work/saved"
  expect 3 verify
  said "${file##*/}.*: (missing|No such file or directory)"
  mv "$work/saved" "$file"
  expect 0 verify
done

# The record of the name: every byte of it flipped in turn gives an error or the very same image.
record=$(echo "$INTACT_STORE"/names/*)
for ((i = 0; i < $(stat -c %s "$record"); i += 7)); do
  flip "$record" "$i"
  status=0
  verify > "$work/out" 2>&1 || status=$?
  ((status == 0 || (status >= 3 && status <= 7))) || fail "byte $i of the record: exit status $status"
  flip "$record" "$i"
done
expect 0 verify

# Of a file with many bad blocks people are told some, machines all; the map stands below.
cp "$large" "$work/saved"
for ((i = 0; i < 30; i++)); do flip "$large" $((i * 8192)); done
expect 3 verify --map
equal "$(grep -c '^DAMAGED .*: block ' "$work/out")" 10 "blocks that are named"
said '^DAMAGED /.*: 20 further places \(see --json\)'
said 'is damaged in 30 places'
tail -3 "$work/out" | finds 'X has damage' || fail "the map does not stand behind the list"
expect 3 verify --json
equal "$(jq '.damaged | length' "$work/out")" 30 "damaged blocks"
cp "$work/saved" "$large"
expect 0 verify

# A layout is verified as well as a name.
expect 0 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
layer=$(blob "$work/layout" "$(jq -r '.layers[1].digest' "$manifest")")
flip "$layer" 500
expect 3 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
said "^DAMAGED \(layer 2\): blobs/sha256/${layer##*/}: the blob's digest is sha256:[0-9a-f]{64}\$"
said ' is damaged in 1 of 2 layers, so its files could not be checked '
! grep -q 'rest is intact' "$work/out" || fail "what was not checked is called intact"
# The store has the layer already: pull says that it took it from there.
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" again --pub "$work/key.pub"
said '^  2 of 2 layers came from the store and not from the source$'
expect 3 "$intact" pull --store "$work/store2" "oci:$work/layout:latest-sealed" again --pub "$work/key.pub"
said 'nothing was added to the store'
mv "$layer" "$work/saved"
expect 3 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
said '^DAMAGED \(layer 2\): .*is missing$'
mv "$work/saved" "$layer"
flip "$layer" 500
expect 0 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
expect 0 "$intact" pull --store "$work/store2" "oci:$work/layout:latest-sealed" again --pub "$work/key.pub"
! grep -q 'came from the store' "$work/out" || fail "layers that were read are said to come from the store"

# Damage of the metadata leaves the files unknown.
image=$(echo "$INTACT_STORE"/images/*)
flip "$image" 5000
expect 3 verify
said '^DAMAGED \(image metadata\): block 1 '
said ' is damaged in 1 place of its metadata, so its files could not be checked '
flip "$image" 5000

# What fails because of this process is not damage: layers are copied before they are unpacked.
mkdir "$work/big"
head -c 18000000 /dev/urandom > "$work/big/file"
expect 0 "$intact" seal "rootfs:$work/big" "oci:$work/large:v1" --key "$work/key.key" --password-file "$work/password"
verify_large() { "$intact" verify "oci:$work/large:v1" --pub "$work/key.pub" "$@"; }
no_place() { TMPDIR=$work/nowhere verify_large "$@"; }
no_room() { (ulimit -f 2000 && verify_large "$@"); }
expect 0 verify_large
expect 1 no_place
said 'temporary file: .*/nowhere: No such file'
expect 1 no_room
said 'File too large'
flip "$(blob "$work/large" "$(jq -r '.layers[0].digest' "$(blob "$work/large" "$(manifest_digest "$work/large" v1)")")")" 500
expect 3 verify_large
said '^DAMAGED \(layer 1\): blobs/sha256/'

# --all says 0 only of what was verified: not when the key is missing, or a name cannot be found by itself.
all() { "$intact" verify --all -q --pub "$work/key.pub" "$@"; }
expect 0 all
[[ ! -s $work/out ]] || fail "-q: $(cat "$work/out")"
expect 7 "$intact" verify --all -q --pub "$work/missing.pub"
said "'app' is not verified: .*missing.pub: No such file"
# Nor of a name that the store has lost: anyone who can write to it would silence the check like this.
mv "$INTACT_STORE/names/app.json" "$work/app.json"
expect 7 all
said "'app' is not verified: was pulled into this store, which no longer has the name; .*intact rm app"
expect 7 "$intact" verify --all --json --pub "$work/key.pub"
jq -e '.ok == false and any(.images[]; .name == "app" and .error == "not_found")' "$work/out" > /dev/null || fail "$(cat "$work/out")"
mv "$work/app.json" "$INTACT_STORE/names/app.json"
expect 0 all
mv "$INTACT_STORE/names/app.json" "$work/app.json"
expect 0 "$intact" rm app
expect 0 all
expect 7 "$intact" rm app
said 'app: no such image in the store'
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
expect 0 all
expect 2 "$intact" tag app other@0123456789ab --pub "$work/key.pub"
said 'other@0123456789ab: ends in the digest of another image; this one is sha256:'
expect 2 "$intact" pull "oci:$work/layout:latest-sealed" other@0123456789ab --pub "$work/key.pub"
said 'other@0123456789ab: ends in the digest of another image; '
jq -c '.name = "other@0123456789ab"' "$INTACT_STORE/names/app.json" > "$INTACT_STORE/names/other@0123456789ab.json"
expect 7 all
said "'other@0123456789ab' is not verified: .*no such image in the store"
flip "$large" 4096
expect 3 all
said '^DAMAGED /'
flip "$large" 4096
expect 0 "$intact" rm other@0123456789ab
expect 0 all
pinned=app@$(jq -r .manifest "$INTACT_STORE/names/app.json")
expect 0 "$intact" tag app "$pinned" --pub "$work/key.pub"
expect 0 all
expect 0 "$intact" rm "$pinned"
expect 0 "$intact" verify app --pub "$work/key.pub"
