#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/stack/volume.h>
#include <intact/verity/volume.h>

#include "command.h"

namespace intact::cli {

/// A command of the group `verity`. -h is the hash function there, as it is for veritysetup.
CLI::App* add_verity_command(Program& program, CLI::App* group, const char* name,
                             const char* description);

/// The options of veritysetup that say what a volume is and where its parts lie.
struct VerityOptions {
  std::string data;
  std::string hash_device;
  std::string root_hash;
  std::string root_hash_file;
  std::string hash = "sha256";
  std::uint32_t hash_type = 1;
  std::uint32_t data_block_size = 4096;
  std::uint32_t hash_block_size = 4096;
  std::uint64_t data_blocks = 0;  ///< 0: all of the data device
  std::uint64_t hash_offset = 0;
  std::optional<std::string> salt;  ///< empty or "-": none
  std::string uuid;
  bool no_superblock = false;
  std::string fec_device;
  std::uint64_t fec_offset = 0;
  unsigned fec_roots = 2;
  std::string signature;                  ///< file of the PKCS#7 signature of the root hash
  std::vector<std::string> certificates;  ///< whose signature it may be
  bool debug = false;

  void add_talk(CLI::App* command);  ///< how much is said
  void add_devices(CLI::App* command, bool with_root_hash);
  void add_format(CLI::App* command);     ///< what a superblock would hold
  void add_placement(CLI::App* command);  ///< offsets, --no-superblock, FEC
  void add_fec(CLI::App* command);
  /// Who must have signed the root hash. `kernel`: unless certificates say it, the kernel knows.
  void add_signature(CLI::App* command, bool kernel = false);

  /// From the options alone, with `salt` where --salt says nothing. invalid_argument.
  Result<verity::Params> params(Bytes salt) const;
  Result<verity::Layout> layout(verity::Params params) const;
  /// From the superblock, or without one from the options.
  Result<verity::Layout> stored_layout(const block::BlockTarget& hash,
                                       const block::BlockTarget& data) const;
  /// The root hash given as argument or by file; untrusted unless it is signed as asked for.
  Result<Bytes> root() const;
  /// The same where the kernel is to check the signature: only certificates that are given count.
  Result<Bytes> root_for_kernel() const;
  /// Fills in where the parts of a volume lie whose data are on `below`, and its layout. What is
  /// named as `data` lies on `below` as well; other files are opened for reading.
  Result<void> find_parts(stack::VerityLayer& layer,
                          const std::shared_ptr<block::BlockTarget>& below) const;
  /// The same with `data` as the device below.
  Result<stack::Volume> volume(stack::VerityLayer layer) const;

 private:
  Result<Bytes> stated_root() const;
};

}  // namespace intact::cli
