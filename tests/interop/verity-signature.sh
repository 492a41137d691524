#!/usr/bin/env bash
# Signatures of root hashes: ours are taken by OpenSSL, OpenSSL's by us, and those of anybody else are
# refused before a volume is read.
. "$(dirname "$0")/lib.sh"
requires openssl
cd "$work" || exit
head -c 100000 /dev/urandom > data
truncate -s 102400 data
root=$(printf '%064d' 1)

# person NAME ALGORITHM...: a key with its certificate.
person() {
  local name=$1
  shift
  openssl req -x509 -newkey "$@" -nodes -keyout "$name.key" -out "$name.crt" -subj "/CN=$name" -days 1 2> /dev/null
}
person rsa rsa:2048
person ec ec -pkeyopt ec_paramgen_curve:prime256v1
person other rsa:2048
# The same name and serial number, another key.
openssl req -x509 -newkey rsa:2048 -nodes -keyout twin.key -out twin.crt -subj "/CN=rsa" -days 1 \
  -set_serial "0x$(openssl x509 -in rsa.crt -noout -serial | cut -d = -f 2)" 2> /dev/null

for who in rsa ec; do
  rm -f tree
  expect 0 "$intact" verity format data tree --root-hash-file root --data-blocks 25 \
    --root-hash-signature ours.p7s --sign-key $who.key --sign-cert $who.crt
  for tool in smime cms; do
    openssl $tool -verify -in ours.p7s -inform DER -content root -binary -certfile $who.crt -nointern -noverify \
      -out /dev/null 2> err || fail "openssl $tool refuses ours: $(cat err)"
  done
  # Without what the kernel takes for wrong: attributes and certificates.
  openssl cms -cmsout -print -in ours.p7s -inform DER > printed
  for field in signedAttrs certificates; do
    grep -A 1 "$field:" printed | finds ABSENT || fail "there are $field"
  done

  verify=("$intact" verity verify data tree --root-hash-file root)
  expect 0 "${verify[@]}" --root-hash-signature ours.p7s --root-hash-cert $who.crt
  expect 0 "${verify[@]}" --root-hash-signature ours.p7s --root-hash-cert other.crt --root-hash-cert $who.crt
  openssl x509 -in $who.crt -outform DER -out der.crt
  expect 0 "${verify[@]}" --root-hash-signature ours.p7s --root-hash-cert der.crt
  expect 5 "${verify[@]}" --root-hash-signature ours.p7s --root-hash-cert other.crt
  said 'not signed by one of the given certificates'
  expect 5 "${verify[@]}" --root-hash-signature ours.p7s --root-hash-cert twin.crt
  said 'not signed by one of the given certificates'
  # Before anything is read: the volume need not even be there.
  expect 5 "$intact" verity verify nothing nowhere --root-hash-file root --root-hash-signature ours.p7s \
    --root-hash-cert other.crt
  said 'not signed by one of the given certificates'

  # The forms that OpenSSL writes.
  for form in '-nocerts -noattr' '-noattr' '-nocerts' ''; do
    # shellcheck disable=SC2086
    openssl smime -sign -in root -inkey $who.key -signer $who.crt -binary -outform der $form > theirs.p7s
    expect 0 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert $who.crt
    expect 5 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert other.crt
    said 'not signed by one of the given certificates'
  done
  openssl cms -sign -in root -inkey $who.key -signer $who.crt -binary -outform der -keyid > theirs.p7s
  expect 0 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert $who.crt
  # Hashes with known collisions count for nothing; nor does what others have signed as well.
  openssl smime -sign -md sha1 -in root -inkey $who.key -signer $who.crt -binary -noattr -outform der > theirs.p7s
  expect 5 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert $who.crt
  said '^intact: theirs.p7s: .*(made with a weak hash|not signed by)'
  openssl smime -sign -in root -inkey $who.key -signer $who.crt -inkey other.key -signer other.crt -binary \
    -outform der > theirs.p7s
  expect 5 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert $who.crt
  said 'not signed by one of the given certificates'
  expect 0 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert $who.crt --root-hash-cert other.crt
  # A signature of something else: another root hash, the same with a newline.
  { cat root; echo; } > line
  printf '%s' "$root" > zeros
  for what in line zeros; do
    openssl smime -sign -in $what -inkey $who.key -signer $who.crt -binary -noattr -outform der > theirs.p7s
    expect 5 "${verify[@]}" --root-hash-signature theirs.p7s --root-hash-cert $who.crt
    said 'not signed by one of the given certificates'
  done
done

# Not signatures: one with content, one of another form, one that ends early, one with trailing bytes.
openssl smime -sign -in root -inkey rsa.key -signer rsa.crt -binary -nodetach -outform der > bad.attached
openssl smime -sign -in root -inkey rsa.key -signer rsa.crt -binary -outform pem > bad.pem
head -c 100 ours.p7s > bad.short
{ cat ours.p7s; echo; } > bad.long
: > bad.empty
cp data bad.data
for file in bad.*; do
  expect 6 "${verify[@]}" --root-hash-signature "$file" --root-hash-cert ec.crt
  said "^intact: $file: .*(PKCS#7 signature|larger than the limit)"
done
# The value of the signature stands at the end. Of what is around it not all is signed.
for ((i = 1; i < 60; i += 4)); do
  cp ours.p7s flipped.p7s
  flip flipped.p7s -$i
  expect 5 "${verify[@]}" --root-hash-signature flipped.p7s --root-hash-cert ec.crt
  said 'not signed by one of the given certificates'
done
head -c 1000 data > words
expect 6 "${verify[@]}" --root-hash-signature ours.p7s --root-hash-cert words
said '^intact: words: not a PEM file'

# Keys in cosign's form; keys that do not fit; half of what is needed.
printf 'a password' > password
expect 0 "$intact" keygen me --password-file password
expect 2 "$intact" verity format data tree2 --data-blocks 25 --root-hash-signature p --sign-key rsa.key --sign-cert ec.crt
said '^intact: rsa.key: the certificate is that of another key'
for words in '--root-hash-signature p --sign-key rsa.key' '--sign-key rsa.key --sign-cert rsa.crt'; do
  # shellcheck disable=SC2086
  expect 2 "$intact" verity format data tree2 --data-blocks 25 $words
  said 'signing needs all of --root-hash-signature, --sign-key and --sign-cert'
done
expect 4 "$intact" verity format data tree2 --data-blocks 25 --root-hash-signature p --sign-key me.key --sign-cert ec.crt \
  --password-file root
said 'me\.key: .*password'
[[ ! -e tree2 && ! -e p ]] || fail 'a refused format left a file'
expect 2 "${verify[@]}" --root-hash-signature ours.p7s
said '^intact: --root-hash-signature: needs --root-hash-cert'
expect 2 "${verify[@]}" --root-hash-cert ec.crt
said '--root-hash-cert.*--root-hash-signature'
expect 7 "${verify[@]}" --root-hash-signature nowhere --root-hash-cert ec.crt
said '^intact: nowhere: '
