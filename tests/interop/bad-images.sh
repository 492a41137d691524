#!/usr/bin/env bash
# Documents that no builder writes: media types, digests, sizes and JSON that seal and pull refuse, 6 for
# what cannot be understood and 3 for what is not what it was named by; layout and store stay as they were.
# shellcheck disable=SC2034
. "$(dirname "$0")/lib-bad.sh"

# fresh: $dir is a good layout with both images.
fresh() { image_of 'file f text=content'; }

# Documents are edited as text by a jq filter or, where the result is not JSON, by sed -z.
# replace TAG KIND FILE: FILE is the new manifest or config of the tag, everything above it follows.
replace() {
  local manifest
  manifest=$(blob "$dir" "$(manifest_digest "$dir" "$1")")
  if [[ $2 == config ]]; then
    jq -c --argjson config "$(layout_blob "$dir" "$3" application/vnd.oci.image.config.v1+json)" \
      '.config = $config' "$manifest" > "$dir/new"
  else
    mv "$3" "$dir/new"
  fi
  layout_tag "$dir" "$1" "$(layout_blob "$dir" "$dir/new" application/vnd.oci.image.manifest.v1+json)"
}
# document KIND TOOL PROGRAM: changes both images of a fresh layout by `jq -c` or `sed -z`.
document() {
  local tag file
  fresh
  for tag in plain claimed; do
    file=$(blob "$dir" "$(manifest_digest "$dir" "$tag")")
    [[ $1 == manifest ]] || file=$(config_of "$dir" "$tag")
    if [[ $2 == jq ]]; then jq -c "$3" "$file" > "$work/edited"; else sed -z "$3" "$file" > "$work/edited"; fi
    cmp -s "$file" "$work/edited" && fail "'$3' changes nothing in the $1"
    replace "$tag" "$1" "$work/edited"
  done
  sign_tag "$dir" claimed
}
# bad NAME STATUS REGEX KIND TOOL PROGRAM: refused.
bad() {
  document "$4" "$5" "$6"
  refused "$1" "$2" "$3"
}
# good NAME KIND TOOL PROGRAM: accepted.
good() {
  document "$2" "$3" "$4"
  accepted "$1"
}
sed() { command sed "$@"; }

fresh
accepted 'nothing special'
tree_is '/f 100644 content'
good 'unknown members' manifest jq '.unknown = {a: 1} | .annotations = {x: "y"}'

### Media types.
bad 'an unknown layer type' 6 'layer.*application/x-other' manifest jq '.layers[0].mediaType = "application/x-other"'
bad 'an encrypted layer' 6 'encrypted' manifest jq '.layers[0].mediaType += "+encrypted"'
bad 'an unknown config type' 6 'application/x-other' manifest jq '.config.mediaType = "application/x-other"'
bad 'a build cache' 6 'build cache' manifest jq '.config.mediaType = "application/vnd.buildkit.cacheconfig.v0"'
bad 'a manifest that calls itself an index' 6 'mediaType|index' manifest jq '.mediaType = "application/vnd.oci.image.index.v1+json"'
bad 'a manifest of an unknown type' 6 'application/x-other' manifest jq '.mediaType = "application/x-other"'
bad 'a manifest that could be an index' 6 'manifest' manifest jq '.manifests = []'
bad 'schema 1' 6 'schemaVersion|schema' manifest jq '.schemaVersion = 1'

### Digests.
bad 'an unknown digest algorithm' 6 'digest' manifest jq '.layers[0].digest = "md5:d41d8cd98f00b204e9800998ecf8427e"'
bad 'a digest with slashes' 6 'digest' manifest jq '.layers[0].digest = "sha256:../../../../../../../../../../../../../../../etc/passwd/aaaaaaaaaaaaa"'
bad 'a digest algorithm with slashes' 6 'digest' manifest jq '.layers[0].digest |= "../" + .'
bad 'a digest in capitals' 6 'digest' manifest jq '.layers[0].digest |= "sha256:" + (.[7:] | ascii_upcase)'
bad 'a short digest' 6 'digest' manifest jq '.layers[0].digest |= .[:-1]'
bad 'an empty digest' 6 'digest' manifest jq '.config.digest = ""'
bad 'a diff_id with slashes' 6 'diff_id|digest' config jq '.rootfs.diff_ids[0] = "sha256:../x"'
bad 'a wrong diff_id' 3 'layer 1 .*digest that the image config names' config jq ".rootfs.diff_ids[0] = \"$nothing\""
bad 'a layer that is not there' 7 "${nothing#*:}" manifest jq ".layers[0].digest = \"$nothing\""

### Sizes.
bad 'a size that is too small' 3 'bytes' manifest jq '.layers[0].size -= 1'
bad 'a size that is too large' 3 'bytes' manifest jq '.layers[0].size += 1'
bad 'a size of nothing' 3 'bytes' manifest jq '.layers[0].size = 0'
bad 'a config size that is wrong' 3 'bytes' manifest jq '.config.size += 1'
bad 'a negative size' 6 '"size"' manifest jq '.layers[0].size = -1'
bad 'a fractional size' 6 '"size"' manifest jq '.layers[0].size = 1.5'
bad 'a size over 64 bits' 6 '"size"|number' manifest sed 's/"size":[0-9]*/"size":99999999999999999999/2'
bad 'a huge config' 6 'over the limit of 4194304' manifest jq '.config.size = 4194305'
bad 'inline data that is something else' 3 'data of the descriptor' manifest jq '.layers[0].data = "YQ=="'

### Layers and diff_ids.
bad 'fewer diff_ids than layers' 6 'layers|diff_ids' config jq '.rootfs.diff_ids = []'
bad 'more layers than diff_ids' 6 'layers|diff_ids' manifest jq '.layers += .layers'
bad 'too many layers' 6 '501 layers, over the limit of 500' manifest jq '.layers = [range(501) as $i | .layers[0]]'

