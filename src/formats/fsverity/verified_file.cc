#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/fsverity/verified_file.h>

#include "hash_tree.h"

namespace intact::fsverity {
namespace {

/// Blocks read and hashed at once: 256 KiB of the default size, and their hashes fit on the stack.
constexpr std::size_t kMaxRun = 64;
constexpr std::size_t kMaxRunBytes = 256 << 10;
/// Files end below this: off_t.
constexpr std::uint64_t kMaxSize = INT64_MAX;

/// Continuous blocks, [first, end).
struct Run {
  std::uint64_t first;
  std::uint64_t end;
  std::uint64_t count() const { return end - first; }
};

using DamageList = std::vector<Damage>;

/// Bad blocks that a scan lists one by one: 1 GiB of them. A sparse file can claim any size, and
/// must not decide how much memory the list of its bad blocks takes.
constexpr std::size_t kMaxListed = std::size_t{1} << 18;

/// What is wrong so far, in order.
struct Findings {
  DamageList blocks;
  std::uint64_t unlisted = 0;  ///< bad blocks beyond kMaxListed
  bool cut = false;            ///< the file was too short: what is missing is one entry
  bool unchecked = false;      ///< the last run had no hashes: such runs in a row are one entry

  void add(Damage block) {
    if (blocks.size() < kMaxListed)
      blocks.push_back(std::move(block));
    else
      ++unlisted;
  }
};

}  // namespace

class VerifiedFile::Impl {
 public:
  Impl(UniqueFd data, std::uint64_t size, const Digest& digest, const Params& params,
       std::shared_ptr<const ByteSource> stored, DamageSink sink, std::shared_ptr<HashCache> cache)
      : data_(std::move(data)),
        size_(size),
        block_size_(params.block_size),
        digest_size_(digest_size(params.algorithm)),
        tree_(data_.get(), size, digest, params, std::move(stored), std::move(cache)),
        sink_(std::move(sink)) {}

  HashTree& tree() { return tree_; }
  std::uint64_t size() const { return size_; }
  std::uint32_t block_size() const { return block_size_; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out);
  Result<DamageList> scan(const Progress& progress);
  void report(const DamageList& damage);
  Damage damaged(std::uint64_t block, std::string reason) const {
    return {
        .range = DamagedRange{.first = block, .offset = block * block_size_, .bytes = block_size_},
        .reason = std::move(reason)};
  }

 private:
  Run next_run(std::uint64_t first, std::uint64_t end) const;
  Damage missing(std::uint64_t block, std::uint64_t actual_size) const {
    return damaged(block,
                   fmt::format("is missing: the file ends at byte {}, not {}", actual_size, size_));
  }
  Result<HashTree::Block> hashes_of(const Run& run);
  Result<void> check_run(const Run& run, const HashTree::Block& hashes, MutableByteSpan buffer,
                         Findings& findings) const;
  Result<void> read_run(const Run& run, const HashTree::Block& hashes, std::uint64_t offset,
                        MutableByteSpan out, Findings& findings) const;
  void scan_run(const Run& run, MutableByteSpan buffer, Findings& findings);
  void add_unchecked(const Run& run, const Error& error, Findings& findings) const;
  bool first_report(std::uint64_t block);
  Result<void> read_and_check(std::uint64_t offset, MutableByteSpan out);

  UniqueFd data_;
  std::uint64_t size_;
  std::uint32_t block_size_;
  std::size_t digest_size_;
  HashTree tree_;
  DamageSink sink_;
  std::mutex reported_mutex_;
  RecentNumbers reported_;  ///< the sink has heard of these
};

/// Blocks from `first` on, before `end`, whose hashes are in one hash block.
Run VerifiedFile::Impl::next_run(std::uint64_t first, std::uint64_t end) const {
  const std::uint64_t per_block = tree_.geometry().hashes_per_block();
  const std::uint64_t most = std::clamp<std::uint64_t>(kMaxRunBytes / block_size_, 1, kMaxRun);
  return {first, std::min({end, first + most, (first / per_block + 1) * per_block})};
}

/// Null for a file of one block: its hash is the root itself.
Result<HashTree::Block> VerifiedFile::Impl::hashes_of(const Run& run) {
  if (tree_.geometry().levels().empty()) return HashTree::Block();
  return tree_.leaf(run.first / tree_.geometry().hashes_per_block());
}

/// Reads a run into `buffer` (whole blocks, zero-padded after the end of the file) and checks it.
/// io if the read fails.
Result<void> VerifiedFile::Impl::check_run(const Run& run, const HashTree::Block& hashes,
                                           MutableByteSpan buffer, Findings& findings) const {
  const std::uint64_t offset = run.first * block_size_;
  const auto want =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - offset));
  auto got = pread_up_to(data_.get(), offset, buffer.first(want));
  if (!got) return std::move(got).error().with_context(fmt::format("at byte {}", offset));
  const std::uint64_t complete = *got == want ? run.count() : *got / block_size_;
  std::ranges::fill(buffer.subspan(*got), std::byte{0});

  std::array<std::byte, kMaxRun * 64> computed;
  const MutableByteSpan digests = MutableByteSpan(computed).first(complete * digest_size_);
  tree_.hasher().hash(buffer.first(complete * block_size_), digests);
  for (std::uint64_t i = 0; i < complete; ++i) {
    const ByteSpan digest = digests.subspan(i * digest_size_, digest_size_);
    const std::uint64_t block = run.first + i;
    const std::uint64_t slot = block % tree_.geometry().hashes_per_block();
    const bool good =
        hashes ? equal(digest, ByteSpan(*hashes).subspan(slot * digest_size_, digest_size_))
               : tree_.is_root(digest);
    if (!good) findings.add(damaged(block, "does not match its hash"));
  }
  if (complete < run.count() && !std::exchange(findings.cut, true))
    findings.add(missing(run.first + complete, offset + *got));
  return {};
}

