# dm-verity: format and verify of a file of 2 GiB in the page cache (SIZE_MIB: another size), error
# correction of 256 MiB (FEC_MIB), and what memory each takes at 256 MiB and 4 GiB (MEMORY_MIB).
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
cd "$work" || exit

size=$((${SIZE_MIB:-2048} << 20))
head -c "$size" /dev/urandom > data
cat data > /dev/null
salt=--salt=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f

declare -A rates
while read -r name value; do rates[$name]=$value; done < <("$BUILD/bin/digest_rates" data)
for name in sha256-fastest-one sha256-fastest-all read-one read-all; do
  label=${name/%-one/, one processor}
  printf '%-48s %8.3f GB/s\n' "  ${label/%-all/, all processors}" "${rates[$name]}"
done
# Reading is copying: a processor that does it does not hash.
both() { awk -v a="$1" -v b="$2" 'BEGIN { print 1 / (1 / a + 1 / b) }'; }
bound_all=$(both "${rates[sha256-fastest-all]}" "${rates[read-all]}")
bound_one=$(both "${rates[sha256-fastest-one]}" "${rates[read-one]}")

# against NAME: what compare has measured beside the peer and the bound.
against() {
  target "times as fast as veritysetup $1" "$(ratio "$peer_median" "$median")" at-least 4
  printf '%-48s %8.2f\n' '  by processor time (so on one processor)' "$(ratio "$peer_cpu" "$cpu")"
  target 'bound, hashing and reading, over ours' "$(ratio "$bound_all" "$(ratio "$size" "$median" 1e-9)")" at-most 1.3
  target '  by processor time' "$(ratio "$bound_one" "$(ratio "$size" "$cpu" 1e-9)")" at-most 1.3
}

if has veritysetup; then
  # Files that are new each time, so that neither finds blocks of the last run.
  compare 'intact verity format' 'rm -f ours' '"$intact" verity format data ours "$salt" --root-hash-file root' \
    'veritysetup format' 'rm -f theirs' 'veritysetup format data theirs "$salt" --root-hash-file=root.theirs'
  cmp root root.theirs || { echo 'the root hashes differ'; exit 1; }
  against format
  compare 'intact verity verify' : '"$intact" verity verify data ours "$(cat root)"' \
    'veritysetup verify' : 'veritysetup verify data theirs "$(cat root)"'
  against verify
fi

# Error correction. The damage is a run of blocks: veritysetup finds what can be corrected, and writes nothing.
truncate -s "$((${FEC_MIB:-256} << 20))" data
if has veritysetup; then
  for roots in 2 24; do
    compare "intact verity format --fec-roots $roots" 'rm -f ours fec' \
      '"$intact" verity format data ours "$salt" --root-hash-file root --fec-device fec --fec-roots $roots' \
      "veritysetup format --fec-roots=$roots" 'rm -f theirs fec.theirs' \
      'veritysetup format data theirs "$salt" --root-hash-file=root.theirs --fec-device=fec.theirs --fec-roots=$roots'
    cmp fec fec.theirs
    target "times as fast as veritysetup, $roots roots" "$(ratio "$peer_median" "$median")" at-least 4
  done
  damage='dd if=/dev/urandom of=data bs=4096 seek=1000 count=256 conv=notrunc'
  cp data good
  compare 'intact verity repair of 256 blocks' "$damage" \
    '"$intact" verity repair data ours "$(cat root)" --fec-device fec --fec-roots 24' \
    'veritysetup verify --fec-device' "$damage" \
    'veritysetup verify data theirs "$(cat root)" --fec-device=fec.theirs --fec-roots=24 2> /dev/null || :'
  cp good data
  target 'times as fast as veritysetup' "$(ratio "$peer_median" "$median")" at-least 4
fi

# peak COMMAND...: sets peak (MiB resident)
peak() {
  /usr/bin/time -f '%M' -o peak "$@" > /dev/null 2>&1 || { echo "failed: $*"; exit 1; }
  peak=$(($(tail -1 peak) / 1024))
}
if has /usr/bin/time; then
  first=()
  printf '%10s %12s %12s %12s %12s\n' MiB 'format MiB' 'with FEC' 'verify MiB' 'repair MiB'
  for mib in ${MEMORY_MIB:-256 4096}; do
    rm -f data ours fec good
    # Holes take no room here and are hashed as any other data is.
    truncate -s "${mib}M" data
    row=()
    peak "$intact" verity format data ours "$salt" --root-hash-file root
    row+=("$peak")
    rm ours
    peak "$intact" verity format data ours "$salt" --root-hash-file root --fec-device fec
    row+=("$peak")
    peak "$intact" verity verify data ours "$(cat root)"
    row+=("$peak")
    printf x | dd of=data bs=1 seek=1000000 conv=notrunc status=none
    peak "$intact" verity repair data ours "$(cat root)" --fec-device fec
    row+=("$peak")
    printf '%10d %12d %12d %12d %12d\n' "$mib" "${row[@]}"
    ((${#first[@]})) || first=("${row[@]}")
  done
  names=(format 'format with FEC' verify repair)
  for i in 0 1 2 3; do
    target "memory of ${names[i]}, largest over smallest" "$(ratio "${row[i]}" "${first[i]}")" at-most 1.5
  done
fi
