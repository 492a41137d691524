#!/usr/bin/env bash
# run with each runtime that is there, as root and as a user; the first that works unless one is named.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires jq
sealed_image
chmod 644 "$work/key.pub"
# The image's own user and working directory need mapped user ids; user 0 needs none.
container() {
  local options=()
  if [[ ${1:-} == --runtime ]]; then options=("$1" "$2"); shift 2; fi
  if [[ ${1:-} == -i || ${1:-} == --rw ]]; then options+=("$1"); shift; fi
  "${who[@]}" timeout 600 "$intact" run --pub "$work/key.pub" --user 0 --workdir / "${options[@]}" app "$@"
}
# fed FILE COMMAND...: with this on stdin.
fed() { local from=$1; shift; "$@" < "$from"; }
# streams RUNTIME: the container has pipes only, never the caller's files, even as root.
streams() {
  local runtime=$1
  printf 'line 1\nline 2\n' > "$work/input"
  cp "$work/input" "$work/expected"
  chmod 600 "$work/input"
  expect 0 fed "$work/input" container --runtime "$runtime" -i -- \
    'cat; for fd in 0 1 2; do (echo PWNED > /proc/self/fd/$fd) 2> /dev/null; done; exit 0'
  said '^line 1$'
  said '^line 2$'
  cmp "$work/input" "$work/expected" || fail "$runtime: the container changed the file on stdin"
  mkfifo "$work/fifo"
  cat "$work/input" > "$work/fifo" &
  expect 0 fed "$work/fifo" container --runtime "$runtime" -i -- 'cat; test -p /proc/self/fd/0'
  said '^line 2$'
  wait $!
  rm "$work/fifo"
  expect 0 fed <(printf 'through a pipe\n') container --runtime "$runtime" -i -- cat
  said '^through a pipe$'
  expect 125 fed / container --runtime "$runtime" -i -- 'ls /proc/self/fd/0/'
  said '^intact: stdin: a directory, which containers do not get this way; pass it with --volume$'
  ! grep -q '^etc$' "$work/out" || fail "$runtime: the container listed the host's directory"
  # Without -i, stdin does not reach the container.
  expect 0 fed / container --runtime "$runtime" -- 'ls /proc/self/fd/0/ 2> /dev/null; cat'
}
# unguarded RUNTIME: a runtime that ignores hooks never starts the container's program; its twin that obeys them does.
unguarded() {
  local runtime=$1 real
  real=$(command -v "$runtime")
  mkdir -p "$work/fake"
  chmod 755 "$work/fake"
  for hooks in 'del(.hooks)' '.'; do
    cat > "$work/fake/$runtime" << END
#!/bin/bash
for ((i = 1; i <= \$#; i++)); do
  [[ \${!i} == --bundle ]] || continue
  next=\$((i + 1)) config=\$(jq '$hooks' "\${!next}/config.json")
  printf '%s' "\$config" > "\${!next}/config.json"
done
exec $real "\$@"
END
    chmod 755 "$work/fake/$runtime"
    if [[ $hooks == . ]]; then
      PATH=$work/fake:$PATH expect 0 container --runtime "$runtime" -- 'echo it runs'
      said '^it runs$'
    else
      # runc 1.1 leaves a read-only root as it is mounted: nothing is missing without the hook.
      local status=0
      PATH=$work/fake:$PATH container --runtime "$runtime" -- \
        'echo it runs; busybox grep " / / " /proc/self/mountinfo' > "$work/out" 2> "$work/err" || status=$?
      if [[ $runtime == runc && $status == 0 ]]; then
        said ' / / ro,nosuid,nodev'
      else
        equal "$status" 125
        said "^intact: .*$runtime: the root of the container lacks the mount flags nosuid,nodev(,ro)?, since this runtime ignores createContainer hooks; nothing was started"
        ! grep -q '^it runs' "$work/out" || fail "$runtime: the program ran without the guard"
      fi
    fi
  done
  rm -r "$work/fake"
}
ran=0
try() {
  local runtime
  "${who[@]}" "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub" > /dev/null
  for runtime in runc crun runsc; do
    command -v "$runtime" > /dev/null || continue
    expect 0 container --runtime "$runtime"
    said '^hello from small image$'
    expect 7 container --runtime "$runtime" -- 'echo the 7 is mine; exit 7'
  said '^the 7 is mine$'
    # The root has the flags of every mount, and limits can be read but not changed.
    if [[ $runtime != runsc ]]; then
      for options in '' --rw; do
        # shellcheck disable=SC2086
        expect 0 container --runtime "$runtime" $options -- 'busybox grep " / / " /proc/self/mountinfo; ls /sys/fs/cgroup
          (echo 1 > "$(busybox find /sys/fs/cgroup -name cgroup.procs | busybox head -1)") 2> /dev/null || echo refused
          (: > /sys/fs/cgroup/new) 2>&1; busybox mkdir /sys/fs/cgroup/memory/new 2>&1
          busybox grep " /sys/fs/cgroup" /proc/self/mountinfo'
        said ' / / r[ow],nosuid,nodev'
        said '^refused$'
        said '/sys/fs/cgroup/new: (Read-only file system|Permission denied)'
        said ' /sys/fs/cgroup ro,'
        writable=$(awk '$5 ~ "^/sys/fs/cgroup" && $6 ~ "^rw"' "$work/out")
        [[ -z $writable ]] || fail "$runtime: a writable control group: $writable"
        grep -q 'cgroup\|memory' "$work/out" || fail "$runtime: no control group: $(cat "$work/out")"
      done
    fi
    [[ $runtime == runsc ]] || unguarded "$runtime"
    streams "$runtime"
    ran=$((ran + 1))
  done
  ((ran > 0)) || skip "none of runc, crun and runsc is there"
  expect 0 container
  said '^hello from small image$'
}
who=()
if ((EUID == 0)); then try; fi
user_space
who=(as_user)
try

# What separates the options and the layers of an overlay may be in a path.
export XDG_RUNTIME_DIR=$work/user/a,b
"${who[@]}" mkdir -m 700 "$XDG_RUNTIME_DIR"
expect 0 container --rw -- 'echo written > /new && cat /new'
said '^written$'
expect 0 container -- 'ls /new 2> /dev/null || echo gone'
said '^gone$'
