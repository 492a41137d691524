// The n-th read, write or flush of a device fails, for every n.
#include <gtest/gtest.h>

#include <intact/block/testing/faulty_device.h>

#include "block_model.h"
#include "test_device.h"

namespace intact::integrity {
namespace {

using block::testing::Fault;
using block::testing::FaultyDevice;

Params small(Mode mode) {
  return {.tag_size = 200,
          .mode = mode,
          .journal_sectors = 48,
          .interleave_sectors = 8,
          .fix_padding = true,
          .sectors_per_bit = 16,
          .internal_hash = named("crc32c"),
          .allow_discards = true};
}

/// What became of a workload on a device that fails.
struct Outcome {
  bool opened = false;
  unsigned errors = 0;
  unsigned successes_after_a_flush_failed = 0;
};

Outcome run(const Params& params, const Devices& devices, BlockModel& model) {
  Outcome outcome;
  // Positions of the model are numbers of operations here.
  std::size_t step = 1;
  auto options = TestDevice::quiet();
  options.check_key = false;  // it goes on where data cannot be read
  const auto target = IntegrityTarget::open(params, devices, options);
  if (!target) {
    outcome.errors = 1;
    return outcome;
  }
  outcome.opened = true;
  std::mt19937 random(5);
  bool flush_failed = false;
  const auto note = [&](const Result<void>& result) {
    ++step;
    if (!result) ++outcome.errors;
    if (result && flush_failed) ++outcome.successes_after_a_flush_failed;
  };
  Bytes out(params.block_size);
  for (int i = 0; i < 40; ++i) {
    const std::uint64_t block = random() % model.blocks();
    const auto what = random() % 8;
    if (what == 0) {
      const auto flushed = (*target)->flush();
      note(flushed);
      if (flushed) model.flushed(step);
      flush_failed = flush_failed || !flushed;
    } else if (what == 1) {
      note((*target)->read(block * params.block_size, out));
    } else {
      const auto written =
          (*target)->write(block * params.block_size, model.begin_write(block, 1, step));
      if (!written) model.write_failed(block, 1);
      note(written);
    }
  }
  const auto closed = (*target)->close();
  note(closed);
  if (closed) model.flushed(step);
  return outcome;
}

void fail_each_operation(Mode mode, bool for_ever) {
  const Params params = small(mode);
  const TestDevice good(params, 72 << 10);
  std::uint64_t operations = 0;
  for (std::uint64_t n = 0;; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    const TestDevice device = good.copy();
    const std::uint64_t blocks = good.must_open()->size() / params.block_size;
    BlockModel model(blocks, params.block_size);
    {
      const auto target = device.must_open();
      ASSERT_TRUE(target->write(0, model.begin_write(0, blocks, 0)));
      ASSERT_TRUE(target->close());
      model.flushed(0);
    }
    const auto fault = std::make_shared<Fault>(Fault{.fail_at = n, .for_ever = for_ever});
    const Outcome outcome =
        run(params, {std::make_shared<FaultyDevice>(device.data, fault)}, model);
    if (n == 0) {
      // The twin: nothing fails, and so many operations there are.
      operations = fault->done;
      ASSERT_EQ(outcome.errors, 0u);
    } else if (n > operations) {
      break;
    } else {
      ASSERT_GT(outcome.errors, 0u) << "somebody hears of every failure";
      ASSERT_EQ(outcome.successes_after_a_flush_failed, 0u);
    }
    // Opened again, with devices that work: nothing that was acknowledged is lost.
    const auto target = device.open();
    ASSERT_TRUE(target) << target.error().message();
    Bytes content(params.block_size);
    for (std::uint64_t block = 0; block < blocks; ++block) {
      const bool read = (*target)->read(block * params.block_size, content).has_value();
      const auto verdict = model.judge(block, content, 1000);
      ASSERT_TRUE(read || (mode == Mode::direct && verdict.uncertain)) << "block " << block;
      ASSERT_TRUE(!read || (mode == Mode::bitmap ? verdict.mixed : verdict.whole))
          << "block " << block;
    }
  }
  EXPECT_GT(operations, 50u);
}

TEST(IntegrityFaults, OfModeJ) {
  fail_each_operation(Mode::journal, false);
  fail_each_operation(Mode::journal, true);
}

TEST(IntegrityFaults, OfModeD) {
  fail_each_operation(Mode::direct, false);
  fail_each_operation(Mode::direct, true);
}

TEST(IntegrityFaults, OfModeB) {
  fail_each_operation(Mode::bitmap, false);
  fail_each_operation(Mode::bitmap, true);
}

}  // namespace
}  // namespace intact::integrity
