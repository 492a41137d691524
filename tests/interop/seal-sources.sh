#!/usr/bin/env bash
# The same tree out of a layout, archives, a tar and a directory has the same image digest.
. "$(dirname "$0")/lib.sh"
requires jq skopeo tar
make_keys
small_image "$work/layout"
# seal SOURCE NAME: prints the image digest.
seal() {
  "$intact" seal "$1" "oci:$work/out-$2:x" --key "$work/key.key" --password-file "$work/password" > /dev/null
  jq -r '.config.Labels["intact.image.digest"]' "$(config_of "$work/out-$2" x)"
}
want=$(seal "oci:$work/layout:latest" layout)

skopeo --insecure-policy copy -q "oci:$work/layout:latest" "oci-archive:$work/image.tar:latest"
equal "$(seal "oci-archive:$work/image.tar:latest" oci-archive)" "$want" "image digest of oci-archive"
skopeo --insecure-policy copy -q "oci:$work/layout:latest" "docker-archive:$work/docker.tar:example.org/app:latest"
equal "$(seal "docker-archive:$work/docker.tar:example.org/app:latest" docker-archive)" "$want" \
  "image digest of docker-archive"

# The root that umoci unpacks, read as root, where owners and device nodes are real.
requires_root
unpack_image "$work/layout" latest
rootfs=$work/unpacked/rootfs
equal "$(seal "rootfs:$rootfs" rootfs)" "$want" "image digest of rootfs"
tar -C "$rootfs" --format=pax --xattrs --xattrs-include='*' --pax-option=delete=atime,delete=ctime \
  -cf "$work/root.tar" .
equal "$(seal "tar:$work/root.tar" tar)" "$want" "image digest of tar"
