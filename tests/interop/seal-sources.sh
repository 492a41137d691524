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

# To standard output, which then has nothing but the archive; the report is on stderr.
expect 0 "$intact" seal "oci:$work/layout:latest" oci-archive:-:v1 --key "$work/key.key" --password-file "$work/password"
said '^Sealed oci-archive:-:v1$'
cp "$work/out" "$work/piped.tar"
expect 0 "$intact" verify "oci-archive:$work/piped.tar:v1" --pub "$work/key.pub"
"$intact" seal "tar:$work/docker.tar" oci-archive:- --key "$work/key.key" --password-file "$work/password" 2> "$work/err" |
  "$intact" verify oci-archive:- --pub "$work/key.pub" > "$work/out" || fail "a pipe: $(cat "$work/err" "$work/out")"
expect 2 "$intact" seal "oci:$work/layout:latest" oci-archive:- --json --key "$work/key.key" --password-file "$work/password"
said '^intact: --json: standard output is for the archive; leave out --json$'
# A source by digest without a destination: it is sealed beside its own tag.
cp -r "$work/layout" "$work/by-digest"
expect 0 "$intact" seal "oci:$work/by-digest@$(manifest_digest "$work/by-digest" latest)" --key "$work/key.key" --password-file "$work/password"
said "^Sealed oci:$work/by-digest:latest-sealed\$"
expect 0 "$intact" verify "oci:$work/by-digest:latest-sealed" --pub "$work/key.pub"

# A directory of an ordinary user: its owners are theirs, unless others are given.
user_space
mine=$work/user/mine
as_user mkdir -p "$mine/etc" "$mine/empty"
as_user sh -c "umask 022; echo text > '$mine/etc/file'; ln '$mine/etc/file' '$mine/again'; ln -s etc/file '$mine/link'"
as_user cp "$work/password" "$work/user/password"
as_user "$intact" keygen "$work/user/key" --password-file "$work/user/password"
# sealed_by_user SOURCE NAME [OPTION...]: prints the image digest.
sealed_by_user() {
  as_user "$intact" seal "$1" "oci:$work/user/out-$2:x" --key "$work/user/key.key" \
    --password-file "$work/user/password" "${@:3}" > /dev/null
  jq -r '.config.Labels["intact.image.digest"]' "$(config_of "$work/user/out-$2" x)"
}
# tar_of NAME [OPTION...]: what GNU tar makes of the directory.
tar_of() {
  tar -C "$mine" --format=pax --pax-option=delete=atime,delete=ctime --numeric-owner "${@:2}" -cf "$work/user/$1.tar" .
}
tar_of theirs
tar_of root --owner=0 --group=0
tar_of both --owner=5 --group=4294967294
theirs=$(sealed_by_user "tar:$work/user/theirs.tar" tar-theirs)
as_root=$(sealed_by_user "tar:$work/user/root.tar" tar-root)
[[ $theirs != "$as_root" ]] || fail 'the owner makes no difference'
equal "$(sealed_by_user "rootfs:$mine" own)" "$theirs" 'image digest without --owner'
equal "$(sealed_by_user "rootfs:$mine" root --owner 0)" "$as_root" 'image digest with --owner 0'
equal "$(sealed_by_user "rootfs:$mine" both --owner 5:4294967294)" \
  "$(sealed_by_user "tar:$work/user/both.tar" tar-both)" 'image digest with --owner UID:GID'
((EUID != 0)) || equal "$(stat -c %a "$work/user/out-own")" "$(printf %o $((8#755 & ~8#$(umask))))" 'mode of a layout of a user'
refused_owner() {
  expect 2 as_user "$intact" seal "$1" "oci:$work/user/never:x" --key "$work/user/key.key" \
    --password-file "$work/user/password" --owner "$2"
  said "$3"
  [[ ! -e $work/user/never ]] || fail 'something was written'
}
for owner in '' root 0: 0:0:0 +1 4294967295; do
  refused_owner "rootfs:$mine" "$owner" '--owner: .*not an owner; give UID or UID:GID'
done
refused_owner "tar:$work/user/root.tar" 0 '--owner: only for rootfs: sources'

# The layout may be the only directory that the user can write to.
as_user mkdir -p "$work/user/fixed/layout"
as_user chmod 555 "$work/user/fixed"
for source in "rootfs:$mine" "tar:$work/user/theirs.tar"; do
  expect 0 as_user "$intact" seal "$source" "oci:$work/user/fixed/layout:${source%%:*}" \
    --key "$work/user/key.key" --password-file "$work/user/password"
done
from_pipe() {
  # shellcheck disable=SC2002
  cat "$work/user/theirs.tar" | as_user "$intact" seal tar:- "oci:$work/user/fixed/layout:stdin" \
    --key "$work/user/key.key" --password-file "$work/user/password"
}
expect 0 from_pipe
equal "$(ls -A "$work/user/fixed")" layout 'files beside the layout'
equal "$(find "$work/user/fixed/layout" -name '.intact*')" '' 'temporary files'
as_user chmod 755 "$work/user/fixed"

# The root that umoci unpacks, read as root, where owners and device nodes are real.
requires_root
unpack_image "$work/layout" latest
rootfs=$work/unpacked/rootfs
equal "$(seal "rootfs:$rootfs" rootfs)" "$want" "image digest of rootfs"
tar -C "$rootfs" --format=pax --xattrs --xattrs-include='*' --pax-option=delete=atime,delete=ctime \
  -cf "$work/root.tar" .
equal "$(seal "tar:$work/root.tar" tar)" "$want" "image digest of tar"
