# Common ground of the tests that crash the program, kill it and fail its system calls: images that are
# small, so that thousands of states can be looked at, and what must hold of each state.
# shellcheck shell=bash disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tools/oci-layout.sh
. "$root/tools/oci-layout.sh"
requires jq gzip

# The long run looks at everything, continuous integration at some of it, each time the same.
long=${INTACT_LONG:-0}
seed=${SEED:-1}
crash_lab=${CRASH_LAB:-$(dirname "$INTACT")/../tests/crash_lab}
# Crashed states stand in memory where there is such a place.
if [[ -z ${TMPDIR:-} && -d /dev/shm && -w /dev/shm ]]; then
  rm -rf "$work"
  work=$(mktemp -d /dev/shm/intact-test.XXXXXX)
  cp "$INTACT" "$work/intact"
  intact=$work/intact
  export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data
  export XDG_RUNTIME_DIR=$work/runtime
  mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"
fi
chmod 755 "$work"

# $disk is what crashes: the store, the policy, what pulls remember, a layout.
disk=$work/disk
export INTACT_STORE=$disk/store INTACT_STATE=$disk/state
policy=$disk/etc/policy.json
export work disk intact policy

# tiny_image TAG TEXT: an image in $work/layout with a large object that all have, and one of its own.
tiny_image() {
  "$root/tools/layer-tar" > "$work/layer" << SPEC
dir etc mtime=1700000000
file etc/shared fill=300001
file etc/two-blocks fill=5000
file etc/inline text=short
file etc/own-$1 text=$(printf "$2%.0s" {1..100})
SPEC
  layout_layer "$work/layout" "$work/layer"
  layout_image "$work/layout" "$1" '{}'
}

# crash_set_up: layout with old, new and other (and each sealed), keys, a policy; no store yet.
crash_set_up() {
  mkdir -p "$disk/etc"
  make_keys
  expect 0 "$intact" trust add "$work/key.pub" --policy "$policy"
  layout_init "$work/layout"
  local tag
  for tag in old new other; do
    tiny_image "$tag" "text-of-$tag"
    expect 0 "$intact" seal "oci:$work/layout:$tag" --key "$work/key.key" --password-file "$work/password"
  done
}

# The words of the checks: run by crash_lab in a shell of their own, for every state.
cat > "$work/words" << 'WORDS'
fail() { echo "WRONG: $*"; exit 1; }
pull() { "$intact" pull "oci:$work/layout:$1-sealed" "$2" --policy "$policy" "${@:3}"; }
has() { [[ -e $INTACT_STORE/names/$1.json ]]; }
is_store() { [[ -e $INTACT_STORE/intact-store.json ]]; }
# whole NAME...: they are there and every byte of them is right.
whole() {
  local name
  for name; do
    "$intact" verify "$name" --policy "$policy" > "$work/said" 2>&1 || fail "verify $name: $(cat "$work/said")"
  done
}
# whole_if_named NAME...: each is whole or has no name.
whole_if_named() { local name; for name; do ! has "$name" || whole "$name"; done; }
fsck() { "$intact" fsck > "$work/said" 2>&1 || fail "fsck: $(cat "$work/said")"; }
# tidy: gc works, and leaves nothing over.
tidy() {
  "$intact" gc > "$work/said" 2>&1 || fail "gc: $(cat "$work/said")"
  fsck
  ! grep -q "nothing needs" "$work/said" || fail "after gc: $(cat "$work/said")"
}
# repairs SOURCE NAME: a second pull works.
repairs() {
  pull "$1" "$2" "${@:3}" > "$work/said" 2>&1 || fail "second pull: $(cat "$work/said")"
  fsck
  whole "$2"
}
WORDS
. "$work/words"

# replay NAME CHECK COMMAND...: what crashes may leave of the command's work passes the check.
replay() {
  local got=0
  printf '%-28s ' "$1"
  "$crash_lab" replay --root "$disk" --seed "$seed" --most "$((long ? 0 : ${most:-60}))" \
    --check ". $work/words; $2" -- "${@:3}" || got=$?
  ((got != 77)) || skip "programs cannot be traced here"
  ((got == 0)) || fail "$1"
}