### JSON, in the manifest and in the config.
for kind in manifest config; do
  bad "not JSON, $kind" 6 "$kind" "$kind" sed 's/^{/[/'
  bad "an empty $kind" 6 "$kind" "$kind" sed 's/.*//'
  bad "bytes behind the $kind" 6 "$kind" "$kind" sed 's/$/ x/'
  bad "duplicate keys, $kind" 6 'duplicate|twice' "$kind" sed 's/^{/{"a":1,"a":2,/'
  bad "duplicate keys that are escaped, $kind" 6 'duplicate|twice' "$kind" sed 's/^{/{"a":1,"\\u0061":2,/'
  bad "invalid UTF-8, $kind" 6 "$kind" "$kind" sed 's/^{/{"a":"\xff",/'
  bad "too deep, $kind" 6 'nested deeper than 64 levels' "$kind" jq '.a = reduce range(70) as $i (0; [.])'
  bad "not an object, $kind" 6 "$kind" "$kind" jq '[.]'
done
bad 'a deep array of 100,000 levels' 6 'nested deeper than 64 levels' manifest sed \
  "s/^{/{\"a\":$(printf '[%.0s' {1..100000}),/"
for kind in manifest config; do
  bad "NUL behind the $kind" 6 "$kind: JSON: .*NUL" "$kind" sed 's/$/\x00{}/'
done
bad 'a key that would act on a terminal' 6 'duplicate key "a.x0a.x1b\[31m"' manifest sed \
  's/^{/{"a\\n\\u001b[31m":1,"a\\n\\u001b[31m":2,/'
bad 'a media type that would act on a terminal' 6 'media type .x/.x0a.x1b\[31m' manifest jq \
  '.layers[0].mediaType = "x/\n\u001b[31m"'
bad 'a number as mediaType' 6 '"mediaType"' manifest jq '.layers[0].mediaType = 1'
bad 'layers that are an object' 6 '"layers"' manifest jq '.layers = {}'
bad 'a layer that is a string' 6 'layer' manifest jq '.layers[0] = "x"'
bad 'annotations that are no strings' 6 'annotations|"x"' manifest jq '.annotations = {x: 1}'
bad 'rootfs of a wrong type' 6 '"rootfs"' config jq '.rootfs = "x"'
bad 'a diff_id of a wrong type' 6 'diff_ids' config jq '.rootfs.diff_ids = [1]'
bad 'Env of a wrong type' 6 '"Env"' config jq '.config.Env = {}'
bad 'labels of a wrong type' 6 'Labels|"a"' config jq '.config.Labels = {a: 1}'
fresh
for tag in plain claimed; do
  { cat "$(blob "$dir" "$(manifest_digest "$dir" "$tag")")"; head -c 4194304 /dev/zero | tr '\0' ' '; } > "$work/edited"
  replace "$tag" manifest "$work/edited"
done
sign_tag "$dir" claimed
refused 'a manifest that is too big' 6 'over the limit of 4194304'

### Index and layout.
# index NAME STATUS REGEX SED_PROGRAM
index() {
  fresh
  sed -i -z "$4" "$dir/index.json"
  refused "$1" "$2" "$3"
}
index 'an index that is no JSON' 6 'index.json' 's/^{/[/'
index 'an index with duplicate keys' 6 'index.json.*(duplicate|twice)' 's/^{/{"manifests":[],/'
index 'an index with a digest with slashes' 6 'index.json.*digest' 's/"sha256:[0-9a-f]*"/"sha256:..\/..\/x"/'
index 'an index with an unknown algorithm' 6 'index: entry [01]: digest algorithm' 's/"sha256:/"blake3:/g'
fresh
head -c 5000000 /dev/zero | tr '\0' ' ' >> "$dir/index.json"
refused 'an index that is too big' 6 'index.json'
# Anything but a regular file must not block, and is not a usage error.
for name in index.json oci-layout; do
  fresh
  mkfifo "$dir/fifo"
  mv "$dir/fifo" "$dir/$name"
  refused "a FIFO as $name" 6 "$name: not a regular file"
  fresh
  ln -sf /dev/zero "$dir/$name"
  refused "a device as $name" 6 "$name: not a regular file"
done
fresh
layer=$(blob "$dir" "$(jq -r '.layers[0].digest' "$(blob "$dir" "$(manifest_digest "$dir" plain)")")")
rm "$layer"
mkfifo "$layer"
refused 'a FIFO as a layer' 6 'not a regular file'
rm "$layer"
mkdir "$layer"
refused 'a directory as a layer' 6 'not a regular file'
fresh
echo '{"imageLayoutVersion":"9.0.0"}' > "$dir/oci-layout"
refused 'an unknown layout version' 6 'oci-layout|version'

### Labels of the sealed image: for pull alone.
# label NAME STATUS REGEX JQ
label() {
  fresh
  jq -c "$4" "$(config_of "$dir" claimed)" > "$work/edited"
  replace claimed config "$work/edited"
  sign_tag "$dir" claimed
  current=$1
  refuses "$2" "$3" pull "oci:$dir:claimed" bad
}
label 'another image than was sealed' 3 "sealed as $nothing" '.config.Labels.other = "x"'
label 'a label that is no digest' 6 'intact.image.digest' '.config.Labels["intact.image.digest"] = "sha256:.."'
label 'an unknown format' 6 'other-9' '.config.Labels["intact.image.format"] = "other-9"'
label 'a contradicting label' 6 'containers.composefs.fsverity' \
  '.config.Labels["containers.composefs.fsverity"] = "1111111111111111111111111111111111111111111111111111111111111111"'

bad_input_done
