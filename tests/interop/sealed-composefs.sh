#!/usr/bin/env bash
# The digest that seal signs is that of the image mkcomposefs makes of the same tree: hard links kept,
# names and order by the same rules.
. "$(dirname "$0")/lib.sh"
requires mkcomposefs composefs-info fsverity jq umoci
pulled_image
label=$(jq -r '.config.Labels["intact.image.digest"]' "$(config_of "$work/layout" latest-sealed)")
image=$(echo "$INTACT_STORE"/images/*)
equal "sha256:$(fsverity digest --compact "$image")" "$label" "fs-verity digest of the stored image"
# The dump of the image, written again by mkcomposefs in the version that seal fixes.
composefs-info dump "$image" > "$work/dump"
mkcomposefs --from-file --min-version=1 --max-version=1 "$work/dump" "$work/theirs"
cmp "$image" "$work/theirs"
# All objects that the image names are there, for composefs-info, too.
composefs-info --basedir="$INTACT_STORE/objects" missing-objects "$image" > "$work/missing"
[[ ! -s $work/missing ]] || fail "missing: $(cat "$work/missing")"

# The same tree as the directory that umoci unpacks, but for hard links, which mkcomposefs of a
# directory does not see.
requires_root
unpack_image "$work/layout" latest
mkcomposefs --min-version=1 --max-version=1 "$work/unpacked/rootfs" "$work/directory"
plain() { composefs-info dump "$1" | awk '$3 !~ /^@/ { $4 = "-"; print }' | sort; }
linked=$(awk '$3 ~ /^@/ { print $1 }' "$work/dump")
plain "$image" > "$work/ours"
plain "$work/directory" | awk -v linked="$linked" '
  BEGIN { n = split(linked, names, "\n"); for (i = 1; i <= n; i++) skip[names[i]] = 1 } !($1 in skip)' > "$work/dir"
same "$work/dir" "$work/ours"
