#!/usr/bin/env bash
# The commands in docs/recipes do what they say: each recipe's blocks are run one after the other, as they
# stand there, where the tools that they need are.
. "$(dirname "$0")/lib.sh"
requires jq skopeo umoci
export PATH=$work:$PATH
make_keys me
# As README says: what is sealed is `app`, here a small image.
prepare() { # prepare RECIPE: a directory with what recipes begin with
  mkdir "$work/$1"
  cd "$work/$1" || exit
  cp "$work"/me.key "$work"/me.pub "$work"/password .
  small_image app 1.0
  export INTACT_STORE=$work/$1/store XDG_CONFIG_HOME=$work/$1/config PASSWORD='a password'
}
# blocks RECIPE: its commands.
blocks() { sed -n '/^```sh$/,/^```$/ { /^```/d; p }' "$root/docs/recipes/$1.md"; }
follow() { # follow RECIPE [AS...]: runs them, stops at the first that fails
  local recipe=$1
  shift
  blocks "$recipe" > "$work/$recipe.sh"
  (($(wc -l < "$work/$recipe.sh") > 3)) || fail "no commands in $recipe"
  "$@" bash -euo pipefail -x "$work/$recipe.sh" > "$work/$recipe.out" 2>&1 ||
    { tail -20 "$work/$recipe.out" >&2; fail "the recipe $recipe"; }
}

prepare air-gapped
follow air-gapped
grep -q '<b>Intact.</b>' app.html

prepare ci
cp -r app/. "$work/unsealed"
unpack_image "$work/unsealed" 1.0
mkdir root
cp -r "$work/unpacked/rootfs/etc" root
if ((EUID == 0)); then
  # What CI has: no root, and files that are its own.
  chown -R nobody:nogroup .
  follow ci as_user env HOME="$PWD"
else
  follow ci
fi

not_followed=()
if command -v docker-registry > /dev/null && docker-registry --version > /dev/null 2>&1; then
  prepare skopeo
  port=$(free_port)
  cat > registry.yml << YML
version: 0.1
storage: { filesystem: { rootdirectory: $PWD/registry } }
http: { addr: "127.0.0.1:$port" }
YML
  docker-registry serve registry.yml > registry.log 2>&1 &
  export registry=127.0.0.1:$port/team
  mkdir -p "$HOME/.config/containers"
  printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" \
    > "$HOME/.config/containers/registries.conf"
  await eval 'skopeo --insecure-policy copy -q oci:app:1.0 "docker://$registry/app:1.0" > /dev/null 2>&1'
  rm -r app
  follow skopeo
  if command -v cosign > /dev/null; then
    cosign verify --key me.pub --insecure-ignore-tlog --allow-insecure-registry "$registry/app:1.0-sealed" > /dev/null 2>&1 ||
      fail "cosign does not accept what skopeo pushed"
  fi
else
  not_followed+=("skopeo: no docker-registry")
fi

prepare podman
"$intact" seal oci:app:1.0 --key me.key --password-file password > /dev/null
"$intact" pull oci:app:1.0-sealed app --pub me.pub > /dev/null
mkdir sources plain
umoci --log error unpack --rootless --image app:1.0 unpacked
cp unpacked/rootfs/usr/share/large sources
# podman as a machine may have to have it on which podman is a guest, too: few rights, old cgroups.
cat > containers.conf << CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "${PODMAN_RUNTIME:-runc}"
cgroup_manager = "cgroupfs"
events_logger = "none"
CONF
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$PWD/graph" "$PWD/run" > storage.conf
export CONTAINERS_CONF=$PWD/containers.conf CONTAINERS_STORAGE_CONF=$PWD/storage.conf
mkdir -p plain/bin plain/etc
cp unpacked/rootfs/bin/busybox plain/bin/cat
if [[ $EUID == 0 && -c /dev/fuse ]] && command -v podman > /dev/null &&
  podman run --rm --network none --rootfs "$PWD/plain:O" cat /dev/null > podman.log 2>&1; then
  follow podman
  grep -qx 'small image' "$work/podman.out" || fail "podman shows something else"
else
  not_followed+=("podman: it cannot run any container here")
fi
((${#not_followed[@]} == 0)) || skip "$(printf '%s; ' "${not_followed[@]}")"
