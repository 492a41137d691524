#!/usr/bin/env bash
# What seal wrote is an ordinary image to skopeo and umoci, with the same root as before.
. "$(dirname "$0")/lib.sh"
requires jq skopeo umoci getfattr
sealed_image
digest=$(manifest_digest "$work/layout" latest-sealed)
skopeo inspect "oci:$work/layout:latest-sealed" | jq -e '.Labels["intact.image.digest"]' > /dev/null
skopeo --insecure-policy copy -q --preserve-digests "oci:$work/layout:latest-sealed" "oci:$work/copy:v1"
equal "$(manifest_digest "$work/copy" v1)" "$digest" "digest after skopeo copy"
umoci gc --layout "$work/layout"
equal "$(manifest_digest "$work/layout" latest-sealed)" "$digest" "digest after umoci gc"
rootless=()
((EUID == 0)) || rootless=(--rootless)
for tag in latest latest-sealed; do
  umoci --log error unpack "${rootless[@]}" --image "$work/layout:$tag" "$work/$tag"
done
same_trees "$work/latest/rootfs" "$work/latest-sealed/rootfs"
# The signature survived umoci's garbage collection and still is good.
expect 0 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
