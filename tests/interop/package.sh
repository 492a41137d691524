#!/usr/bin/env bash
# The .deb installs on a Debian 12 with nothing on it and does the main job there, with just what its
# Depends bring. `cmake --install` lays out the same files below another prefix.
. "$(dirname "$0")/lib.sh"
requires_root
requires_fuse
requires cmake cpack dpkg-deb dpkg-shlibdeps mmdebstrap jq
build=$(dirname "$(dirname "$INTACT")")
[[ -d $build/man ]] || skip "no manual pages are built"
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work/cpack" > "$work/log" 2>&1 || { cat "$work/log"; fail "cpack"; }
deb=$(echo "$work"/cpack/intact_*.deb)

# What is in it.
dpkg-deb -I "$deb" > "$work/control"
grep -qE '^ Depends: .*fuse3,.*libssl3' "$work/control" || fail "$(cat "$work/control")"
grep -qE '^ Recommends: crun \| runc' "$work/control" || fail "$(cat "$work/control")"
dpkg-deb -c "$deb" > "$work/files"
for file in bin/intact share/man/man1/intact.1.gz share/man/man1/intact-seal.1.gz share/doc/intact/copyright \
  share/doc/intact/README.md share/bash-completion/completions/intact share/zsh/vendor-completions/_intact \
  share/fish/vendor_completions.d/intact.fish; do
  grep -qE "root/root .* \./usr/$file\$" "$work/files" || fail "$file is not in the package"
done
DESTDIR=$work/installed cmake --install "$build" --prefix /opt/intact > "$work/log" 2>&1
for file in bin/intact share/man/man1/intact-seal.1 share/bash-completion/completions/intact; do
  [[ -e $work/installed/opt/intact/$file ]] || fail "cmake --install has no $file"
done
expect 0 "$work/installed/opt/intact/bin/intact" --version

# lintian knows more about packages than we do. It is right that there is no address to write to.
if command -v lintian > /dev/null; then
  lintian --allow-root --display-info --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs \
    --fail-on error,warning "$deb" > "$work/log" 2>&1 || { cat "$work/log" >&2; fail "lintian"; }
  ! grep hardening- "$work/log" || fail "the compiler's checks are missing"
fi

# A Debian 12 of nothing but what is essential, and apt. It is made once.
base=$root/build/bare-debian.tar
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' |
  awk '$2 == "bookworm" && !found { print $1; found = 1 }')
[[ -n $mirror ]] || skip "apt is configured with no mirror of Debian 12"
if [[ ! -e $base ]]; then
  mmdebstrap --quiet --variant=apt bookworm "$work/base.tar" "deb $mirror bookworm main" > "$work/log" 2>&1 ||
    { cat "$work/log"; skip "mmdebstrap cannot make a Debian here"; }
  mv "$work/base.tar" "$base.$$"
  mv "$base.$$" "$base"
fi
bare=$work/bare
mkdir "$bare"
tar -C "$bare" -xpf "$base"
cp /etc/resolv.conf "$bare/etc/resolv.conf"
cp -r /etc/apt/apt.conf.d/. "$bare/etc/apt/apt.conf.d/"
cp "$deb" "$bare/tmp/intact.deb"
sealed_image
cp -r "$work/layout" "$work/password" "$bare/tmp"

# In it, with namespaces of its own, /proc and /dev/fuse.
cat > "$bare/tmp/test" << 'SCRIPT'
set -eu
exec 2>&1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
! command -v intact || exit 1
apt-get -qq update
apt-get -qq install -y --no-install-recommends /tmp/intact.deb > /tmp/apt.log || { cat /tmp/apt.log; exit 1; }
cd /tmp
intact --version
intact keygen me --password-file password
intact seal oci:layout:latest oci:sealed:v1 --key me.key --password-file password
intact pull oci:sealed:v1 app --pub me.pub
intact verify app --pub me.pub
mkdir mnt
intact mount app mnt --pub me.pub
cat mnt/etc/release
intact umount mnt
apt-get -qq purge -y intact > /dev/null
hash -r  # forgets where it was
! command -v intact || exit 1
echo done-and-gone
SCRIPT
mount --bind "$bare" "$bare"
mount -t proc proc "$bare/proc"
touch "$bare/dev/fuse"
mount --bind /dev/fuse "$bare/dev/fuse"
expect 0 chroot "$bare" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin ${http_proxy:+http_proxy="$http_proxy"} sh /tmp/test
said '^intact [0-9]'
said "'app' is intact"
said '^small image$'
said '^done-and-gone$'
