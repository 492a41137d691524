#include "journal_store.h"

#include <algorithm>
#include <cstring>

#include <intact/base/checked.h>
#include <intact/crypto/secret.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kPageSizes[] = {4096, 16384, 65536};

}  // namespace

Result<std::unique_ptr<JournalStore>> JournalStore::create(const Params& params,
                                                           const Superblock& superblock,
                                                           const Layout& layout, MetaIo& meta) {
  std::unique_ptr<JournalStore> store(new JournalStore(layout, meta));
  if (params.journal_mac) {
    crypto::MessageFrame frame;
    store->mac_has_section_ = superblock.has(Superblock::fixed_hmac);
    if (store->mac_has_section_) {
      frame.prefix.assign(superblock.salt.begin(), superblock.salt.end());
      frame.head_size = sizeof(le64);
    }
    const std::size_t size = std::size_t{layout.section().entries} * sizeof(le64);
    store->mac_ = TRY(MessageHash::create(*params.journal_mac, size, std::move(frame)));
  }
  if (params.journal_crypt)
    store->cipher_ = TRY(crypto::SectorCipher::create(params.journal_crypt->name,
                                                      params.journal_crypt->key_bytes()));
  store->set_commit_ids(kPageSizes[0]);
  return store;
}

void JournalStore::set_commit_ids(std::uint64_t page_size) {
  for (Sequence q = 0; q < kSequences; ++q) commit_ids_[q] = 0x1111111111111111 * (q + 1);
  if (!is_stream()) return;
  // The journal as the kernel holds it in memory takes whole pages, and the ids follow it.
  const std::uint64_t position = align_up<std::uint64_t>(
      std::uint64_t{sections()} * layout_.section().sectors * kSectorSize, page_size);
  std::array<le64, kSequences> ids;
  for (Sequence q = 0; q < kSequences; ++q) ids[q] = commit_ids_[q];
  Bytes bytes(bytes_of(ids).begin(), bytes_of(ids).end());
  cipher_->xor_keystream(position, bytes);
  for (Sequence q = 0; q < kSequences; ++q) {
    commit_ids_[q] = load<le64>(bytes, q * sizeof(le64)).value().get();
    while (std::find(commit_ids_.begin(), commit_ids_.begin() + q, commit_ids_[q]) !=
           commit_ids_.begin() + q)
      ++commit_ids_[q];
  }
}

Result<void> JournalStore::find_page_size() {
  if (!is_stream()) return {};
  SectionImage image(layout_);
  TRY(read(0, image));
  for (const std::uint64_t page_size : kPageSizes) {
    set_commit_ids(page_size);
    for (std::uint32_t j = 0; j < layout_.section().sectors; ++j)
      if (sequence_of(image, 0, j)) return {};
  }
  set_commit_ids(kPageSizes[0]);
  return {};
}

/// Block ciphers take a section as one message. Its IV is the encrypted number of the section.
Bytes JournalStore::section_iv(std::uint32_t section) const {
  const std::size_t size = cipher_->iv_size();
  Bytes iv(align_up(std::max(size, sizeof(le32)), cipher_->block_size()));
  std::ranges::copy(bytes_of(le32(section)), iv.begin());
  cipher_->encrypt(Bytes(size), iv, iv);
  iv.resize(size);
  return iv;
}

Result<void> JournalStore::read(std::uint32_t section, SectionImage& image) const {
  const MutableByteSpan bytes = image.bytes();
  TRY(meta_.read(layout_.section_start(section) * kSectorSize, bytes));
  if (is_stream())
    cipher_->xor_keystream(bytes.size() * section, bytes);
  else if (cipher_)
    cipher_->decrypt(section_iv(section), bytes, bytes);
  return {};
}

Result<void> JournalStore::write(std::uint32_t section, SectionImage& image, Sequence sequence) {
  for (std::uint32_t j = 0; j < layout_.section().sectors; ++j)
    std::ranges::copy(bytes_of(le64(commit_id(sequence, section, j))),
                      image.sector_bytes(j).subspan(kCommitIdOffset).begin());
  if (mac_) {
    const auto mac = compute_mac(section, image);
    for (std::uint32_t j = 0; j < kEntrySectors; ++j)
      std::ranges::copy(ByteSpan(mac).subspan(j * kSectorMacSize, kSectorMacSize),
                        image.sector_bytes(j).subspan(kSectorMacOffset).begin());
  }
  const std::uint64_t byte = layout_.section_start(section) * kSectorSize;
  const ByteSpan plain = image.bytes();
  if (!cipher_) return meta_.write(byte, plain);
  Bytes encrypted(plain.begin(), plain.end());
  if (is_stream())
    cipher_->xor_keystream(encrypted.size() * section, encrypted);
  else
    cipher_->encrypt(section_iv(section), encrypted, encrypted);
  return meta_.write(byte, encrypted);
}

Result<void> JournalStore::initialize(std::uint32_t first, std::uint32_t count, Sequence sequence) {
  if (count == 0) return {};
  SectionImage empty(layout_);
  for (std::uint32_t i = 0; i < count; ++i) TRY(write(first + i, empty, sequence));
  return meta_.flush();
}

std::optional<Sequence> JournalStore::sequence_of(const SectionImage& image, std::uint32_t section,
                                                  std::uint32_t sector) const {
  le64 stored;
  std::memcpy(&stored, image.sector_bytes(sector).data() + kCommitIdOffset, sizeof stored);
  for (Sequence q = 0; q < kSequences; ++q)
    if (stored.get() == commit_id(q, section, sector)) return q;
  return std::nullopt;
}

std::array<std::byte, 64> JournalStore::compute_mac(std::uint32_t section,
                                                    const SectionImage& image) const {
  Bytes message;
  message.reserve(std::size_t{layout_.section().entries} * sizeof(le64));
  for (std::uint32_t n = 0; n < layout_.section().entries; ++n) {
    const ByteSpan field = image.sector_field(n);
    message.insert(message.end(), field.begin(), field.end());
  }
  const le64 number = section;
  Bytes digest(mac_->digest_size());
  mac_->hash(message, mac_has_section_ ? bytes_of(number) : ByteSpan(), digest);
  std::array<std::byte, 64> mac{};
  std::copy_n(digest.begin(), std::min(digest.size(), mac.size()), mac.begin());
  return mac;
}

bool JournalStore::mac_fits(std::uint32_t section, const SectionImage& image) const {
  if (!mac_) return true;
  std::array<std::byte, 64> stored;
  for (std::uint32_t j = 0; j < kEntrySectors; ++j)
    std::ranges::copy(image.sector_bytes(j).subspan(kSectorMacOffset, kSectorMacSize),
                      stored.begin() + static_cast<std::ptrdiff_t>(j * kSectorMacSize));
  return crypto::equal_secret(stored, compute_mac(section, image));
}

}  // namespace intact::integrity
