# fs-verity digest of a file of 2 GiB in the page cache (SIZE_MIB: another size).
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

file=$work/file
head -c "$((${SIZE_MIB:-2048} << 20))" /dev/urandom > "$file"
size=$(stat -c %s "$file")

cat "$file" > /dev/null
declare -A rates
while read -r name value; do
  rates[$name]=$value
  label=${name/%-one/, one processor}
  printf '%-48s %8.3f GB/s\n' "  ${label/%-all/, all processors}" "$value"
done < <("$BUILD/bin/digest_rates" "$file")

# slower A B: the smaller of two rates. both A B: that of doing the one, then the other.
slower() { awk -v a="$1" -v b="$2" 'BEGIN { print (a < b ? a : b) }'; }
both() { awk -v a="$1" -v b="$2" 'BEGIN { print 1 / (1 / a + 1 / b) }'; }

measure_rate 'intact fsverity digest' "$size" : '"$intact" fsverity digest "$file"'
ours=$rate ours_cpu=$cpu
if has fsverity; then
  measure_rate '  beside it: fsverity digest' "$size" : 'fsverity digest "$file"'
  [[ $("$intact" fsverity digest "$file") == "$(fsverity digest "$file")" ]] || { echo 'the digests differ'; exit 1; }
  target 'times as fast as fsverity digest' "$(ratio "$ours" "$rate")" at-least 4
  printf '%-48s %8.2f\n' '  by processor time (so on one processor)' "$(ratio "$cpu" "$ours_cpu")"
fi

# Reading is copying: a processor that does it does not hash. The lower bound is that of a machine that
# reads for nothing.
hash=${rates[sha256-fastest-all]} read=${rates[read-all]}
target 'bound, hashing and reading, over ours' "$(ratio "$(both "$hash" "$read")" "$ours")" at-most 1.3
target 'bound, the slower of the two, over ours' "$(ratio "$(slower "$hash" "$read")" "$ours")" at-most 1.3
hash=${rates[sha256-fastest-one]} read=${rates[read-one]}
ours=$(ratio "$size" "$ours_cpu" 1e-9)
target '  by processor time, hashing and reading' "$(ratio "$(both "$hash" "$read")" "$ours")" at-most 1.3
target '  by processor time, the slower of the two' "$(ratio "$(slower "$hash" "$read")" "$ours")" at-most 1.3
