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
using Contents = std::vector<Content>;

constexpr std::string_view kVerity = "verity";
constexpr std::string_view kIntegrity = "integrity";

bool holds(const Contents& contents, std::string_view format) {
  return std::ranges::find(contents, format, &Content::format) != contents.end();
}

/// Finds the layers of an image from the file up. Each is opened for reading on those below.
class Finder {
 public:
  Finder(const ImageOptions& options, dm::File file, DeviceFiles& files)
      : options_(options),
        files_(files),
        plan_{.name = options.data, .file = std::move(file)},
        stack_(plan_.file),
        place_(options.data) {}

  Result<stack::Plan> find() &&;
  const std::optional<Error>& doubt() const { return doubt_; }

 private:
  bool has(std::string_view target) const {
    return std::ranges::any_of(
        plan_.tables, [target](const dm::Table& table) { return table.lines[0].target == target; });
  }
  Result<Contents> look();
  Result<void> open_next(const Content& content);
  Result<void> add_verity(const Contents& contents);
  Result<void> add_integrity();
  Result<void> check_plain(const Content& content) const;
  Result<void> check_all_were_met() const;
  Error refuse(const Content& content, const char* advice) const;

  const ImageOptions& options_;
  DeviceFiles& files_;  // opened once: what is probed is what is opened
  stack::Plan plan_;
  stack::Stack stack_;
  std::optional<Error> doubt_;  // why writing is refused
  std::string
      place_;  // the image, and the layers around the current one: "disk.img (in dm-verity)"
};

Result<stack::Plan> Finder::find() && {
  for (;;) {
    const Contents contents = TRY(look());
    const std::string format = contents.empty() ? std::string() : contents[0].format;
    if (format == kVerity) {
      TRY(add_verity(contents));
    } else if (format == kIntegrity) {
      TRY(add_integrity());
    } else {
      TRY(check_all_were_met());
      if (!contents.empty()) TRY(check_plain(contents[0]));
      return std::move(plan_);
    }
    TRY(open_next(contents[0]));
  }
}

/// What the top contains. A volume whose beginning is damaged contains no known format.
Result<Contents> Finder::look() {
  const bool looks_for_verity = options_.expects_verity() && !has(kVerity);
  std::shared_ptr<block::Device> where = stack_.top();
  if (looks_for_verity && !options_.hash_device.empty())
    if (const dm::File hash = TRY(files_.open(options_.hash_device)); hash != plan_.file)
      where = hash;
  auto contents =
      stack::recognise(*where, looks_for_verity ? options_.superblock_at : std::nullopt);
  const bool is_damaged = !contents && contents.error().kind() == ErrorKind::tampered;
  return is_damaged && !looks_for_verity ? Contents() : std::move(contents);
}

/// Opens the table that was added, to see what is in it.
Result<void> Finder::open_next(const Content& content) {
  TRY(stack_.open(plan_.tables.back(), plan_.names, options_.data, {}, stack::Writing::never));
  place_ = fmt::format("{} (in {})", options_.data, content.title);
  return {};
}

Error Finder::refuse(const Content& content, const char* advice) const {
  const std::string as_it_is =
      plan_.tables.empty() ? "or pass --format raw to open the file as it is"
                           : fmt::format("or open only the outer layer with `intact {} open`",
                                         plan_.tables[0].lines[0].target);
  return {ErrorKind::unsupported,
          fmt::format("{}: {} {}, {}", place_, content.title, advice, as_it_is)};
}

/// The root hash must be given: an image cannot vouch for itself.
Result<void> Finder::add_verity(const Contents& contents) {
  if (has(kVerity))
    return refuse(contents[0],
                  "within dm-verity is not supported, since one root hash fits one volume; "
                  "open the inner volume by itself");
  if (options_.root_hash.empty() && options_.root_hash_file.empty()) {
    if (options_.integrity.names_algorithm() && !holds(contents, kIntegrity))
      TRY(check_all_were_met());
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("{}: a dm-verity volume (superblock at byte {}), and no root hash is given; "
                    "pass --root-hash or --root-hash-file, or --format raw to open it unverified",
                    place_, contents[0].offset));
  }
  VerityOptions options = options_;
  options.hash_offset = contents[0].offset;
  return options.add_line(plan_, stack_.top(), files_, {.root = TRY(options.root())});
}

/// The options are for the outermost device of this kind.
Result<void> Finder::add_integrity() {
  IntegrityOptions options;
  options.integrity.name.clear();
  if (!has(kIntegrity)) options = options_.integrity;
  options.device = plan_.tables.empty()
                       ? options_.data
                       : fmt::format("{}, layer {}", options_.data, plan_.tables.size() + 1);
  RecognisedIntegrity found = TRY(recognised_integrity(options, stack_.top()));
  if (!doubt_) doubt_ = std::move(found.doubt);
  return IntegrityOptions::add_line(plan_, found.params, {.data = stack_.top()});
}

/// Only disk images are opened.
Result<void> Finder::check_plain(const Content& content) const {
  for (const char* packed : {"gzip", "xz", "zstd", "bzip2", "zip", "tar"})
    if (content.format == packed) return refuse(content, "is not a disk image; unpack it first");
  for (const char* volume : {"luks1", "luks2", "qcow2"})
    if (content.format == volume)
      return refuse(content, "is not supported; convert it to a raw image");
  return {};
}

/// Options that say how to check a layer must not be ignored because the layer is missing.
Result<void> Finder::check_all_were_met() const {
  if ((options_.expects_verity() || !options_.fec_device.empty() || !options_.signature.empty()) &&
      !has(kVerity))
    return Error(ErrorKind::malformed,
                 fmt::format("{}: no dm-verity superblock found; pass --hash-offset if it is "
                             "elsewhere",
                             options_.hash_device.empty() ? options_.data : options_.hash_device));
  const IntegrityOptions& integrity = options_.integrity;
  if ((integrity.names_algorithm() || integrity.tag_size || integrity.sector_size) &&
      !has(kIntegrity))
    return Error(ErrorKind::malformed, options_.data + ": not a dm-integrity device");
  return {};
}

}  // namespace

const char* ImageOptions::check_option() const {
  const std::pair<bool, const char*> options[] = {
      {!root_hash.empty(), "--root-hash"},
      {!root_hash_file.empty(), "--root-hash-file"},
      {!signature.empty(), "--root-hash-signature"},
      {!hash_device.empty(), "--hash-device"},
      {superblock_at.has_value(), "--hash-offset"},
      {data_blocks.value_or(0) != 0, "--data-blocks"},
      {!fec_device.empty(), "--fec-device"},
      {integrity.integrity.given(), "--integrity"},
      {integrity.journal_integrity.given(), "--journal-integrity"},
      {integrity.journal_crypt.given(), "--journal-crypt"},
      {integrity.tag_size.has_value(), "--tag-size"},
      {integrity.sector_size.has_value(), "--sector-size"}};
  for (const auto& [given, name] : options)
    if (given) return name;
  return nullptr;
}

Result<stack::Plan> find_layers(const ImageOptions& options, block::Access access) {
  DeviceFiles files(block::Access::read_only);
  Finder finder(options, TRY(files.open(options.data)), files);
  stack::Plan plan = TRY(std::move(finder).find());
  if (access == block::Access::read_only || TRY(is_read_only(plan))) return plan;
  if (finder.doubt()) return Error(*finder.doubt());
  // The very file that was probed, which has been locked since.
  TRY(plan.file->make_writable().context(options.data));
  return plan;
}

}  // namespace intact::cli
