#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <intact/base/file.h>
#include <intact/verity/dm_target.h>

namespace intact::verity {
namespace {

/// A volume on files, and the words for them.
class Volume {
 public:
  Volume(Layout layout, bool one_device) : layout_(std::move(layout)) {
    const auto geometry = Geometry::create(layout_.params).value();
    const std::uint64_t data_size = geometry.data_size();
    if (one_device) {
      const std::uint64_t block = layout_.params.hash_block_size;
      layout_.hash_offset += (data_size + block - 1) / block * block;
    }
    const std::uint64_t hash_end = hash_area_offset(layout_).value() + geometry.hash_size() + 8192;
    data_ = make("data", one_device ? hash_end + (1 << 20) : data_size);
    hash_ = one_device ? data_ : make("hash", hash_end);
    if (layout_.fec) fec_ = make("fec", layout_.fec->offset + (1 << 20));
    for (std::uint64_t at = 0; at < data_size; at += 512)
      EXPECT_TRUE(data_->write(at, Bytes(512, static_cast<std::byte>(at / 512 + 1))));
    root_ = format(layout_, devices(), Uuid{}).value();
  }

  Devices devices() const { return {.data = data_, .hash = hash_, .fec = fec_}; }
  dm::Line line(std::vector<std::string> flags = {}) {
    return make_line({.layout = layout_,
                      .root = root_,
                      .data = names_.add(data_).value(),
                      .hash = names_.add(hash_).value(),
                      .fec = fec_ ? names_.add(fec_).value() : std::string(),
                      .flags = std::move(flags)},
                     devices())
        .value();
  }
  Result<std::shared_ptr<block::Device>> open(const dm::Line& line, dm::Opening opening = {}) {
    return kDmTarget.open(line, names_, opening);
  }
  dm::Names& names() { return names_; }
  const Layout& layout() const { return layout_; }

 private:
  dm::File make(const char* name, std::uint64_t size) const {
    EXPECT_TRUE(write_file_durably(dir_.path(name), Bytes(size), 0600));
    return block::FileDevice::open(dir_.path(name), block::Access::read_write).value();
  }

