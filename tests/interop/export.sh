#!/usr/bin/env bash
# export gives back what was pulled: the same image to others, the same root.
. "$(dirname "$0")/lib.sh"
requires jq skopeo umoci getfattr
pulled_image
digest=$(manifest_digest "$work/layout" latest-sealed)
export_to() { "$intact" export app "$@" --pub "$work/key.pub"; }

# As a layout: the same manifest, the signature with it, so that it can be pulled from there.
expect 0 export_to "oci:$work/oci:v1"
equal "$(manifest_digest "$work/oci" v1)" "$digest" "exported digest"
skopeo --insecure-policy copy -q --preserve-digests "oci:$work/oci:v1" "oci:$work/copy:v1"
equal "$(manifest_digest "$work/copy" v1)" "$digest" "digest after skopeo copy"
expect 0 "$intact" pull --store "$work/store2" "oci:$work/oci:v1" app --pub "$work/key.pub"
expect 0 "$intact" verify --store "$work/store2" app --pub "$work/key.pub"

# As an archive of one.
expect 0 export_to "oci-archive:$work/image.tar:v1"
skopeo --insecure-policy copy -q --preserve-digests "oci-archive:$work/image.tar:v1" "oci:$work/unarchived:v1"
equal "$(manifest_digest "$work/unarchived" v1)" "$digest" "digest out of the archive"

# As a directory and as a tar; owners and devices want root.
requires_root
unpack_image "$work/layout" latest
expect 0 export_to "rootfs:$work/rootfs"
same_trees "$work/unpacked/rootfs" "$work/rootfs"
expect 0 export_to "tar:$work/root.tar"
mkdir "$work/untar"
tar -C "$work/untar" --xattrs --xattrs-include='*' --numeric-owner -xpf "$work/root.tar"
same_trees "$work/unpacked/rootfs" "$work/untar"

# What is damaged is not exported.
object=$(find "$INTACT_STORE/objects" -type f -size +1000k | head -1)
flip "$object" 5000
expect 3 export_to "rootfs:$work/rootfs2"
flip "$object" 5000
expect 0 export_to "rootfs:$work/rootfs3"
