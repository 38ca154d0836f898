set -e
# Fixed work; keys and salts are given, so that every output is the same.
$BB head -c $(($(scaled 48) << 20)) /dev/zero | openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv 0 -out data 2> /dev/null
for digest in md5 sha1 sha256 sha512 sha3-256 blake2b512; do openssl dgst -r -$digest data; done
for cipher in aes-128-cbc aes-256-ctr chacha20 camellia-128-cbc; do
  openssl enc -$cipher -pbkdf2 -iter 20000 -S 0102030405060708 -k secret -in data | openssl dgst -r -sha256
done
openssl enc -aes-256-cbc -K 00112233445566778899aabbccddeeff -iv 00 -in data -out sealed 2> /dev/null
openssl enc -d -aes-256-cbc -K 00112233445566778899aabbccddeeff -iv 00 -in sealed 2> /dev/null | $BB cmp - data
i=0
while [ $i -lt "$(scaled 12)" ]; do
  i=$((i + 1))
  echo "message $i" > message
  openssl dgst -sha256 -sign /bench/rsa.pem -out signature message
  openssl dgst -r -sha256 signature
  openssl dgst -sha256 -prverify /bench/rsa.pem -signature signature message
  openssl pkeyutl -sign -rawin -inkey /bench/ed25519.pem -in message | openssl dgst -r -sha256
  openssl dgst -sha256 -sign /bench/ec.pem -out signature message
  openssl dgst -sha256 -prverify /bench/ec.pem -signature signature message
done
openssl prime 170141183460469231731687303715884105727
