#!/usr/bin/env bash
# What a user pulled and revoked counts also where the environment does not say where that is kept: a
# command that cannot find it fails, and says what to set.
. "$(dirname "$0")/lib.sh"
requires jq
user_space
unset INTACT_STATE
sealed_image
"$root/tools/make-small-image" "$work/second" latest "another text, long enough to be an object of its own, $(printf 'x%.0s' {1..99})"
"$intact" seal "oci:$work/second:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null
chmod -R a+rX "$work/layout" "$work/second"
pub=(--pub "$work/key.pub")
expect 0 as_user "$intact" pull "oci:$work/layout:latest-sealed" app "${pub[@]}"
expect 0 as_user env "INTACT_STATE=$work/user/elsewhere" "$intact" pull "oci:$work/second:latest-sealed" app "${pub[@]}" --store "$work/user/second"
[[ -e $HOME/.local/state/intact/pulled.json ]] || fail 'no memory in HOME'
lost='^intact: .*state directory: neither HOME nor XDG_STATE_HOME is an absolute path, .*; set HOME, or INTACT_STATE=/var/lib/intact-state to check against the pulls of root alone$'

# as_expected COMMAND...: ends with $status, and with 5 says why.
as_expected() {
  expect "$status" as_user "$@"
  ((status == 0)) || said 'app: .* is not the store that this image was pulled into'
}
# The right store passes and another one does not, both only with the memory.
for swapped in no yes; do
  status=0
  if [[ $swapped == yes ]]; then
    mv "$INTACT_STORE" "$work/user/away"
    mv "$work/user/second" "$INTACT_STORE"
    status=5
  fi
  as_expected "$intact" verify app "${pub[@]}"
  as_expected env -u HOME "XDG_STATE_HOME=$HOME/.local/state" "$intact" verify app "${pub[@]}"
  for home in -uHOME HOME= HOME=home; do
    for command in 'verify app' "export app tar:$work/user/app.tar" 'tag app other' "mount app $work/user/mnt" \
      "pull oci:$work/second:latest-sealed app --replace"; do
      # shellcheck disable=SC2086
      expect 2 as_user env "$home" "$intact" $command "${pub[@]}"
      said "$lost"
    done
    expect 2 as_user env "$home" "$intact" rm app
    said "$lost"
  done
  # Users who have never pulled anything say so; so does a memory that is named.
  expect 0 as_user env -u HOME INTACT_STATE=/var/lib/intact-state "$intact" verify app "${pub[@]}"
  as_expected env -u HOME "INTACT_STATE=$HOME/.local/state/intact" "$intact" verify app "${pub[@]}"
  # A relative one depends on the working directory.
  for command in 'verify app' 'rm app' "pull oci:$work/second:latest-sealed new"; do
    key=("${pub[@]}")
    [[ $command != rm* ]] || key=()
    # shellcheck disable=SC2086
    expect 2 as_user env INTACT_STATE=state "$intact" $command "${key[@]}"
    said '^intact: .*INTACT_STATE: not an absolute path: state; set it to a path that starts with /$'
  done
done
rm -rf "$INTACT_STORE"
mv "$work/user/away" "$INTACT_STORE"
expect 0 as_user "$intact" verify app "${pub[@]}"

# The same with the user's policy, which may revoke an image whatever key is named.
((EUID == 0)) || exit 0
manifest=$(jq -r .manifest "$INTACT_STORE/names/app.json")
unset XDG_CONFIG_HOME
export INTACT_STATE=$HOME/.local/state/intact
expect 0 as_user "$intact" verify app "${pub[@]}"
expect 0 as_user "$intact" trust revoke "$manifest"
expect 5 as_user "$intact" verify app "${pub[@]}"
said 'revoked by the trust policy'
expect 2 as_user env -u HOME "$intact" verify app "${pub[@]}"
said 'trust policy: neither HOME nor XDG_CONFIG_HOME is an absolute path, .*; set HOME, or pass --policy FILE$'
expect 5 as_user env -u HOME "XDG_CONFIG_HOME=$HOME/.config" "$intact" verify app "${pub[@]}"
said 'revoked by the trust policy'
