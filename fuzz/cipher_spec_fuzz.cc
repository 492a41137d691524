// A cipher as a table or a LUKS header names it, with parameters and key that fit or do not:
// refused, or what it encrypts it decrypts, and changed tags are seen. Input: a line with the name;
// then bytes for parameters and key.
#include <algorithm>

#include <intact/crypt/sector_crypt.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan input = fuzz::input(data, size);
  const std::string_view text = as_text(input);
  const std::size_t end = std::min(text.find('\n'), text.size());
  auto spec = crypt::CipherSpec::parse(text.substr(0, end));
  if (!spec) return 0;
  fuzz::require(spec->text == text.substr(0, end));
  ByteSpan rest = input.subspan(std::min(end + 1, input.size()));
  const auto next = [&rest] {
    const auto byte = rest.empty() ? 0U : std::to_integer<unsigned>(rest.front());
    rest = rest.subspan(rest.empty() ? 0 : 1);
    return byte;
  };
  crypt::SectorParams params{.spec = *std::move(spec)};
  params.sector_size = 512U << next() % 4;
  params.iv_large_sectors = next() % 2 != 0;
  params.iv_offset = std::uint64_t{next()} << 56 | next() * 8;
  params.record_size = next();
  params.is_aead = next() % 2 != 0;
  params.mac_key_size = next();
  const auto crypt =
      crypt::SectorCrypt::create(params, rest.first(std::min<std::size_t>(rest.size(), 4096)));
  if (!crypt) return 0;
  constexpr std::size_t kSectors = 3;
  Bytes plain(kSectors * params.sector_size), records(kSectors * params.record_size);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<std::byte>(i * 7);
  Bytes bytes = plain;
  (*crypt)->encrypt(8, bytes, bytes, records);
  Bytes out(plain.size());
  fuzz::require((*crypt)->decrypt(8, bytes, records, out).empty() && out == plain);
  if (params.is_aead && params.record_size >= 32) {  // a short tag may fit by chance
    bytes.back() ^= std::byte{1};
    fuzz::require((*crypt)->decrypt(8, bytes, records, out) == std::vector{kSectors - 1});
  }
  return 0;
}
