#include <optional>

#include <intact/console/size_option.h>
#include <intact/verity/probe.h>

#include "verity_options.h"
#include "volume_options.h"

namespace intact::cli {
namespace {

class VerityVolumeOptions final : public VolumeOptions {
 public:
  void add_to_look(CLI::App* command) override {
    add_size_option(command, "--hash-offset", superblock_at_,
                    "Look for a dm-verity superblock only at this offset");
  }
  Result<std::shared_ptr<const dm::Credentials>> credentials(block::DeviceFiles& files,
                                                             const dm::File& file) const override;

 private:
  void add_to_open(CLI::App* command) override;

  VerityOptions options_;
  std::optional<std::uint64_t> superblock_at_;
};

void VerityVolumeOptions::add_to_open(CLI::App* command) {
  command->add_option("--root-hash", options_.root_hash, "Root hash of dm-verity, in hexadecimal")
      ->type_name("HEX");
  command
      ->add_option("--root-hash-file", options_.root_hash_file,
                   "Read the root hash from this file ('-': stdin)")
      ->type_name("FILE");
  options_.add_signature(command);
  command
      ->add_option("--hash-device", options_.hash_device,
                   "Device or file with superblock and hash tree, if not in FILE")
      ->type_name("FILE");
  add_size_option(command, "--hash-offset", superblock_at_,
                  "Offset of the dm-verity superblock, if it is not found automatically");
  options_.add_data_blocks(command);
  options_.add_fec(command);
  for (const char* detail : {"--fec-offset", "--fec-roots"})
    command->get_option(detail)->needs(command->get_option("--fec-device"));
}

Result<std::shared_ptr<const dm::Credentials>> VerityVolumeOptions::credentials(
    block::DeviceFiles& files, const dm::File& file) const {
  if (first_given().empty()) return std::shared_ptr<const dm::Credentials>();
  const auto said = std::make_shared<verity::Credentials>();
  if (!options_.root_hash.empty() || !options_.root_hash_file.empty())
    said->root = TRY(options_.root());
  const auto apart = [&](const std::string& path) -> Result<dm::File> {
    dm::File opened = TRY(files.open(path));
    return opened == file ? dm::File() : std::move(opened);
  };
  if (!options_.hash_device.empty()) said->hash = TRY(apart(options_.hash_device));
  said->hash_name = options_.hash_device;
  said->superblock_at = superblock_at_;
  if (options_.data_blocks.value_or(0) != 0) said->data_blocks = options_.data_blocks;
  if (!options_.fec_device.empty())
    said->fec = verity::Credentials::Fec{.device = TRY(apart(options_.fec_device)),
                                         .roots = options_.fec_roots,
                                         .offset = options_.fec_offset};
  return std::shared_ptr<const dm::Credentials>(said);
}

}  // namespace

std::unique_ptr<VolumeOptions> make_verity_volume_options() {
  return std::make_unique<VerityVolumeOptions>();
}

}  // namespace intact::cli
