#!/usr/bin/env bash
# pull: the store it makes, names, replacing, what it refuses and that refusing leaves no image behind.
. "$(dirname "$0")/lib.sh"
requires jq fsverity
sealed_image
pull() { "$intact" pull "$@"; }
expect 0 pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
expect 0 "$intact" images
said '^app|[[:space:]]app([[:space:]]|$)'

# Objects lie as composefs lays them out and are what their names say.
count=0
while read -r file; do
  equal "objects/$(object_of "$file")" "${file#"$INTACT_STORE"/}" "path of an object"
  count=$((count + 1))
done < <(find "$INTACT_STORE/objects" -type f)
((count >= 10)) || fail "only $count objects"

# The same again is fine, another image under the name needs --replace.
expect 0 pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
small_image "$work/other" latest 'another text'
"$intact" seal "oci:$work/other:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null
expect 1 pull "oci:$work/other:latest-sealed" app --pub "$work/key.pub"
said 'app: the store has another image of this name .*pass --replace'
expect 0 pull "oci:$work/other:latest-sealed" app --pub "$work/key.pub" --replace
expect 0 "$intact" verify app --pub "$work/key.pub"

# Refused before anything has a name: unsigned, signed by another, damaged, no anchor at all.
names=$(ls "$INTACT_STORE/names")
make_keys foreign
expect 5 pull "oci:$work/layout:latest-sealed" bad --pub "$work/foreign.pub"
said ': not signed by a trusted key; '
expect 5 pull "oci:$work/layout:latest" bad --pub "$work/key.pub"
said ': not signed; '
expect 5 pull "oci:$work/layout:latest-sealed" bad
said ': there are no trusted keys; '
expect 7 pull "oci:$work/layout:nothing" bad --pub "$work/key.pub"
# The blobs that only the unsealed tag has do not matter to the sealed image.
unsealed=$(manifest_digest "$work/layout" latest)
unused=" ${unsealed#*:} $(jq -r '.config.digest | sub(".*:"; "")' "$(blob "$work/layout" "$unsealed")") "
for file in "$work"/layout/blobs/sha256/*; do
  [[ $unused != *" ${file##*/} "* ]] || continue
  rm -rf "$work/flipped" "$work/store2"
  cp -a "$work/layout" "$work/flipped"
  flip "$work/flipped/blobs/sha256/${file##*/}" 100
  status=0
  "$intact" pull --store "$work/store2" "oci:$work/flipped:latest-sealed" bad --pub "$work/key.pub" \
    2> "$work/err" > "$work/out" || status=$?
  ((status == 3 || status == 5)) || fail "flipped byte in ${file##*/}: exit status $status"
  said "^intact: .*${file##*/}"
  [[ ! -d $work/store2/names || -z $(ls "$work/store2/names") ]] || fail "a damaged image has a name"
done
equal "$(ls "$INTACT_STORE/names")" "$names" "names"

# The undamaged twin.
rm -rf "$work/store2"
expect 0 pull --store "$work/store2" "oci:$work/layout:latest-sealed" twin --pub "$work/key.pub"

# Names that would be taken for something else.
expect 2 pull "oci:$work/layout:latest-sealed" oci:name --pub "$work/key.pub"
said "begins with 'oci:', which marks a source; .intact pull. gives it a name in the store"
expect 2 "$intact" verify oci-archive: --pub "$work/key.pub"
said "'oci-archive:': no path"
expect 0 "$intact" inspect "oci:$work/layout:latest-sealed"
said 'Signatures \(not verified\):'
expect 7 pull "oci:$work/layout:nothing" bad --pub "$work/key.pub"
said "no image 'nothing'; there are latest, latest-sealed"
expect 2 pull "oci:$work/layout:latest-sealed" -- --pub "$work/key.pub"
said '^intact: --: '

# Without layers the store is smaller and the image still good.
expect 0 "$intact" pull --store "$work/small" "oci:$work/layout:latest-sealed" app --pub "$work/key.pub" --drop-layers
expect 0 "$intact" verify --store "$work/small" app --pub "$work/key.pub"

# The config of cosign's signatures says nothing: an image without it can be pulled, and pulled again.
cp -a "$work/layout" "$work/no-config"
sealed=$(manifest_digest "$work/layout" latest-sealed)
signatures=$(manifest_digest "$work/layout" "${sealed/:/-}.sig")
rm "$work/no-config/blobs/sha256/$(jq -r '.config.digest | sub(".*:"; "")' "$(blob "$work/layout" "$signatures")")"
for _ in first second; do
  expect 0 pull "oci:$work/no-config:latest-sealed" no-config --pub "$work/key.pub"
done
said 'already|nothing'
expect 0 "$intact" verify no-config --pub "$work/key.pub"