/// Notes that hashes to check `run` against are missing.
void VerifiedFile::Impl::add_unchecked(const Run& run, const Error& error,
                                       Findings& findings) const {
  if (std::exchange(findings.unchecked, true)) return;
  findings.add(damaged(run.first, "cannot be checked: " + error.message()));
}

/// Fills the part of `out` (which is to hold the file from byte `offset` on) that `run` covers.
/// Blocks that are completely within it are read in place, others through a buffer.
Result<void> VerifiedFile::Impl::read_run(const Run& run, const HashTree::Block& hashes,
                                          std::uint64_t offset, MutableByteSpan out,
                                          Findings& findings) const {
  const std::uint64_t end = offset + out.size();
  for (std::uint64_t block = run.first; block < run.end;) {
    const std::uint64_t start = block * block_size_;
    const std::uint64_t whole_end = std::min(run.end, end / block_size_);
    if (start >= offset && block < whole_end) {
      const Run whole{block, whole_end};
      TRY(check_run(whole, hashes, out.subspan(start - offset, whole.count() * block_size_),
                    findings));
      block = whole_end;
      continue;
    }
    Bytes buffer(block_size_);
    TRY(check_run({block, block + 1}, hashes, buffer, findings));
    const std::uint64_t from = std::max(offset, start);
    const std::uint64_t to = std::min(end, start + block_size_);
    std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(from - start), to - from,
                out.begin() + static_cast<std::ptrdiff_t>(from - offset));
    ++block;
  }
  return {};
}

Result<void> VerifiedFile::Impl::read(std::uint64_t offset, MutableByteSpan out) {
  if (offset > size_ || size_ - offset < out.size())
    return Error(ErrorKind::malformed, fmt::format("bytes {}+{} are beyond the end ({} bytes)",
                                                   offset, out.size(), size_));
  if (out.empty()) return {};
  auto done = read_and_check(offset, out);
  if (!done) std::ranges::fill(out, std::byte{0});
  return done;
}

Result<void> VerifiedFile::Impl::read_and_check(std::uint64_t offset, MutableByteSpan out) {
  const std::uint64_t end = (offset + out.size() - 1) / block_size_ + 1;
  Findings findings;
  // Goes on after damage: a repair needs to know all of it.
  for (std::uint64_t block = offset / block_size_; block < end;) {
    const Run run = next_run(block, end);
    auto hashes = hashes_of(run);
    if (hashes) {
      TRY(read_run(run, *hashes, offset, out, findings));
      findings.unchecked = false;
    } else if (hashes.error().kind() == ErrorKind::tampered) {
      add_unchecked(run, hashes.error(), findings);
    } else {
      return std::move(hashes).error();
    }
    block = run.end;
  }
  if (findings.blocks.empty()) return {};
  report(findings.blocks);
  const Damage& first = findings.blocks.front();
  const std::size_t others = findings.blocks.size() - 1;
  return Error(ErrorKind::tampered,
               fmt::format("block {} (byte {}) {}{}", first.range->first, first.range->offset,
                           first.reason, others ? fmt::format(" ({} more are bad)", others) : ""));
}

void VerifiedFile::Impl::report(const DamageList& damage) {
  if (!sink_) return;
  for (const Damage& one : damage)
    if (first_report(one.range->first)) sink_(one);
}

bool VerifiedFile::Impl::first_report(std::uint64_t block) {
  const std::lock_guard lock(reported_mutex_);
  return reported_.add(block);
}

/// One run, with blocks that cannot be read told apart from those that can.
void VerifiedFile::Impl::scan_run(const Run& run, MutableByteSpan buffer, Findings& findings) {
  const auto hashes = hashes_of(run);
  if (!hashes) return add_unchecked(run, hashes.error(), findings);
  findings.unchecked = false;
  const auto space = [&](std::uint64_t blocks) { return buffer.first(blocks * block_size_); };
  // A read that fails adds nothing to the findings.
  if (check_run(run, *hashes, space(run.count()), findings)) return;
  for (std::uint64_t block = run.first; block < run.end; ++block) {
    const auto read = check_run({block, block + 1}, *hashes, space(1), findings);
    if (!read) findings.add(damaged(block, "cannot be read: " + read.error().message()));
  }
}

