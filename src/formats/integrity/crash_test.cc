// What a power cut leaves of devices is opened again and judged. The numbers of states are printed.
// As unit tests these are short; tests/interop/crash-integrity.sh sets SEED and
// INTACT_CRASH_LENGTH.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include <intact/block/testing/crash_states.h>
#include <intact/block/testing/recording_device.h>

#include "block_model.h"
#include "open_device.h"
#include "test_device.h"

namespace intact::integrity {
namespace {

using block::testing::CrashStates;
using block::testing::OperationLog;
using block::testing::RecordingDevice;

unsigned number_from(const char* variable, unsigned otherwise) {
  const char* const text = std::getenv(variable);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

unsigned seed() {
  return number_from("SEED", 1);
}

/// How many times as long as the unit tests.
unsigned length() {
  return number_from("INTACT_CRASH_LENGTH", 1);
}

/// Small in every way: sections of the journal have 8 blocks, areas of data 8 sectors.
Params small(Mode mode, std::uint32_t block_size, std::uint32_t sections) {
  return {.tag_size = 200,
          .mode = mode,
          .block_size = block_size,
          .journal_sectors = sections * (block_size == 512    ? 16u
                                         : block_size == 1024 ? 24u
                                                              : 72u),
          .interleave_sectors = 8,
          .fix_padding = true,
          .journal_watermark = 50,
          .sectors_per_bit = 16,
          .internal_hash = named("crc32c")};
}

IntegrityTarget::Options options() {
  auto options = TestDevice::quiet();
  options.tag_cache_size = 1 << 16;
  options.journal_memory = 0;  // as little as possible: sections are read again
  return options;
}

/// Devices after a crash.
struct Crash {
  Params params;
  Devices devices;
  const BlockModel& model;
  std::size_t position;  ///< in the log
  bool again;            ///< and after another one while they were being recovered
};

std::unique_ptr<IntegrityTarget> reopened(const Params& params, const Devices& devices,
                                          std::size_t position) {
  auto target = IntegrityTarget::open(params, devices, options());
  EXPECT_TRUE(target) << "crash at " << position << ": " << target.error().message();
  return target ? std::move(*target) : nullptr;
}

/// A device under load, logged.
class Workload {
 public:
  Workload(const Params& params, std::size_t size, std::size_t meta_size)
      : params_(params), random_(seed()), log_(std::make_shared<OperationLog>()) {
    const TestDevice device(params, size, meta_size);
    {
      // Filled, and closed as it should be.
      const auto target = device.must_open(options());
      model_ = std::make_unique<BlockModel>(target->size() / params.block_size, params.block_size);
      EXPECT_TRUE(target->write(0, model_->begin_write(0, model_->blocks(), 0)));
      EXPECT_TRUE(target->close());
      model_->flushed(0);
    }
    initial_.push_back(device.data->bytes());
    devices_.data = std::make_shared<RecordingDevice>(initial_[0], log_, 0);
    if (!device.meta) return;
    initial_.push_back(device.meta->bytes());
    devices_.meta = std::make_shared<RecordingDevice>(initial_[1], log_, 1);
  }

  /// Writes here and there or in order, flushes at random, then a clean end.
  void run(unsigned operations, bool in_order) {
    const auto device = open_device(params_, devices_, options(), {});
    ASSERT_TRUE(device) << device.error().message();
    for (unsigned i = 0; i < operations; ++i) {
      const auto what = random_() % 16;
      if (what < 4)
        flush(*device->mode);
      else if (what == 4)
        ASSERT_TRUE(device->mode->work());
      else
        write(*device, what < 8 ? 1 + random_() % 12 : 1, in_order);
    }
    flush(*device->mode);
    ASSERT_TRUE(device->mode->close());
  }

  using Judge = std::function<void(const Crash&)>;
  /// Now and then a state is left to another crash, of the recovery.
  std::size_t for_each_crash(const Judge& judge) const {
    std::size_t count = 0;
    CrashStates states(initial_, *log_,
                       {.exhaustive = 8, .samples = 20 + 10 * length(), .seed = seed()});
    states.for_each([&](std::size_t position, const std::vector<Bytes>& images) {
      if (::testing::Test::HasFailure()) return;
      Crash crash{params_, in_memory(images), *model_, position, false};
      judge(crash);
      if (++count % 400 == 0) count += crash_recovery(crash, images, judge);
    });
    return count;
  }

 private:
  static Devices in_memory(const std::vector<Bytes>& images) {
    Devices devices{.data = std::make_shared<block::MemoryDevice>(images[0])};
    if (images.size() > 1) devices.meta = std::make_shared<block::MemoryDevice>(images[1]);
    return devices;
  }
  static std::size_t crash_recovery(Crash crash, const std::vector<Bytes>& images,
                                    const Judge& judge) {
    const auto log = std::make_shared<OperationLog>();
    Devices devices{.data = std::make_shared<RecordingDevice>(images[0], log, 0)};
    if (images.size() > 1) devices.meta = std::make_shared<RecordingDevice>(images[1], log, 1);
    const auto target = reopened(crash.params, devices, crash.position);
    if (!target) return 0;
    EXPECT_TRUE(target->recalculate());
    EXPECT_TRUE(target->close());
    crash.again = true;
    CrashStates states(images, *log, {.exhaustive = 4, .samples = 5, .seed = seed()});
    return states.for_each([&](std::size_t, const std::vector<Bytes>& left) {
      if (::testing::Test::HasFailure()) return;
      crash.devices = in_memory(left);
      judge(crash);
    });
  }

  void flush(WriteMode& mode) {
    ASSERT_TRUE(mode.flush());
    model_->flushed(log_->operations.size());
  }
  void write(const OpenDevice& device, std::uint64_t most, bool in_order) {
    const std::uint64_t block = (in_order ? next_ : random_()) % model_->blocks();
    const std::uint64_t count = std::min(most, model_->blocks() - block);
    next_ = block + count;
    const Bytes bytes = model_->begin_write(block, count, log_->operations.size());
    Bytes tags(count * device.volume->layout.tag_size());
    device.volume->hash->compute(block, bytes, tags);
    ASSERT_TRUE(device.mode->write(block, bytes, tags));
  }

  Params params_;
  std::mt19937 random_;
  std::uint64_t next_ = 0;  // block behind the last write
  std::shared_ptr<OperationLog> log_;
  std::vector<Bytes> initial_;
  Devices devices_;
  std::unique_ptr<BlockModel> model_;
};

/// Mode J: each block is what some write made it, none that a flush covered is lost.
void judge_journal(const Crash& crash) {
  const auto& [params, devices, model, position, again] = crash;
  const auto target = reopened(params, devices, position);
  if (!target) return;
  Bytes content(model.block_size());
  for (std::uint64_t block = 0; block < model.blocks(); ++block) {
    const auto read = target->read(block * model.block_size(), content);
    ASSERT_TRUE(read) << "crash at " << position << ": " << read.error().message();
    ASSERT_TRUE(model.judge(block, content, position).whole)
        << "crash at " << position << ", block " << block;
  }
}

/// Mode D: the same, but that blocks written since the last flush may fail.
void judge_direct(const Crash& crash) {
  const auto& [params, devices, model, position, again] = crash;
  const auto target = reopened(params, devices, position);
  if (!target) return;
  Bytes content(model.block_size());
  for (std::uint64_t block = 0; block < model.blocks(); ++block) {
    const bool read = target->read(block * model.block_size(), content).has_value();
    const auto verdict = model.judge(block, content, position);
    ASSERT_TRUE(read ? verdict.whole : verdict.uncertain)
        << "crash at " << position << ", block " << block;
  }
}

/// Mode B: blocks that are checked are right; those written since the last flush are not checked,
/// and each of their sectors is what some write made it. Recalculated, all can be read.
void judge_bitmap(const Crash& crash) {
  const auto& [params, devices, model, position, again] = crash;
  const auto target = reopened(params, devices, position);
  if (!target) return;
  Bytes content(model.block_size());
  for (const bool recalculated : {false, true}) {
    if (recalculated) {
      ASSERT_TRUE(target->recalculate());
    }
    for (std::uint64_t block = 0; block < model.blocks(); ++block) {
      std::uint64_t length = model.block_size();
      const bool checked = target->is_checked(block * model.block_size(), length);
      const auto read = target->read(block * model.block_size(), content);
      ASSERT_TRUE(read) << "crash at " << position << ": " << read.error().message();
      const auto verdict = model.judge(block, content, position);
      ASSERT_TRUE(verdict.uncertain || verdict.whole) << "crash at " << position;
      ASSERT_TRUE(checked && !recalculated && !again ? verdict.whole : verdict.mixed)
          << "crash at " << position << ", block " << block;
      ASSERT_TRUE(checked || !recalculated);
    }
  }
}

struct Case {
  std::string name;
  Params params;
  std::size_t size = 72 << 10, meta_size = 0;  // bytes
  unsigned operations = 8;
  bool in_order = false;
};

void run(const std::vector<Case>& cases, const Workload::Judge& judge) {
  std::size_t states = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Workload workload(c.params, c.size, c.meta_size);
    workload.run(c.operations * length(), c.in_order);
    states += workload.for_each_crash(judge);
    if (::testing::Test::HasFailure()) break;
  }
  std::printf("%zu crash states, seed %u\n", states, seed());
}

TEST(IntegrityCrash, JournalLosesAndInventsNothing) {
  Params keyed = small(Mode::journal, 512, 3);
  keyed.fix_hmac = true;
  keyed.journal_mac = named("sha256");
  keyed.journal_crypt = named("ctr(aes)", 16);
  run({{"1 section", small(Mode::journal, 512, 1)},
       {"2 sections", small(Mode::journal, 512, 2)},
       {"3 sections", small(Mode::journal, 512, 3)},
       {"6 sections", small(Mode::journal, 512, 6)},
       {"blocks of 1024", small(Mode::journal, 1024, 3), 96 << 10},
       {"MAC and cipher", keyed, 96 << 10, 0, 4},
       {"metadata device", small(Mode::journal, 512, 3), 16 << 10, 64 << 10}},
      judge_journal);
}

TEST(IntegrityCrash, DirectWritesFailTheirTagsOrAreWhole) {
  run({{"blocks of 512", small(Mode::direct, 512, 1)},
       {"blocks of 4096", small(Mode::direct, 4096, 1), 256 << 10},
       {"metadata device", small(Mode::direct, 1024, 1), 16 << 10, 64 << 10}},
      judge_direct);
}

TEST(IntegrityCrash, BitmapMarksAllThatMayDiffer) {
  Params fine = small(Mode::bitmap, 512, 1);
  fine.sectors_per_bit = 8;
  run({{"blocks of 512", small(Mode::bitmap, 512, 1)},
       {"in order", fine, 128 << 10, 0, 8, true},
       {"blocks of 1024", small(Mode::bitmap, 1024, 2), 96 << 10},
       {"metadata device", small(Mode::bitmap, 512, 1), 16 << 10, 64 << 10}},
      judge_bitmap);
}

}  // namespace
}  // namespace intact::integrity
