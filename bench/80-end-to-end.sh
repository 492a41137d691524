# The whole way of the real test image: seal, pull, verify, mount and read, with a plain tool beside each.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

need_image
export INTACT_STORE=$work/store
mkdir "$work/mnt"
echo bench > "$work/password"
"$intact" keygen "$work/key" --password-file "$work/password" > /dev/null 2>&1
cp -a "$image" "$work/image"

seal() { "$intact" seal "oci:$work/image:latest" "$@" --key "$work/key.key" --password-file "$work/password"; }
pull() { "$intact" pull "oci:$work/image:latest-sealed" "$1" --pub "$work/key.pub"; }
mount_app() { "$intact" mount app "$work/mnt" --pub "$work/key.pub"; }
remount() { "$intact" umount "$work/mnt"; mount_app; }
read_all() { find "$work/$1" -type f -print0 | xargs -0 cat; }

measure 'seal' 'rm -rf "$work/out"' 'seal "oci:$work/out:x"'
seal > /dev/null 2>&1
measure 'pull into an empty store' 'wipe "$work/store"' 'pull app'
if has umoci; then
  # shellcheck disable=SC2034
  rootless=$( ((EUID == 0)) || echo --rootless)
  measure '  beside it: umoci unpack' 'rm -rf "$work/unpacked"' \
    'umoci --log error unpack $rootless --image "$work/image:latest" "$work/unpacked"'
fi
measure 'pull again under another name' '"$intact" rm other || :' 'pull other'
measure 'verify' : '"$intact" verify app --pub "$work/key.pub"'
measure '  beside it: sha256sum of the objects' : 'find "$work/store/objects" -type f -print0 | xargs -0 sha256sum'
measure 'mount and umount' : 'mount_app && "$intact" umount "$work/mnt"'
mount_app > /dev/null
measure 'find -ls over a fresh mount' remount 'find "$work/mnt" -ls'
measure 'read every file of a fresh mount' remount 'read_all mnt'
measure 'read every file again, from the page cache' : 'read_all mnt'
[[ ! -d $work/unpacked ]] || measure '  beside it: the root that umoci unpacked, cached' : 'read_all unpacked/rootfs'
"$intact" umount "$work/mnt"
