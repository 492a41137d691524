#!/usr/bin/env bash
# containerd imports what seal wrote as the ordinary image that it is: under the sealed manifest's own
# digest, with every blob, and unpacks it to the root of the image before it was sealed.
# (A layout directory that is packed with tar as it is would have containerd unpack the signature, too.)
. "$(dirname "$0")/lib.sh"
requires_root
requires containerd ctr jq skopeo getfattr tar
sealed_image
digest=$(manifest_digest "$work/layout" latest-sealed)

# A containerd of our own, with nothing that it would need the machine for.
cat > "$work/containerd.toml" << TOML
version = 2
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "$work/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/containerd/opt"
TOML
containerd --config "$work/containerd.toml" > "$work/containerd.log" 2>&1 &
containerd=$!
# Its database is closed before the files go.
stop_containerd() { kill "$containerd" 2> /dev/null && wait "$containerd"; cleanup; }
trap stop_containerd EXIT
ctr() { command ctr -a "$work/containerd.sock" "$@"; }
await eval 'ctr version > /dev/null 2>&1 || is_gone "$containerd"'
! is_gone "$containerd" || { cat "$work/containerd.log" >&2; fail "containerd does not start"; }

# imported ARCHIVE NAME DIGEST: the archive comes in under this name and digest, complete.
imported() {
  expect 0 ctr images import --snapshotter native --base-name "$2" "$1"
  ctr images ls > "$work/images"
  grep -F "$2:" "$work/images" | finds -F "$3" || { cat "$work/images" >&2; fail "$2 is not $3"; }
  ctr content get "$3" > "$work/manifest"
  equal "sha256:$(sha256sum < "$work/manifest" | cut -d' ' -f1)" "$3" "manifest in containerd"
  local blob
  while read -r blob; do
    equal "sha256:$(ctr content get "$blob" | sha256sum | cut -d' ' -f1)" "$blob" "blob in containerd"
  done < <(jq -r '.config.digest, .layers[].digest' "$work/manifest")
}

# As seal writes an archive itself, and as tar packs the layout with the image before and after.
expect 0 "$intact" seal "oci:$work/layout:latest" "oci-archive:$work/sealed.tar:v1" --key "$work/key.key" \
  --password-file "$work/password"
imported "$work/sealed.tar" example.org/archive "$digest"
# As skopeo copies it out of the layout.
skopeo --insecure-policy copy -q --preserve-digests "oci:$work/layout:latest-sealed" "oci-archive:$work/skopeo.tar:v1"
imported "$work/skopeo.tar" example.org/skopeo "$digest"

# containerd unpacks the same root from it as from the image before it was sealed. (Another namespace,
# or it would see that it has these layers. The time of the root directory is that of unpacking.)
skopeo --insecure-policy copy -q "oci:$work/layout:latest" "oci-archive:$work/before.tar:v1"
expect 0 ctr -n before images import --snapshotter native --base-name example.org/before "$work/before.tar"
mkdir "$work/before" "$work/sealed"
expect 0 ctr -n before images mount --snapshotter native --rw example.org/before:v1 "$work/before"
expect 0 ctr images mount --snapshotter native --rw example.org/archive:v1 "$work/sealed"
touch -d @0 "$work/before" "$work/sealed"
same_trees "$work/before" "$work/sealed"
expect 0 ctr -n before images unmount "$work/before"
expect 0 ctr images unmount "$work/sealed"

# And it gives it out again as it came: still the digest that was signed.
expect 0 ctr images export "$work/exported.tar" example.org/archive:v1
mkdir "$work/exported"
tar -C "$work/exported" -xf "$work/exported.tar"
jq -e --arg digest "$digest" '.manifests[0].digest == $digest' "$work/exported/index.json" > /dev/null ||
  fail "exported as $(cat "$work/exported/index.json")"

# A damaged blob is refused, by containerd itself.
mkdir "$work/damaged"
tar -C "$work/damaged" -xf "$work/sealed.tar"
flip "$(blob "$work/damaged" "$(jq -r '.layers[0].digest' "$work/manifest")")" 500
tar -C "$work/damaged" -cf "$work/damaged.tar" .
ctr -n damaged images import --snapshotter native "$work/damaged.tar" > "$work/out" 2>&1 &&
  fail "containerd imports a damaged archive"
expect 0 ctr -n undamaged images import --snapshotter native "$work/sealed.tar"
