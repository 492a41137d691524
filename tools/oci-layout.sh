# Sourced by the tools that make test images: writes OCI image layouts with jq and sha256sum, so that
# the images we test with do not come from our own code. Files get the same bytes on every machine.

# layout_init DIR: an empty layout.
layout_init() {
  mkdir -p "$1/blobs/sha256"
  printf '{"imageLayoutVersion":"1.0.0"}' > "$1/oci-layout"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}' \
    > "$1/index.json"
}

# layout_blob DIR FILE MEDIA_TYPE: moves FILE into the layout and prints its descriptor.
layout_blob() {
  local hex size
  hex=$(sha256sum < "$2")
  hex=${hex%% *}
  size=$(stat -c %s "$2")
  mv "$2" "$1/blobs/sha256/$hex"
  chmod 644 "$1/blobs/sha256/$hex"
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}\n' "$3" "$hex" "$size"
}

# layout_layer DIR TAR [gzip|zstd|none]: compresses TAR (which goes away) into the layout and adds it
# to the arrays layers and diff_ids, which layout_image puts together.
layout_layer() {
  local dir=$1 tar=$2 how=${3:-gzip} hex type=application/vnd.oci.image.layer.v1.tar
  hex=$(sha256sum < "$tar")
  diff_ids+=("sha256:${hex%% *}")
  case $how in
    gzip) gzip -n -6 < "$tar" > "$tar.out"; type+=+gzip ;;
    zstd) zstd -q -3 --single-thread < "$tar" > "$tar.out"; type+=+zstd ;;
    none) cp "$tar" "$tar.out" ;;
    *) return 2 ;;
  esac
  rm "$tar"
  layers+=("$(layout_blob "$dir" "$tar.out" "$type")")
}

# layout_image DIR TAG CONFIG_JSON: writes config and manifest of the layers collected so far and
# puts the manifest into the index as TAG, instead of another of that name. CONFIG_JSON is the
# document's `config`; the platform is this machine's.
layout_image() {
  local dir=$1 tag=$2 arch config manifest descriptor
  case $HOSTTYPE in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) arch=$HOSTTYPE ;;
  esac
  jq -cn --arg arch "$arch" --argjson config "$3" '
    {created: "2023-11-14T22:13:20Z", architecture: $arch, os: "linux", config: $config,
     rootfs: {type: "layers", diff_ids: $ARGS.positional},
     history: [$ARGS.positional[] | {created: "2023-11-14T22:13:20Z", created_by: "tools"}]}' \
    --args "${diff_ids[@]}" > "$dir/new"
  config=$(layout_blob "$dir" "$dir/new" application/vnd.oci.image.config.v1+json)
  # Descriptors are text already: programs that are started are what takes time here.
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}\n' \
    "$config" "$(IFS=,; printf '%s' "${layers[*]}")" > "$dir/new"
  manifest=$(layout_blob "$dir" "$dir/new" application/vnd.oci.image.manifest.v1+json)
  descriptor=$(printf '%s,"platform":{"architecture":"%s","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"%s"}}' \
    "${manifest%\}}" "$arch" "$tag")
  jq -c --arg tag "$tag" --argjson new "$descriptor" '
    .manifests |= ([.[] | select(.annotations["org.opencontainers.image.ref.name"] != $tag)] + [$new])' \
    "$dir/index.json" > "$dir/new"
  mv "$dir/new" "$dir/index.json"
  layers=() diff_ids=()
}
layers=() diff_ids=()