Result<DamageList> VerifiedFile::Impl::scan(const Progress& progress) {
  const std::uint64_t actual = TRY(file_size(data_.get()));
  const std::uint64_t blocks = tree_.geometry().data_blocks();
  Findings findings;
  Bytes buffer(next_run(0, blocks).count() * block_size_);
  // If the file is too short, the missing part is not read block by block: it may be long.
  const std::uint64_t complete = actual < size_ ? actual / block_size_ : blocks;
  for (std::uint64_t block = 0; block < complete;) {
    const Run run = next_run(block, complete);
    scan_run(run, buffer, findings);
    block = run.end;
    if (progress) progress(std::min(block * block_size_, size_), size_);
  }
  if (actual < size_ && !findings.cut) findings.add(missing(complete, actual));
  if (actual > size_)
    findings.add({.range = DamagedRange{.first = blocks, .offset = size_, .bytes = actual - size_},
                  .reason = fmt::format("does not belong here: the file has {} bytes, "
                                        "not {}",
                                        actual, size_)});
  if (findings.unlisted > 0)
    findings.blocks.back().reason +=
        fmt::format("; {} more are bad, which are not listed", findings.unlisted);
  return std::move(findings.blocks);
}

VerifiedFile::VerifiedFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VerifiedFile::~VerifiedFile() = default;

Result<std::unique_ptr<VerifiedFile>> VerifiedFile::open(UniqueFd data, std::uint64_t expected_size,
                                                         const Digest& digest,
                                                         std::shared_ptr<const ByteSource> tree,
                                                         DamageSink sink,
                                                         std::shared_ptr<HashCache> cache) {
  return open(std::move(data), expected_size, digest, std::move(tree), std::move(sink), Layout(),
              std::move(cache));
}

Result<std::unique_ptr<VerifiedFile>> VerifiedFile::open(UniqueFd data, std::uint64_t expected_size,
                                                         const Digest& digest,
                                                         std::shared_ptr<const ByteSource> tree,
                                                         DamageSink sink, const Layout& layout,
                                                         std::shared_ptr<HashCache> cache) {
  const Params params{
      .algorithm = digest.algorithm(), .block_size = layout.block_size, .salt = layout.salt};
  TRY(check_params(params));
  if (expected_size > kMaxSize)
    return Error(ErrorKind::limit, fmt::format("no file can have {} bytes", expected_size));
  const std::uint64_t actual = TRY(file_size(data.get()));
  const bool has_tree = tree != nullptr;
  // Files of one block have no hash blocks to keep.
  if (!cache && expected_size > layout.block_size) cache = std::make_shared<HashCache>();
  auto impl = std::make_unique<Impl>(std::move(data), expected_size, digest, params,
                                     std::move(tree), std::move(sink), std::move(cache));
  const auto refuse = [&](std::uint64_t byte, std::string reason) {
    const std::uint64_t block = byte / layout.block_size;
    impl->report({impl->damaged(block, reason)});
    return Error(ErrorKind::tampered, std::move(reason));
  };
  if (actual != expected_size)
    return refuse(std::min(actual, expected_size),
                  fmt::format("the file has {} bytes, not {}", actual, expected_size));
  if (expected_size == 0) {
    const std::array<std::byte, 64> zero{};
    if (!impl->tree().is_root(ByteSpan(zero).first(digest_size(digest.algorithm()))))
      return refuse(0, "the file is empty, but its digest is not that of an empty file");
  }
  if (!has_tree && !impl->tree().geometry().levels().empty()) {
    auto built = impl->tree().build();
    if (!built && built.error().kind() == ErrorKind::tampered)
      return refuse(0, built.error().message() +
                           "; the damaged block cannot be located without a stored hash tree");
    TRY(std::move(built));
  }
  return std::unique_ptr<VerifiedFile>(new VerifiedFile(std::move(impl)));
}

std::uint64_t VerifiedFile::size() const {
  return impl_->size();
}
std::uint32_t VerifiedFile::block_size() const {
  return impl_->block_size();
}

Result<void> VerifiedFile::read(std::uint64_t offset, MutableByteSpan out) const {
  return impl_->read(offset, out);
}

Result<std::vector<Damage>> VerifiedFile::scan(const Progress& progress) const {
  return impl_->scan(progress);
}

std::uint64_t VerifiedFile::refused_hash_blocks() const {
  return impl_->tree().refused();
}

Result<std::vector<Damage>> scan_file(UniqueFd data, std::uint64_t expected_size,
                                      const Digest& digest, std::shared_ptr<const ByteSource> tree,
                                      const Progress& progress) {
  std::optional<Damage> refusal;
  auto file = VerifiedFile::open(std::move(data), expected_size, digest, std::move(tree),
                                 [&](const Damage& damage) { refusal = damage; });
  if (!file && refusal) return std::vector{*refusal};
  return TRY(std::move(file))->scan(progress);
}

}  // namespace intact::fsverity
