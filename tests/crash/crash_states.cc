#include "crash_states.h"

#include <random>

#include <fmt/format.h>

namespace intact::crash {
namespace {

/// Whether a sync that comes after `operation` makes it durable.
bool covers(const Operation& sync, const Operation& operation) {
  if (sync.kind == Operation::Kind::sync_all) return true;
  if (sync.kind != Operation::Kind::sync_inode) return false;
  if (operation.is_data()) return sync.inode == operation.inode;
  return sync.inode == operation.directory ||
         (operation.kind == Operation::Kind::rename && sync.inode == operation.to_directory);
}

std::vector<bool> find_durable(const std::vector<Operation>& operations, std::size_t done) {
  std::vector<bool> durable(done);
  for (std::size_t i = 0; i < done; ++i) {
    for (std::size_t j = i + 1; j < done && !durable[i]; ++j)
      durable[i] = operations[j].is_sync() && covers(operations[j], operations[i]);
  }
  return durable;
}

void drop(const Operation& operation, Disk& disk) {
  if (operation.kind == Operation::Kind::create) disk.make_inode(operation);
}

/// A write of which a part came to the disk; the file may have grown all the same.
void tear(Operation write, std::mt19937_64& random, Disk& disk) {
  constexpr std::size_t kSector = 512;
  switch (random() % 3) {
    case 0:
      write.data.resize(random() % (write.data.size() / kSector + 1) * kSector);
      break;
    case 1:
      write.data.assign(write.data.size(), '\0');
      break;
    default: {
      // One sector has what was there before this file.
      const std::size_t at = random() % write.data.size() / kSector * kSector;
      for (std::size_t i = at; i < std::min(at + kSector, write.data.size()); ++i)
        write.data[i] = static_cast<char>(0xa5);
    }
  }
  disk.apply(write);
}

void apply_random(const Operation& operation, double keep, std::mt19937_64& random, Disk& disk) {
  const bool kept = std::uniform_real_distribution<>(0, 1)(random) < keep;
  if (operation.kind == Operation::Kind::write && !operation.data.empty() && random() % 4 == 0)
    return tear(operation, random, disk);
  kept ? disk.apply(operation) : drop(operation, disk);
}

}  // namespace

std::string to_string(Loss loss) {
  switch (loss) {
    case Loss::nothing:
      return "nothing lost";
    case Loss::everything:
      return "everything lost that was not synced";
    case Loss::contents:
      return "contents lost";
    case Loss::zeros:
      return "contents lost, zeros in their place";
    case Loss::random:
      return "random losses";
  }
  return "";
}

std::string CrashPoint::text(const std::vector<Operation>& operations) const {
  return fmt::format("after {} of {} operations{}, {}{}", done, operations.size(),
                     done > 0 ? " (" + operations[done - 1].text + ")" : "", to_string(loss),
                     loss == Loss::random ? fmt::format(" (seed {})", seed) : "");
}

Disk crash_state(const Disk& before, const std::vector<Operation>& operations,
                 const CrashPoint& point) {
  const std::vector<bool> durable = find_durable(operations, point.done);
  std::mt19937_64 random(point.seed);
  // Few losses find other mistakes than many.
  const double keep = std::uniform_real_distribution<>(0.02, 0.98)(random);
  Disk disk = before;
  for (std::size_t i = 0; i < point.done; ++i) {
    const Operation& operation = operations[i];
    if (durable[i] || point.loss == Loss::nothing) {
      disk.apply(operation);
    } else if (point.loss == Loss::random) {
      apply_random(operation, keep, random, disk);
    } else if (point.loss == Loss::everything) {
      drop(operation, disk);
    } else if (operation.kind != Operation::Kind::write) {
      disk.apply(operation);
    } else if (point.loss == Loss::zeros) {
      Operation zeros = operation;
      zeros.data.assign(zeros.data.size(), '\0');
      disk.apply(zeros);
    }
  }
  return disk;
}

}  // namespace intact::crash
