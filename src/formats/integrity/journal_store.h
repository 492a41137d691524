#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include <intact/base/endian.h>
#include <intact/crypto/sector_cipher.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>

#include "message_hash.h"
#include "meta_io.h"
#include "section_image.h"

namespace intact::integrity {

/// Numbers of passes over the journal, modulo 4.
using Sequence = unsigned;
constexpr Sequence kSequences = 4;
constexpr Sequence next(Sequence sequence) {
  return (sequence + 1) % kSequences;
}
constexpr Sequence previous(Sequence sequence) {
  return (sequence + kSequences - 1) % kSequences;
}

/// The journal on its device: sections with commit ids, MAC and encryption. Thread-safe, except
/// that a section must not be written by two threads at the same time.
class JournalStore {
 public:
  static Result<std::unique_ptr<JournalStore>> create(const Params& params,
                                                      const Superblock& superblock,
                                                      const Layout& layout, MetaIo& meta);

  std::uint32_t sections() const { return layout_.journal_sections(); }
  const Layout& layout() const { return layout_; }

  Result<void> read(std::uint32_t section, SectionImage& image) const;
  /// Gives the image its commit ids and MAC and writes it. Not flushed.
  Result<void> write(std::uint32_t section, SectionImage& image, Sequence sequence);
  /// Writes empty sections and flushes.
  Result<void> initialize(std::uint32_t first, std::uint32_t count, Sequence sequence);

  /// The sequence whose commit id a sector of a section has.
  std::optional<Sequence> sequence_of(const SectionImage& image, std::uint32_t section,
                                      std::uint32_t sector) const;
  /// Whether the section has its MAC; true if there are none.
  bool mac_fits(std::uint32_t section, const SectionImage& image) const;
  /// Whether the superblock has passed its MAC with the same key: then a MAC that does not match
  /// does not mean a wrong key.
  bool mac_key_is_proven() const { return mac_has_section_; }
  bool is_encrypted() const { return cipher_ != nullptr; }

  /// With a stream cipher the commit ids depend on the page size of the machine that formatted the
  /// device. Takes the page size that matches the journal, if one does.
  Result<void> find_page_size();

 private:
  JournalStore(const Layout& layout, MetaIo& meta) : layout_(layout), meta_(meta) {}
  void set_commit_ids(std::uint64_t page_size);
  std::uint64_t commit_id(Sequence sequence, std::uint32_t section, std::uint32_t sector) const {
    return commit_ids_[sequence] ^ (std::uint64_t{section} << 32 ^ sector);
  }
  std::array<std::byte, 64> compute_mac(std::uint32_t section, const SectionImage& image) const;
  Bytes section_iv(std::uint32_t section) const;
  bool is_stream() const { return cipher_ && cipher_->block_size() == 1; }

  const Layout& layout_;
  MetaIo& meta_;
  std::array<std::uint64_t, kSequences> commit_ids_{};
  std::unique_ptr<const crypto::SectorCipher> cipher_;
  std::unique_ptr<const MessageHash> mac_;
  bool mac_has_section_ = false;
};

}  // namespace intact::integrity
