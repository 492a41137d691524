#include "superblock_store.h"

#include <algorithm>

namespace intact::integrity {
namespace {

bool has_mac(const Params& params, const Superblock& superblock) {
  return params.journal_mac && superblock.has(Superblock::fixed_hmac);
}

/// The MAC of a superblock covers its first sector except the MAC itself.
Result<std::unique_ptr<const MessageHash>> make_mac(const Params& params) {
  const auto probe = TRY(MessageHash::create(*params.journal_mac, kSectorSize, {}));
  const std::size_t size = probe->digest_size();
  if (sizeof(RawSuperblock) + size > kSectorSize)
    return Error(ErrorKind::invalid_argument, "Error reading superblock: digest is too long");
  return MessageHash::create(*params.journal_mac, kSectorSize - size, {});
}

}  // namespace

Result<Bytes> read_superblock_bytes(const Params& params, const block::Device& meta) {
  Bytes bytes(kSuperblockSize);
  if (params.start > meta.size() / kSectorSize)
    return Error(ErrorKind::invalid_argument,
                 "The device is too small: it ends before the superblock's place");
  TRY(block::check_range(meta.size(), params.start * kSectorSize, bytes.size())
          .context("The device is too small"));
  TRY(meta.read(params.start * kSectorSize, bytes).context("Error reading superblock"));
  return bytes;
}

Result<void> check_superblock_mac(const Params& params, const Superblock& superblock,
                                  ByteSpan on_disk) {
  if (!has_mac(params, superblock)) return {};
  const auto mac = TRY(make_mac(params));
  Bytes digest(mac->digest_size());
  const std::size_t covered = kSectorSize - digest.size();
  mac->hash(on_disk.first(covered), {}, digest);
  if (!crypto::equal_secret(digest, on_disk.subspan(covered, digest.size())))
    return Error(ErrorKind::bad_secret,
                 "the superblock fails its MAC: wrong journal MAC or key, or it was changed");
  return {};
}

Result<std::unique_ptr<SuperblockStore>> SuperblockStore::create(const Params& params,
                                                                 bool has_meta_device,
                                                                 Bytes on_disk,
                                                                 const Superblock& value) {
  const Place place{.start = params.start, .mode = params.mode, .has_meta_device = has_meta_device};
  std::unique_ptr<SuperblockStore> store(new SuperblockStore(place, std::move(on_disk), value));
  if (auto saved = parse_superblock(TRY(load<RawSuperblock>(store->on_disk_, 0))))
    store->saved_ = *saved;
  if (has_mac(params, value)) store->mac_ = TRY(make_mac(params));
  return store;
}

Superblock SuperblockStore::get() const {
  const std::lock_guard lock(mutex_);
  return value_;
}

Result<void> SuperblockStore::save(MetaIo& meta) {
  const std::lock_guard lock(mutex_);
  value_.version = superblock_version(value_, place_.mode, place_.has_meta_device);
  const RawSuperblock raw = encode(value_, place_.mode, place_.has_meta_device);
  std::ranges::copy(bytes_of(raw), on_disk_.begin());
  if (mac_) {
    const std::size_t covered = kSectorSize - mac_->digest_size();
    mac_->hash(ByteSpan(on_disk_).first(covered), {},
               MutableByteSpan(on_disk_).subspan(covered, mac_->digest_size()));
  }
  TRY(meta.write(place_.start * kSectorSize, on_disk_));
  TRY(meta.flush());
  saved_ = value_;
  return {};
}

Result<void> SuperblockStore::save_changes(MetaIo& meta) {
  {
    const std::lock_guard lock(mutex_);
    if (saved_ == value_) return {};
  }
  return save(meta);
}

}  // namespace intact::integrity
