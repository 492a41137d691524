# Common ground of the end-to-end tests. A test is one bash script that sources this file and then
# works in $work, a directory of its own that goes away with all that is mounted below it. Run one by
# hand with `bash tests/interop/NAME.sh`; KEEP=1 leaves $work there to look at.
# shellcheck shell=bash disable=SC2034
set -Eeuo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
: "${INTACT:=$root/build/release/bin/intact}"
export PATH="$root/build/peers/bin:$PATH:/usr/sbin:/sbin"
export LC_ALL=C.UTF-8
umask 022

# shellcheck source=tools/own-mounts.sh
. "$root/tools/own-mounts.sh"

cleanup() {
  local status=$? mountpoint pid
  trap - EXIT ERR
  set +e
  for pid in $(jobs -p); do kill "$pid" 2> /dev/null; done
  # The newest mount first.
  awk -v work="$work/" 'index($5, work) == 1 { print $5 }' /proc/self/mountinfo | tac |
    while read -r mountpoint; do
      mountpoint=$(printf '%b' "${mountpoint//\\0/\\00}")
      fusermount3 -u -z "$mountpoint" 2> /dev/null || umount -l "$mountpoint"
    done
  if [[ ${KEEP:-0} == 1 ]]; then
    echo "kept: $work" >&2
  else
    chmod -R u+rwX "$work" 2> /dev/null
    rm -rf --one-file-system "$work"
  fi
  exit "$status"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/intact-test.XXXXXX")
chmod 755 "$work"
trap cleanup EXIT
trap 'exit 129' HUP INT TERM
trap 'printf "FAILED at %s line %s: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR

# The program is a copy, so that other users reach it; that a copy works is part of the contract.
[[ -x $INTACT ]] || { echo "no program at $INTACT: ./dev build" >&2; exit 1; }
cp "$INTACT" "$work/intact"
intact=$work/intact

# Nothing of the user who runs the tests is read or written.
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data
export INTACT_STORE=$work/store INTACT_STATE=$work/state XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"

# shellcheck source=tests/checks.sh
. "$root/tests/checks.sh"

requires_root() { ((EUID == 0)) || skip "needs root"; }
requires_fuse() { requires fusermount3; [[ -c /dev/fuse ]] || skip "no /dev/fuse"; }

# as_user COMMAND...: as an ordinary user, who stays who they are; root becomes nobody. Such a test
# calls user_space first.
as_user() {
  if ((EUID == 0)); then
    setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
  else
    "$@"
  fi
}
# user_space: directories that as_user may write to, instead of root's.
user_space() {
  export HOME=$work/user/home XDG_CONFIG_HOME=$work/user/config XDG_DATA_HOME=$work/user/data
  export INTACT_STORE=$work/user/store INTACT_STATE=$work/user/state XDG_RUNTIME_DIR=$work/user/runtime
  mkdir -p "$HOME" "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$work/user/mnt"
  mkdir -m 700 "$XDG_RUNTIME_DIR"
  ((EUID != 0)) || chown -R nobody:nogroup "$work/user"
}

# free_port: a TCP port that nothing listens on, below those that the kernel gives to clients.
free_port() {
  local port
  for port in $(shuf -i 20000-32000 -n 50); do
    (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { printf '%s\n' "$port"; return; }
  done
}

# make_keys [NAME]: $work/NAME.key and .pub (default: key), password in $work/password.
make_keys() {
  printf 'a password\n' > "$work/password"
  "$intact" keygen "$work/${1:-key}" --password-file "$work/password"
}

# small_image DIR [TAG [TEXT]]: see tools/make-small-image.
small_image() {
  requires busybox jq gzip
  "$root/tools/make-small-image" "$@"
}
# real_image: makes build/test-image if it is not there and prints its path; skips where it cannot.
real_image() {
  requires mmdebstrap jq
  "$root/tools/make-test-image" "$root/build/test-image" >&2 || return 1
  printf '%s\n' "$root/build/test-image"
}

# sealed_image [DIR]: a small image in DIR (default: $work/layout), sealed as latest-sealed.
sealed_image() {
  local dir=${1:-$work/layout}
  [[ -e $work/key.pub ]] || make_keys
  small_image "$dir"
  "$intact" seal "oci:$dir:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null
}
# pulled_image: that, pulled into the store as `app`.
pulled_image() {
  sealed_image
  "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub" > /dev/null
}

# serve_registry NAME PORT [HTTP [YAML]]: docker-registry on the loopback device, with its content in $work/NAME;
# HTTP is added to its section `http`, YAML to its configuration.
serve_registry() {
  cat > "$work/$1.yml" << YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/$1}}
http: {addr: "127.0.0.1:$2"${3-}}
${4-}
YAML
  docker-registry serve "$work/$1.yml" > "$work/$1.log" 2>&1 &
  await eval "(: < /dev/tcp/127.0.0.1/$2) 2> /dev/null"
}

# descriptor DIR TAG: the descriptor of a tag of a layout. blob DIR DIGEST: the path of a blob.
descriptor() {
  jq -ce --arg tag "$2" \
    '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $tag)' "$1/index.json"
}
manifest_digest() {
  jq -re --arg tag "$2" \
    '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $tag).digest' "$1/index.json"
}
blob() { printf '%s/blobs/%s\n' "$1" "${2/://}"; }
config_of() { blob "$1" "$(jq -r .config.digest "$(blob "$1" "$(manifest_digest "$1" "$2")")")"; }

# unpack_image DIR TAG: the root that umoci unpacks, in $work/unpacked/rootfs.
unpack_image() {
  requires umoci
  local rootless=()
  ((EUID == 0)) || rootless=(--rootless)
  umoci --log error unpack "${rootless[@]}" --image "$1:$2" "$work/unpacked"
}
