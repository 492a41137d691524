# Common ground of the tests with bad input: images that are signed although something is wrong with
# them, so that it is the damage that is refused and not the signature. Neither the images nor the
# signatures come from our own code.
# shellcheck shell=bash disable=SC2034
. "$(dirname "$0")/lib.sh"
requires jq openssl gzip zstd perl
. "$root/tools/oci-layout.sh"

openssl ecparam -name prime256v1 -genkey -noout -out "$work/signer.pem"
openssl pkey -in "$work/signer.pem" -pubout -out "$work/signer.pub"
nothing=sha256:$(printf '0%.0s' {1..64})

seal() { "$intact" seal "$@" --key "$work/signer.pem"; }
pull() { "$intact" pull "$@" --pub "$work/signer.pub"; }

# layout_tag DIR TAG DESCRIPTOR: a further name in the index.
layout_tag() {
  jq -c --arg tag "$2" --argjson new "$3" '.manifests |=
    ([.[] | select(.annotations["org.opencontainers.image.ref.name"] != $tag)] +
     [$new + {annotations: {"org.opencontainers.image.ref.name": $tag}}])' "$1/index.json" > "$1/new"
  mv "$1/new" "$1/index.json"
}

# sign_tag DIR TAG: signs the manifest of the tag as cosign does.
sign_tag() {
  local dir=$1 digest signature layer config
  digest=$(manifest_digest "$dir" "$2")
  printf '{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}' \
    "$digest" > "$dir/new"
  signature=$(openssl dgst -sha256 -sign "$work/signer.pem" "$dir/new" | base64 -w 0)
  layer=$(layout_blob "$dir" "$dir/new" application/vnd.dev.cosign.simplesigning.v1+json)
  [[ $layer =~ sha256:[0-9a-f]{64} ]]
  printf '{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' "${BASH_REMATCH[0]}" > "$dir/new"
  config=$(layout_blob "$dir" "$dir/new" application/vnd.oci.image.config.v1+json)
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s,"annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}' \
    "$config" "${layer%\}}" "$signature" > "$dir/new"
  layout_tag "$dir" "${digest/:/-}.sig" \
    "$(layout_blob "$dir" "$dir/new" application/vnd.oci.image.manifest.v1+json)"
}

# both_images DIR [IMAGE_DIGEST]: of the layers collected so far, `plain` for seal and `claimed`, which
# says that it is sealed as IMAGE_DIGEST and is signed, for pull.
both_images() {
  local dir=$1 kept_layers=("${layers[@]}") kept_ids=("${diff_ids[@]}")
  layout_image "$dir" plain '{}'
  layers=("${kept_layers[@]}") diff_ids=("${kept_ids[@]}")
  layout_image "$dir" claimed "$(jq -cn --arg digest "${2:-$nothing}" \
    '{Labels: {"intact.image.digest": $digest, "intact.image.format": "composefs-1"}}')"
  sign_tag "$dir" claimed
}

# image_of SPEC [HOW]: $dir becomes a layout with both images of one layer that layer-tar makes.
image_of() {
  dir=$work/bad
  rm -rf "$dir"
  layout_init "$dir"
  "$root/tools/layer-tar" <<< "$1" > "$work/layer"
  layout_layer "$dir" "$work/layer" "${2:-none}"
  both_images "$dir"
}

# contents DIR: a sum over everything in it.
contents() {
  (cd "$1" && { find . -printf '%y %m %p\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum; } |
    sha256sum)
}

# A store with an image in it, which no refusal may change.
small_image "$work/good"
expect 0 seal "oci:$work/good:latest"
expect 0 pull "oci:$work/good:latest-sealed" good
store_before=$(contents "$INTACT_STORE")
unchanged_store() {
  equal "$(contents "$INTACT_STORE")" "$store_before" "the store behind a refusal of '$current'"
}

# clearly REGEX: the last command of expect has said so in one line, or two, and nothing else.
clearly() {
  [[ ! -s $work/out ]] || fail "$current: output on stdout: $(head -c 300 "$work/out")"
  (($(wc -l < "$work/err") <= 2)) || fail "$current: more than two lines: $(cat "$work/err")"
  (($(wc -c < "$work/err") <= 700)) || fail "$current: a long line: $(cat "$work/err")"
  grep -qE -- "$1" "$work/err" || fail "$current: nothing like '$1' in: $(cat "$work/err")"
}

# refuses STATUS REGEX COMMAND...: and leaves layout and store as they were.
refuses() {
  local want=$1 regex=$2 before
  shift 2
  before=$(contents "$dir")
  expect "$want" "$@"
  clearly "$regex"
  equal "$(contents "$dir")" "$before" "the layout behind a refusal of '$current'"
  unchanged_store
  count=$((count + 1))
}
count=0 current=setup

# refused NAME STATUS REGEX [OPTION...]: what is wrong with $dir, called NAME, is seen by both.
refused() {
  current=$1
  refuses "$2" "$3" seal "oci:$dir:plain" "${@:4}"
  refuses "$2" "$3" pull "oci:$dir:claimed" bad "${@:4}"
}

# accepted NAME [OPTION...]: the undamaged twin: seal takes it, and pull what seal has made, and, signed
# the way bad images are signed, the claimed one. Its tree is then in $work/tree: paths, modes, contents.
accepted() {
  local image
  current=$1
  expect 0 seal "oci:$dir:plain" --json "${@:2}"
  # Most of these have no /usr.
  grep -v 'sealed without composefs.merged annotations' "$work/err" > "$work/warnings" || true
  image=$(jq -r .image "$work/out")
  expect 0 pull "oci:$dir:plain-sealed" twin --replace "${@:2}"
  layers=("$(jq -c '.layers[]' "$(blob "$dir" "$(manifest_digest "$dir" plain)")")")
  diff_ids=("$(jq -r '.rootfs.diff_ids[]' "$(config_of "$dir" plain)")")
  both_images "$dir" "$image"
  expect 0 pull "oci:$dir:claimed" twin --replace "${@:2}"
  expect 0 "$intact" verify twin --pub "$work/signer.pub"
  "$intact" composefs dump "$INTACT_STORE/images/${image#*:}" | awk '{ print $1, $3, $10 }' > "$work/tree"
  expect 0 "$intact" rm twin
  expect 0 "$intact" gc
  unchanged_store
}
# tree_is LINE...: the tree of accepted, without its root.
tree_is() {
  (($#)) && printf '%s\n' "$@" > "$work/want" || : > "$work/want"
  tail -n +2 "$work/tree" > "$work/got"
  same "$work/want" "$work/got"
}

# bad_input_done: at the end of a test.
bad_input_done() {
  expect 0 "$intact" fsck
  expect 0 "$intact" gc
  unchanged_store
  expect 0 "$intact" verify good --pub "$work/signer.pub"
  echo "$count refusals"
}
