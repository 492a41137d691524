#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

#include <intact/crypto/hash.h>

#include "journal_store.h"
#include "volume.h"

namespace intact::integrity {

/// The journal of an open device: a ring of sections. Some are being filled (uncommitted), some are
/// on disk but their blocks are not in place yet (committed), some have their blocks in place but
/// not durably (placed), and the rest are free. A block that is not in place reads as its newest
/// entry. Where the entries are is always known; of the sections as many are in memory as `memory`
/// has room for. Others are read from disk again when they are needed, and must not have changed.
/// Thread-safe.
class JournalRing {
 public:
  /// `memory`: bytes for sections; while blocks are put in place, half as much again.
  JournalRing(Volume& volume, std::unique_ptr<JournalStore> store, std::size_t memory);

  /// Takes over a section that is on disk. To be called for the oldest first.
  void adopt(std::uint32_t section, SectionImage image);
  /// Whether a block is in the journal and not in place.
  bool holds(std::uint64_t block) const;
  /// Sets the section that is written next, and its sequence.
  void go_on(std::uint32_t section, Sequence sequence);
  /// Empties the journal on disk, no part of which may be in memory, and starts at its beginning.
  /// The order of writes makes sure that a crash leaves nothing to replay.
  Result<void> erase(std::uint32_t first, Sequence sequence);

  /// Takes as many of the blocks as there is room for and returns their number. Empty `tags` mean
  /// zeros. If it takes none although there are free entries, full sections take all the memory:
  /// write_full() makes room.
  std::uint64_t insert(std::uint64_t block, ByteSpan blocks, ByteSpan tags);

  struct Run {
    enum class Kind {
      in_place,   ///< not in the journal: they must be read from their places
      journaled,  ///< they were copied
      changed,    ///< the journal has them, and has changed on disk since it was written or read
    };
    std::uint64_t blocks;
    Kind kind;
  };
  /// Counts the leading blocks (at most as many as fit into `out`) of one kind. Copies those in the
  /// journal, with their tags unless `tags` is empty.
  Result<Run> copy(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags);

  /// Writes full sections, so that commit() has less to do. Does not flush.
  Result<void> write_full();
  /// When this returns, all that was inserted before survives a power cut.
  Result<void> commit();
  /// Puts all that was committed in place. The next commit makes its sections free, since one flush
  /// serves both.
  Result<void> write_back();
  /// Makes what is in place durable and frees its sections.
  Result<void> reclaim();
  /// Does all of the above and leaves an empty journal on disk.
  Result<void> close();

  /// Whether enough entries are waiting that they should be committed or written back.
  bool above_watermark() const;
  bool has_full() const;       ///< whether write_full() has anything to do
  bool has_committed() const;  ///< whether write_back() has
  std::uint64_t free_entries() const;
  std::uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }
  /// When the oldest block that is not committed was inserted, if there is one.
  std::optional<std::chrono::steady_clock::time_point> uncommitted_since() const;

  JournalStore& store() { return *store_; }

 private:
  using Image = std::shared_ptr<SectionImage>;
  struct Section {
    std::uint32_t index;
    std::uint64_t number;               // never used again, other than index and address
    Image image;                        // null: only on disk
    std::uint32_t filled;               // entries that are taken
    std::optional<Digest> digest = {};  // of an image that may be read again
    std::optional<std::list<Section*>::iterator> place = {};  // in can_go_
  };
  struct Pinned {
    Section* section;
    Image image;
  };
  struct Place {
    Section* section;
    std::uint32_t entry;
  };
  struct Placement {
    std::uint64_t block;
    std::uint64_t age;  // larger is newer
    Place place;
    const SectionImage* image;
  };

  Section* section_with_room();
  Image free_image();
  void drop_image(Section& section);
  void drop_surplus();
  void may_go(Section& section);
  void set_digest(Section& section) const;
  std::uint64_t copy_entries(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags) const;
  Result<Image> read_again(std::uint32_t index) const;
  Result<std::vector<Pinned>> pin(const std::vector<Section*>& sections) const;
  Result<void> put_in_place(const std::vector<Section*>& batch);
  std::uint64_t free_entries_locked() const;
  std::vector<Section*> some_sections(std::size_t from, std::size_t to);
  std::size_t placed_sections() const;
  std::size_t full_sections_locked() const;
  Result<void> write_sections(const std::vector<Section*>& batch);
  Result<void> commit_locked();
  Result<void> write_back_locked();
  Result<void> reclaim_locked(std::size_t placed);
  std::vector<Placement> newest_entries(const std::vector<Pinned>& sections) const;
  void forget(const Placement* first, std::size_t count);

  Volume& volume_;
  const std::unique_ptr<JournalStore> store_;
  const std::uint64_t section_entries_;
  const std::size_t max_images_;
  const bool is_bounded_;    // not all sections of the journal fit into memory
  std::uint64_t threshold_;  // free entries at which it is written back

  // Taken before mutex_: one thread writes back, and one commits. They do not wait for each other,
  // since a flush must not wait for what is being put in place.
  std::mutex write_back_mutex_;
  std::mutex commit_mutex_;
  Sequence sequence_ = 0;
  bool wrote_ = false;  // sections on disk that have entries

  mutable std::shared_mutex mutex_;
  std::deque<Section> sections_;  // not free; the oldest first
  std::size_t placed_ = 0;        // the first of these; decreases only under commit_mutex_
  std::size_t committed_ = 0;     // those after them; decreases only under write_back_mutex_
  std::size_t written_ = 0;       // after those: full and on disk, not flushed; see commit_mutex_
  bool open_ = false;             // the last one takes entries
  std::uint32_t next_section_ = 0;
  std::uint64_t next_number_ = 0;
  std::size_t images_ = 0;      // of sections_, at most max_images_ with those in spare_
  std::list<Section*> can_go_;  // their images are on disk too; the first goes first
  std::vector<Image> spare_;
  std::map<std::uint64_t, Place> newest_;  // by block
  std::optional<std::chrono::steady_clock::time_point> uncommitted_since_;
  std::atomic<bool> has_entries_ = false;
  std::atomic<std::uint64_t> commits_ = 0;
};

}  // namespace intact::integrity
