#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "journal_store.h"
#include "volume.h"

namespace intact::integrity {

/// The journal of an open device: the ring of its sections of which some are being filled
/// (uncommitted), some are on disk but their blocks not in place yet (committed), some have theirs
/// in place but not durably so (placed), and the rest are free. Those that are not free are in
/// memory; the newest entry of a block that is not in place is what the block reads as.
/// Thread-safe.
class JournalRing {
 public:
  JournalRing(Volume& volume, std::unique_ptr<JournalStore> store);

  /// Takes over a section that is on disk, with the blocks that the device has. Oldest first.
  void adopt(std::uint32_t section, SectionImage image);
  /// The section that is written next, and the sequence that it gets.
  void go_on(std::uint32_t section, Sequence sequence);
  /// Empties the journal on disk, of which nothing may be in memory, and begins at its front. In
  /// such an order that a crash meanwhile leaves nothing to replay.
  Result<void> erase(std::uint32_t first, Sequence sequence);

  /// Takes as many of the blocks as there is room for and returns how many those were. `tags` may
  /// be empty: zeros.
  std::uint64_t insert(std::uint64_t block, ByteSpan blocks, ByteSpan tags);

  struct Run {
    std::uint64_t blocks;
    bool journaled;  ///< they were copied; else they are to be read from their places
  };
  /// How many of the blocks (as many as fit into `out`) are alike, and if the journal has them
  /// copies them, with their tags unless `tags` is empty.
  Run copy(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags) const;

  /// Writes sections that are full, which leaves less to do for commit(). Not flushed.
  Result<void> write_full();
  /// All that was inserted survives a power cut when this returns.
  Result<void> commit();
  /// All that was committed is in place. Its sections get free with the next commit, whose flush
  /// does for both.
  Result<void> write_back();
  /// Makes what is in place durable, and its sections free.
  Result<void> reclaim();
  /// All of this, and leaves an empty journal on disk.
  Result<void> close();

  /// So many entries wait to be committed or written back that they should be.
  bool above_watermark() const;
  bool has_full() const;       ///< whether write_full() has anything to do
  bool has_committed() const;  ///< whether write_back() has
  std::uint64_t free_entries() const;
  std::uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }
  /// When the oldest block that is not committed was inserted, if there is one.
  std::optional<std::chrono::steady_clock::time_point> uncommitted_since() const;

  JournalStore& store() { return *store_; }

 private:
  struct Section {
    std::uint32_t index;
    SectionImage image;
    std::uint32_t filled;  // entries that are taken
  };
  struct Place {
    Section* section;
    std::uint32_t entry;
  };
  struct Placement {
    std::uint64_t block;
    std::uint64_t age;  // the larger, the newer
    Place place;
  };

  Section* section_with_room();
  std::uint64_t free_entries_locked() const;
  std::vector<Section*> some_sections(std::size_t from, std::size_t to);
  std::size_t placed_sections() const;
  std::size_t full_sections_locked() const;
  Result<void> write_sections(const std::vector<Section*>& batch);
  Result<void> commit_locked();
  Result<void> write_back_locked();
  Result<void> reclaim_locked(std::size_t placed);
  std::vector<Placement> newest_entries(const std::vector<Section*>& sections) const;
  Result<void> put_in_place(const std::vector<Placement>& entries);
  void forget(const Placement* first, std::size_t count);

  Volume& volume_;
  const std::unique_ptr<JournalStore> store_;
  const std::uint64_t section_entries_;
  std::uint64_t threshold_;  // free entries at which it is written back

  // Taken before mutex_: one thread writes back, and one commits. They do not wait for each other,
  // since a flush must not wait for what is being put in place.
  std::mutex write_back_mutex_;
  std::mutex commit_mutex_;
  Sequence sequence_ = 0;
  bool wrote_ = false;  // sections on disk that have entries

  mutable std::shared_mutex mutex_;
  std::deque<Section> sections_;  // not free; the oldest in front
  std::size_t placed_ = 0;        // of those, in front; gets less under commit_mutex_ only
  std::size_t committed_ = 0;     // behind them; gets less under write_back_mutex_ only
  std::size_t written_ = 0;  // behind those, full and on disk but not flushed; see commit_mutex_
  bool open_ = false;        // the last one takes entries
  std::uint32_t next_section_ = 0;
  std::vector<SectionImage> spare_;
  std::map<std::uint64_t, Place> newest_;  // by block
  std::optional<std::chrono::steady_clock::time_point> uncommitted_since_;
  std::atomic<bool> has_entries_ = false;
  std::atomic<std::uint64_t> commits_ = 0;
};

}  // namespace intact::integrity
