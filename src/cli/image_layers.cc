#include "image_layers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <intact/stack/recognise.h>
#include <intact/stack/stack.h>

#include "recognised_integrity.h"

namespace intact::cli {
namespace {

using stack::Content;
using stack::IntegrityLayer;
using stack::VerityLayer;
using Contents = std::vector<Content>;

bool holds(const Contents& contents, std::string_view format) {
  return std::ranges::find(contents, format, &Content::format) != contents.end();
}

struct Found {
  std::vector<stack::AnyLayer> layers;  // from the file up
  std::optional<Error> doubt;           // why they are not to be written to
};

/// Finds the layers of one image from the file up: each is opened, for reading, on those below.
class Finder {
 public:
  Finder(const ImageOptions& options, const stack::File& file)
      : options_(options), stack_(file), place_(options.data + " is") {}

  Result<Found> find() &&;

 private:
  template <typename Kind>
  bool has() const {
    return std::ranges::any_of(found_.layers, [](const stack::AnyLayer& layer) {
      return std::holds_alternative<Kind>(layer);
    });
  }
  Result<Contents> look() const;
  Result<void> push(const Content& content, stack::AnyLayer layer);
  Result<VerityLayer> verity(const Contents& contents) const;
  Result<IntegrityLayer> integrity();
  Result<void> check_plain(const Content& content) const;
  Result<void> check_all_were_met() const;
  Error refuse(const Content& content, const char* advice) const;

  const ImageOptions& options_;
  stack::Stack stack_;
  Found found_;
  std::string place_;  // what lies around the top, as the beginning of a sentence about it
};

Result<Found> Finder::find() && {
  for (;;) {
    const Contents contents = TRY(look());
    const std::string format = contents.empty() ? std::string() : contents[0].format;
    if (format == VerityLayer::kName) {
      TRY(push(contents[0], TRY(verity(contents))));
    } else if (format == IntegrityLayer::kName) {
      TRY(push(contents[0], TRY(integrity())));
    } else {
      TRY(check_all_were_met());
      if (!contents.empty()) TRY(check_plain(contents[0]));
      return std::move(found_);
    }
  }
}

/// What the top holds. A volume's beginning that is damaged is nothing that is known.
Result<Contents> Finder::look() const {
  const bool looks_for_verity = options_.expects_verity() && !has<VerityLayer>();
  std::shared_ptr<block::BlockTarget> where = stack_.top();
  if (looks_for_verity && !options_.hash_device.empty())
    where = TRY(block::FileTarget::open(options_.hash_device, block::Access::read_only));
  auto contents =
      stack::recognise(*where, looks_for_verity ? options_.superblock_at : std::nullopt);
  const bool is_damaged = !contents && contents.error().kind() == ErrorKind::tampered;
  return is_damaged && !looks_for_verity ? Contents() : std::move(contents);
}

Result<void> Finder::push(const Content& content, stack::AnyLayer layer) {
  TRY(stack_.open(layer, options_.data, {}, stack::Writing::never));
  found_.layers.push_back(std::move(layer));
  place_ += fmt::format(" {}, and in it is", content.title);
  return {};
}

Error Finder::refuse(const Content& content, const char* advice) const {
  const std::string as_it_is =
      found_.layers.empty() ? "--format raw opens it as it is"
                            : fmt::format("`intact {} open` opens what is around it, and no more",
                                          stack::name_of(found_.layers[0]));
  return {ErrorKind::unsupported,
          fmt::format("{} {}: {}; {}", place_, content.title, advice, as_it_is)};
}

/// Its root hash has to be given: an image cannot say itself what it should be.
Result<VerityLayer> Finder::verity(const Contents& contents) const {
  if (has<VerityLayer>()) return refuse(contents[0], "there is one root hash, for one of them");
  if (options_.root_hash.empty() && options_.root_hash_file.empty()) {
    if (options_.integrity.names_algorithm() && !holds(contents, IntegrityLayer::kName))
      TRY(check_all_were_met());
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("{} dm-verity (its superblock is at byte {}): give its root hash by "
                    "--root-hash or --root-hash-file; --format raw opens the image unverified",
                    place_, contents[0].offset));
  }
  VerityOptions options = options_;
  options.hash_offset = contents[0].offset;
  VerityLayer layer{.root = TRY(options.root())};
  TRY(options.find_parts(layer, stack_.top()));
  return layer;
}

/// Only the outermost is the one of the options.
Result<IntegrityLayer> Finder::integrity() {
  IntegrityOptions options;
  options.integrity.name.clear();
  if (!has<IntegrityLayer>()) options = options_.integrity;
  options.device = found_.layers.empty()
                       ? options_.data
                       : fmt::format("{}, layer {}", options_.data, found_.layers.size() + 1);
  RecognisedIntegrity found = TRY(recognised_integrity(options, stack_.top()));
  if (!found_.doubt) found_.doubt = std::move(found.doubt);
  return std::move(found.layer);
}

/// Nothing is given out whose bytes are not those of a disk.
Result<void> Finder::check_plain(const Content& content) const {
  for (const char* packed : {"gzip", "xz", "zstd", "bzip2", "zip", "tar"})
    if (content.format == packed) return refuse(content, "no disk image; unpack it first");
  for (const char* volume : {"luks1", "luks2", "qcow2"})
    if (content.format == volume) return refuse(content, "no format that can be opened");
  return {};
}

/// Whoever says how something is to be checked wants it to be checked.
Result<void> Finder::check_all_were_met() const {
  if (options_.expects_verity() && !has<VerityLayer>())
    return Error(ErrorKind::malformed,
                 fmt::format("{} has no dm-verity superblock where one was looked for; see "
                             "--hash-offset",
                             options_.hash_device.empty() ? options_.data : options_.hash_device));
  if (options_.integrity.names_algorithm() && !has<IntegrityLayer>())
    return Error(ErrorKind::malformed, options_.data + " is not dm-integrity");
  return {};
}

}  // namespace

Result<stack::Volume> find_layers(const ImageOptions& options, block::Access access) {
  stack::Volume volume{
      .name = options.data,
      .file = TRY(block::FileTarget::open(options.data, block::Access::read_only))};
  Found found = TRY(Finder(options, volume.file).find());
  volume.layers = std::move(found.layers);
  if (access == block::Access::read_only || is_read_only(volume)) return volume;
  if (found.doubt) return *std::move(found.doubt);
  volume.file.reset();  // and its lock, which others may share
  volume.file = TRY(block::FileTarget::open(options.data, access));
  return volume;
}

}  // namespace intact::cli
