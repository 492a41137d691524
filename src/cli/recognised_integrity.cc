#include "recognised_integrity.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <intact/integrity/detect.h>
#include <intact/integrity/integrity_target.h>

namespace intact::cli {
namespace {

using integrity::Detection;
using integrity::IntegrityTarget;
using integrity::Superblock;

/// For loading a key whose hash is not known yet.
constexpr const char* kAnyHash = "crc32c";
constexpr std::uint32_t kMinProof = 16;  // bytes of tags that must match before writing

Error error(ErrorKind kind, const std::string& device, const std::string& message) {
  return {kind, fmt::format("{}: {}", device, message)};
}

/// None if all sampled tags match, and enough of them.
std::optional<Error> doubt_of(const Detection& found, std::uint32_t tag_size,
                              const std::string& device) {
  if (found.matching == found.tagged() &&
      std::uint64_t{found.matching} * std::min(tag_size, found.digest_size) >= kMinProof)
    return std::nullopt;
  return error(ErrorKind::invalid_argument, device,
               fmt::format("only {} of {} sampled tags match {}, too few to allow writing; pass "
                           "--integrity or --readonly",
                           found.matching, found.tagged(), *found.hash));
}

std::string why_unknown(const Detection& found, bool with_key) {
  if (found.tagged() == 0)
    return "cannot detect the hash of this dm-integrity device: the sampled tags are blank; pass "
           "--integrity";
  if (with_key)
    return "cannot detect the hash of this dm-integrity device: no known hash makes its tags, with "
           "or without this key";
  return "cannot detect the hash of this dm-integrity device: no known hash makes its tags without "
         "a "
         "key; pass --integrity-key-file, and --integrity unless it is an HMAC (tags from a layer "
         "above, as with LUKS2, cannot be checked here)";
}

/// The hash that makes the tags, and the evidence for it.
Result<Detection> find_hash(const IntegrityOptions& options, const integrity::Devices& devices,
                            const integrity::Params& params) {
  const auto& key = params.internal_hash->key;
  const Detection found = TRY(integrity::detect(params, devices, key).context(options.device));
  if (!found.hash)
    return error(key && found.tagged() != 0 ? ErrorKind::bad_secret : ErrorKind::invalid_argument,
                 options.device, why_unknown(found, key != nullptr));
  if (key && !found.keyed)
    return error(
        ErrorKind::bad_secret, options.device,
        fmt::format("its tags are plain {}, which anyone can compute, and not made with the "
                    "given key",
                    *found.hash));
  if (found.journal == Detection::Journal::encrypted && !params.journal_crypt)
    return error(ErrorKind::invalid_argument, options.device,
                 "its journal is encrypted or destroyed; pass --journal-crypt and its key");
  return found;
}

/// The superblock, if the device can be opened with these options.
Result<Superblock> usable_superblock(const IntegrityOptions& options,
                                     const integrity::Devices& devices) {
  integrity::RawSuperblock raw;
  if (devices.data->size() >= sizeof raw) {
    TRY(devices.data->read(0, MutableByteSpan(reinterpret_cast<std::byte*>(&raw), sizeof raw)));
    const auto parsed = integrity::parse_superblock(raw);
    if (parsed && parsed->log2_interleave_sectors == 0 && !parsed->has(Superblock::in_line))
      return error(
          ErrorKind::invalid_argument, options.device,
          "its data are on a separate device; use `intact integrity open` with --data-device");
  }
  const Superblock superblock =
      TRY(integrity::read_superblock({}, devices).context(options.device));
  if (superblock.has(Superblock::have_journal_mac) && !options.journal_integrity.given())
    return error(ErrorKind::invalid_argument, options.device,
                 "its journal has a MAC; pass --journal-integrity and its key");
  return superblock;
}

}  // namespace

Result<RecognisedIntegrity> recognised_integrity(const IntegrityOptions& given,
                                                 const std::shared_ptr<block::Device>& device) {
  IntegrityOptions options = given;
  const bool named = !options.integrity.name.empty();
  if (!named) options.integrity.name = kAnyHash;
  const integrity::Devices devices{.data = device};
  const Superblock superblock = TRY(usable_superblock(options, devices));
  RecognisedIntegrity result{.params = TRY(options.params(devices))};
  integrity::Params& params = result.params;
  // In whatever mode it was used, a device that was closed opens with a journal.
  if (superblock.has(Superblock::dirty_bitmap)) params.mode = integrity::Mode::bitmap;
  if (named) return result;
  const Detection found = TRY(find_hash(options, devices, params));
  params.internal_hash->name = *found.hash;
  result.doubt = doubt_of(found, superblock.tag_size, options.device);
  return result;
}

std::shared_ptr<block::Device> look_into_integrity(const std::shared_ptr<block::Device>& device,
                                                   stack::Content& description) {
  const integrity::Devices devices{.data = device};
  const auto superblock = integrity::read_superblock({}, devices);
  if (!superblock) return nullptr;
  const auto found = integrity::detect({}, devices, nullptr);
  if (found && found->hash) description.facts["integrity"] = *found->hash;
  auto target = IntegrityTarget::open({.tag_size = superblock->tag_size,
                                       .mode = integrity::Mode::recovery,
                                       .block_size = superblock->block_size()},
                                      devices, {.read_only = true, .background = false});
  return target ? *std::move(target) : nullptr;
}

}  // namespace intact::cli
