#!/usr/bin/env bash
# pull, gc, rm and seal are killed at random instants; each time the store is in order, what has a name is
# whole, and the same works again. KILLS=N kills N times (50; 1000 with INTACT_LONG=1).
. "$(dirname "$0")/crash-lib.sh"
crash_set_up
kills=${KILLS:-$((long ? 1000 : 50))}
RANDOM=$seed
source=oci:$work/layout
cp -r "$work/layout" "$disk/layout"

# Nothing ever comes from it: to wait for that is to sleep, without a process that takes its time.
exec {never}<> <(:)

# How long each takes when it is let be, in microseconds.
now() { printf '%s\n' "${EPOCHREALTIME/[.,]/}"; }
declare -A takes
commands=(first second replace rm gc seal)
# prepare COMMAND OLD: what it needs to be there.
prepare() {
  case $1 in
    first) rm -rf "$INTACT_STORE" "$disk/state" ;;
    second) has app || repairs old app; ! has new || "$intact" rm new ;;
    replace) repairs "$2" app --replace ;;
    rm) has other || repairs other other ;;
    gc) has app || repairs old app; has other || repairs other other; "$intact" rm other ;;
    seal) rm -rf "$disk/layout"; cp -r "$work/unsealed" "$disk/layout" ;;
  esac > "$work/said" 2>&1 || fail "prepare $1: $(cat "$work/said")"
}
# perform COMMAND NEW: the command, in the place of this process.
perform() {
  case $1 in
    first) exec "$intact" pull "$source:old-sealed" app --policy "$policy" ;;
    second) exec "$intact" pull "$source:new-sealed" new --policy "$policy" ;;
    replace) exec "$intact" pull "$source:$2-sealed" app --replace --policy "$policy" ;;
    rm) exec "$intact" rm other ;;
    gc) exec "$intact" gc ;;
    seal) exec "$intact" seal "oci:$disk/layout:old" --key "$work/key.key" --password-file "$work/password" ;;
  esac > "$work/killed-said" 2>&1
}
# examine COMMAND NEW: what must hold after it.
examine() {
  if [[ $1 == seal ]]; then
    # Anyone who takes the layout up again gets what was promised.
    (perform seal) || fail "seal again: $(cat "$work/killed-said")"
    pull_from_disk || fail "what was sealed"
    return
  fi
  is_store || return 0
  fsck
  whole_if_named app new other
  case $1 in
    first) repairs old app ;;
    second) repairs new new; whole app ;;
    replace) whole app; repairs "$2" app --replace ;;
    rm) repairs other other ;;
    gc) whole app; repairs other other ;;
  esac
}
pull_from_disk() {
  "$intact" pull "oci:$disk/layout:old-sealed" scratch --policy "$policy" --store "$work/scratch" > "$work/said" 2>&1
  rm -rf "$work/scratch"
}

# The layout that is to be sealed has no signature yet.
mkdir "$work/unsealed"
cp -r "$work/layout/." "$work/unsealed"
jq '.manifests |= map(select(.annotations["org.opencontainers.image.ref.name"] == "old"))' \
  "$work/layout/index.json" > "$work/unsealed/index.json"

# The twin: nobody is killed.
for command in "${commands[@]}"; do
  prepare "$command" old
  start=$(now)
  (perform "$command" new) || fail "$command: $(cat "$work/killed-said")"
  takes[$command]=$(($(now) - start))
  examine "$command" new
done

declare -A ended=() killed=()
for ((i = 0; i < kills; i++)); do
  command=${commands[i % ${#commands[@]}]}
  target=new before=old
  ((i / ${#commands[@]} % 2)) && { target=old before=new; }
  prepare "$command" "$before"
  delay=$((RANDOM * 32768 + RANDOM))
  delay=$((delay % (takes[$command] * 11 / 10)))
  perform "$command" "$target" &
  pid=$!
  read -rt "$((delay / 1000000)).$(printf %06d $((delay % 1000000)))" -u "$never" || :
  kill -KILL "$pid" 2> /dev/null || :
  status=0
  wait "$pid" 2> /dev/null || status=$?
  case $status in
    0) ended[$command]=$((${ended[$command]:-0} + 1)) ;;
    137) killed[$command]=$((${killed[$command]:-0} + 1)) ;;
    *) fail "$command ended with $status: $(cat "$work/killed-said")" ;;
  esac
  examine "$command" "$target"
  ((i % 10)) || ! is_store || tidy
done
for command in "${commands[@]}"; do
  printf '%-8s killed %s times, too late %s times\n' "$command" "${killed[$command]:-0}" "${ended[$command]:-0}"
done
