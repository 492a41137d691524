# Encryption of sectors by one processor, with an IV (and a tag) for each, beside `openssl speed -evp` with buffers of
# that size, which sets key and IV once. Both by processor time, in turn; SECONDS_EACH: for each measurement, 1 unless told.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
has openssl || { echo 'openssl is not there'; exit 0; }
each=${SECONDS_EACH:-1}

# openssl_speed CIPHER SIZE [OPTION]: GB/s
openssl_speed() {
  openssl speed "${@:3}" -mr -evp "$1" -bytes "$2" -seconds "$each" 2> /dev/null |
    awk -F : '/^\+F:/ { print $4 / 1e9 }'
}

declare -A rates
for ((i = 0; i < runs; i++)); do
  while read -r name value; do rates[$name]+=" $value"; done < <("$BUILD/bin/cipher_rates" "$each")
  for size in 512 4096; do
    rates[openssl-xts-$size]+=" $(openssl_speed aes-256-xts "$size")"
    rates[openssl-gcm-$size]+=" $(openssl_speed aes-256-gcm "$size")"
  done
done
# shellcheck disable=SC2086
for name in "${!rates[@]}"; do rates[$name]=$(median_of ${rates[$name]}); done

for size in 512 4096; do
  ((size == 512)) && wanted=0.6 || wanted=0.9
  for mode in xts gcm; do
    printf '%-48s %8.3f GB/s\n' "openssl speed -evp aes-256-$mode, $size bytes" "${rates[openssl-$mode-$size]}"
    for way in encrypt decrypt; do
      printf '%-48s %8.3f GB/s\n' "AES-256-${mode^^}, sectors of $size bytes, ${way}ed" "${rates[$mode-$way-$size]}"
      target '  of the speed of openssl' "$(ratio "${rates[$mode-$way-$size]}" "${rates[openssl-$mode-$size]}")" \
        at-least "$wanted"
    done
  done
  printf '%-48s %8.3f GB/s\n' "AES-256-XTS and HMAC-SHA-256, $size, encrypted" "${rates[hmac-encrypt-$size]}"
  printf '%-48s %8.3f GB/s\n' "AES-256-XTS and HMAC-SHA-256, $size, decrypted" "${rates[hmac-decrypt-$size]}"
done
