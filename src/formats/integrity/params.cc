#include <bit>
#include <cctype>

#include <fmt/format.h>

#include <intact/crypto/sector_cipher.h>
#include <intact/integrity/params.h>

#include "message_hash.h"

namespace intact::integrity {
namespace {

// The kernel's words.
constexpr std::string_view kInternalHashKey = "Error setting internal hash key";
constexpr std::string_view kJournalMacKey = "Error setting journal mac key";
constexpr std::string_view kJournalCryptKey = "Error setting encryption key";

Error invalid(std::string what) {
  return Error(ErrorKind::invalid_argument, std::move(what));
}

/// What an algorithm or its key lack, in the kernel's words.
Error refused(const Error& error, std::string_view unknown, std::string_view key) {
  return Error(error.kind(),
               fmt::format("{}: {}", error.kind() == ErrorKind::bad_secret ? key : unknown,
                           error.message()));
}

/// Digest size in bytes.
Result<std::size_t> check_hash(const Algorithm& algorithm, std::string_view unknown,
                               std::string_view key) {
  const auto hash = MessageHash::create(algorithm, kSectorSize, {});
  if (!hash && hash.error().kind() == ErrorKind::unsupported)
    return Error(ErrorKind::unsupported,
                 fmt::format("{}: {}; also crc32c, crc32, xxhash64, cmac-aes, and with a key "
                             "hmac-HASH such as hmac-sha256",
                             unknown, hash.error().message()));
  if (!hash) return refused(hash.error(), unknown, key);
  return (*hash)->digest_size();
}

Result<void> check_in_line(const Params& params, bool has_meta_device) {
  if (has_meta_device) return invalid("Metadata device not supported in inline mode");
  if (!params.internal_hash) return invalid("Internal hash not set in inline mode");
  if (params.journal_crypt || params.journal_mac)
    return invalid("Journal crypt not supported in inline mode");
  if (params.allow_discards) return invalid("Discards not supported in inline mode");
  return {};
}

/// Whether it takes keys of any size: a checksum may take one of its own size only.
bool takes_keys(const Algorithm& algorithm) {
  for (const std::size_t size : {1, 4, 8, 16}) {
    const Algorithm keyed{.name = algorithm.name,
                          .key = std::make_shared<const crypto::Secret>(size)};
    if (MessageHash::create(keyed, kSectorSize, {})) return true;
  }
  return false;
}

/// `option`: of the algorithm; that of its key begins with it.
Result<void> check_hash_key_given(const std::optional<Algorithm>& algorithm,
                                  std::string_view option, std::string_view what) {
  if (!algorithm) return {};
  const auto hash = MessageHash::create(*algorithm, kSectorSize, {});
  if (hash || hash.error().kind() != ErrorKind::bad_secret) return {};
  if (algorithm->key_bytes().empty())
    return invalid(fmt::format("{} {}: {}: {} needs a key; pass {}-key-file", option,
                               algorithm->name, what, algorithm->name, option));
  if (takes_keys(*algorithm)) return {};
  return invalid(fmt::format(
      "{}-key-file: {}: {} takes no key; leave it out, or pass an algorithm with a key, "
      "such as {} hmac-sha256",
      option, what, algorithm->name, option));
}

Result<void> check_numbers(const Params& params) {
  if (!std::has_single_bit(params.block_size) || params.block_size < 512 ||
      params.block_size > 4096)
    return invalid("Invalid block_size argument: 512, 1024, 2048 or 4096 bytes");
  if (params.journal_watermark > 100)
    return invalid("Invalid argument: journal_watermark is a percentage");
  if (params.bitmap_flush_interval > kMaxBitmapFlushInterval)
    return invalid(fmt::format("Invalid bitmap_flush_interval argument: at most {} ms",
                               kMaxBitmapFlushInterval));
  if (params.tag_size && *params.tag_size == 0) return invalid("Invalid tag size");
  return {};
}

}  // namespace

std::string kernel_name(std::string_view algorithm) {
  const std::size_t dash = algorithm.find('-');
  if (algorithm.find('(') != std::string_view::npos || dash == std::string_view::npos ||
      dash + 1 == algorithm.size() ||
      std::isdigit(static_cast<unsigned char>(algorithm[dash + 1])) != 0)
    return std::string(algorithm);
  return fmt::format("{}({})", algorithm.substr(0, dash), algorithm.substr(dash + 1));
}

unsigned log2_sectors_per_block(const Params& params) {
  return static_cast<unsigned>(std::countr_zero(params.block_size / 512));
}

Result<std::uint32_t> check_params(const Params& params, bool has_meta_device) {
  TRY(check_numbers(params));
  std::optional<std::size_t> digest_size;
  if (params.internal_hash)
    digest_size = TRY(check_hash(*params.internal_hash, "Invalid internal hash", kInternalHashKey));
  if (params.journal_mac)
    TRY(check_hash(*params.journal_mac, "Invalid journal mac", kJournalMacKey));
  if (params.journal_crypt) {
    const auto cipher =
        crypto::SectorCipher::create(params.journal_crypt->name, params.journal_crypt->key_bytes());
    if (!cipher) return refused(cipher.error(), "Invalid journal cipher", kJournalCryptKey);
  }
  if (!params.tag_size && !digest_size)
    return invalid("Unknown tag size: without internal hash pass --tag-size");
  const std::size_t tag_size = params.tag_size ? *params.tag_size : *digest_size;
  if (tag_size > kMaxTagSize)
    return invalid(fmt::format("Too big tag size: {} bytes, at most {}", tag_size, kMaxTagSize));
  if (params.mode == Mode::in_line) TRY(check_in_line(params, has_meta_device));
  if (params.mode == Mode::bitmap && !params.internal_hash)
    return invalid("Bitmap mode can be only used with internal hash");
  if (params.allow_discards && !params.internal_hash)
    return invalid("Discard can be only used with internal hash");
  if ((params.recalculate || params.reset_recalculate) && !params.internal_hash)
    return invalid("Recalculate can only be specified with internal_hash");
  return static_cast<std::uint32_t>(tag_size);
}

Result<void> check_keys_given(const Params& params) {
  TRY(check_hash_key_given(params.internal_hash, "--integrity", kInternalHashKey));
  TRY(check_hash_key_given(params.journal_mac, "--journal-integrity", kJournalMacKey));
  const auto& cipher = params.journal_crypt;
  if (!cipher || !cipher->key_bytes().empty()) return {};
  const auto made = crypto::SectorCipher::create(cipher->name, {});
  if (made || made.error().kind() != ErrorKind::bad_secret) return {};
  return invalid(
      fmt::format("--journal-crypt {}: {}: {} needs a key; pass --journal-crypt-key-file",
                  cipher->name, kJournalCryptKey, cipher->name));
}

Result<void> check_mode(const Params& params) {
  if (params.mode != Mode::in_line) return {};
  return Error(
      ErrorKind::unsupported,
      "Integrity profile not supported: in-line mode needs a device with its own per-block "
      "metadata");
}

}  // namespace intact::integrity
