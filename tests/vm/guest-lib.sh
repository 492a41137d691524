# Common ground of the scripts that run in the guest: they source this file and then work in $work, in
# the guest's memory. What they leave mounted goes with the guest. Boots of the guest are what costs
# here: a script tests all of one subject.
# shellcheck shell=bash disable=SC2034
set -Eeuo pipefail
export LC_ALL=C.UTF-8
umask 022
work=/tmp/work
mkdir "$work"
# shellcheck source=tests/checks.sh
. /tests/checks.sh
trap 'printf "FAILED at %s line %s: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR

# Programs are copied: pages of what lies on the host come slowly.
cp /build/bin/intact "$work/intact"
intact=$work/intact
# Without udev, the caller of dmsetup makes device nodes.
export DM_DISABLE_UDEV=1
# What tests/vm/prepare has made: a small image, sealed as latest-sealed.
layout=/host/layout
key=/host/key.pub

# new_disk FILE SIZE [MKFS ARGUMENT...]: an ext4 on a new loop device; prints the device.
new_disk() {
  local file=$1 size=$2
  shift 2
  truncate -s "$size" "$file"
  mkfs.ext4 -q -b 4096 "$@" "$file" > /dev/null
  losetup --find --show "$file"
}

# verity_store DIR [SIZE]: an ext4 whose files can have fs-verity, mounted at DIR, with the store in it.
verity_store() {
  mkdir -p "$1"
  mount "$(new_disk "$work/disk-$(basename "$1")" "${2:-64M}" -O verity)" "$1"
  export INTACT_STORE=$1/store
}

# pulled_image [NAME]: the prepared image, pulled into the store.
pulled_image() {
  "$intact" pull "oci:$layout:latest-sealed" "${1:-app}" --pub "$key" > /dev/null
}

# mount_type DIR: the type of the file system that is mounted there, the newest one's.
mount_type() { awk -v at="$1" '$2 == at { type = $3 } END { print type }' /proc/self/mounts; }

# case_of TEXT: says what comes next, so that a failure is easy to place.
case_of() { printf '%s: %s\n' "${0##*/}" "$*"; }