  TempDir dir_ = TempDir::create().value();
  Layout layout_;
  dm::File data_;
  dm::File hash_;
  dm::File fec_;
  Bytes root_;
  dm::Names names_;
};

Volume any_volume() {
  const std::uint32_t data_block = *rc::gen::element(512u, 1024u, 4096u);
  Layout layout{.params = {.hash_type = *rc::gen::element(HashType::normal, HashType::chrome_os),
                           .hash = *rc::gen::element("sha256", "sha1", "sha512"),
                           .data_block_size = data_block,
                           .hash_block_size = *rc::gen::element(1024u, 4096u),
                           .data_blocks = *rc::gen::inRange<std::uint64_t>(1, 40),
                           .salt = Bytes(*rc::gen::inRange<std::size_t>(0, 64), std::byte{9})},
                .superblock = *rc::gen::arbitrary<bool>()};
  layout.hash_offset = *rc::gen::inRange<std::uint64_t>(0, 3) *
                       (layout.superblock ? 512 : layout.params.hash_block_size);
  if (*rc::gen::arbitrary<bool>()) {
    layout.params.hash_block_size = data_block;
    layout.hash_offset = layout.hash_offset / data_block * data_block;
    layout.fec = Layout::Fec{.roots = *rc::gen::inRange(2u, 25u),
                             .offset = *rc::gen::inRange<std::uint64_t>(0, 20) * 512};
  }
  return Volume(layout, *rc::gen::arbitrary<bool>());
}

TEST(DmTarget, EveryParameterSurvivesTheLine) {
  EXPECT_TRUE(rc::check([] {
    Volume volume = any_volume();
    const dm::Line line = volume.line();
    const dm::Line again = dm::parse_lines(dm::to_text(line)).value().at(0);
    RC_ASSERT(again == line);
    const auto opened = volume.open(again);
    RC_ASSERT((opened ? "" : opened.error().message()) == std::string());
    const Params& params = volume.layout().params;
    RC_ASSERT((*opened)->size() == params.data_blocks * params.data_block_size);
    RC_ASSERT((*opened)->block_size() == params.data_block_size);
    Bytes out((*opened)->size());
    RC_ASSERT((*opened)->read(0, out).has_value());
    for (std::size_t at = 0; at < out.size(); at += 512)
      RC_ASSERT(out[at] == static_cast<std::byte>(at / 512 + 1));
    // Parity that is found is parity that corrects.
    if (!volume.layout().fec) return;
    RC_ASSERT(volume.devices().data->size() >= 512);
    Bytes bad(params.data_block_size, std::byte{0xee});
    RC_ASSERT(std::static_pointer_cast<block::FileDevice>(volume.devices().data)
                  ->write(0, bad)
                  .has_value());
    RC_ASSERT((*opened)->read(0, out).has_value());
    RC_ASSERT(out[0] == std::byte{1});
  }));
}

Layout usual() {
  return {.params = {.data_blocks = 16, .salt = Bytes(2, std::byte{0xab})},
          .fec = Layout::Fec{.roots = 2, .offset = 4096}};
}

TEST(DmTarget, GivesTheKernelWhatVeritysetupLoads) {
  Volume volume(usual(), false);
  const dm::Line line = volume.line({"ignore_zero_blocks"});
  const auto opened = volume.open(line).value();
  const auto kernel_name = [&](std::string_view word) -> Result<std::string> {
    return "7:" + std::string(word.substr(word.size() - 1));
  };
  const auto arguments =
      kDmTarget.kernel_arguments(line, volume.names(), *opened, kernel_name).value();
  const auto table = KernelTable::parse(
      {.target = "verity", .arguments = dm::split_words(arguments.expose_text())});
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->fec->start, 1u);
  EXPECT_EQ(table->flags, std::vector<std::string>{"ignore_zero_blocks"});
  EXPECT_TRUE(arguments.expose_text().starts_with("1 7:"));
}

TEST(DmTarget, DoesNotGiveTheKernelParityBetweenBlocks) {
  Layout layout = usual();
  layout.fec->offset = 512;
  Volume volume(layout, false);
  const dm::Line line = volume.line();
  const auto opened = volume.open(line).value();
  const auto arguments = kDmTarget.kernel_arguments(
      line, volume.names(), *opened, [](std::string_view) { return Result<std::string>("7:0"); });
  ASSERT_FALSE(arguments);
  EXPECT_EQ(arguments.error().kind(), ErrorKind::invalid_argument);
}

TEST(DmTarget, NamesTheArgumentThatIsWrong) {
  Volume volume(usual(), false);
  const dm::Line good = volume.line();
  EXPECT_TRUE(volume.open(good));
  const auto with = [&](std::size_t argument, const char* value) {
    dm::Line line = good;
    line.arguments.at(argument) = value;
    const auto opened = volume.open(line);
    return opened ? std::string() : opened.error().message();
  };
  EXPECT_EQ(with(0, "2"), "verity: argument 1 (version): '2' is not 0 or 1");
  EXPECT_EQ(with(1, "fd:9999"), "'fd:9999' does not name a device");
  EXPECT_EQ(with(3, "x"),
            "verity: argument 4 (data block size): 'x' is not a number up to "
            "4294967295");
  EXPECT_NE(with(3, "4095"), "");
  EXPECT_NE(with(5, "17"), "");
  EXPECT_NE(with(5, "4503599627370496"), "");
  EXPECT_NE(with(6, "18446744073709551615"), "");
  EXPECT_NE(with(7, "sha3"), "");
  EXPECT_EQ(with(8, "00g"), "verity: argument 9 (root digest): '00g' is not hexadecimal or -");
  EXPECT_NE(with(8, "0011"), "");
  EXPECT_EQ(with(10, "9"),
            "verity: argument 11 (number of options): '9' is not the number of words after it, 8");
  EXPECT_EQ(with(11, "use_fec"), "verity: argument 12 (option): 'use_fec' is not an option");
  EXPECT_NE(with(16, "22"), "") << "fec_blocks";
  dm::Line restarting = good;
  restarting.arguments[10] = "9";
  restarting.arguments.emplace_back("restart_on_error");
  EXPECT_EQ(volume.open(restarting).error().message(),
            "verity: restart_on_error: only the kernel can do that");
  EXPECT_TRUE(volume.open(restarting, {.for_kernel = true}));
  dm::Line signed_line = good;
  signed_line.arguments[10] = "10";
  signed_line.arguments.insert(signed_line.arguments.end(), {"root_hash_sig_key_desc", "x"});
  EXPECT_EQ(volume.open(signed_line).error().kind(), ErrorKind::unsupported);
  EXPECT_TRUE(volume.open(signed_line, {.for_kernel = true}));
}

}  // namespace
}  // namespace intact::verity
