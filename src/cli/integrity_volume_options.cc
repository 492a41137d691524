#include <intact/integrity/params.h>
#include <intact/integrity/probe.h>

#include "integrity_options.h"
#include "volume_options.h"

namespace intact::cli {
namespace {

/// For loading a key whose hash is not known yet.
constexpr const char* kAnyHash = "crc32c";

class IntegrityVolumeOptions final : public VolumeOptions {
 public:
  IntegrityVolumeOptions() { options_.integrity.name.clear(); }

  Result<std::shared_ptr<const dm::Credentials>> credentials(block::DeviceFiles& files,
                                                             const dm::File& file) const override;

 private:
  void add_to_open(CLI::App* command) override {
    options_.add_algorithms(command);
    options_.add_legacy_recalculate(command);
  }

  IntegrityOptions options_;
};

Result<std::shared_ptr<const dm::Credentials>> IntegrityVolumeOptions::credentials(
    block::DeviceFiles&, const dm::File&) const {
  if (first_given().empty()) return std::shared_ptr<const dm::Credentials>();
  TRY(options_.check_descriptors());
  const auto said = std::make_shared<integrity::Credentials>();
  said->detects_hash = options_.integrity.name.empty();
  if (options_.integrity.given() || options_.integrity.key_size) {
    KeyedAlgorithm hash = options_.integrity;
    if (said->detects_hash) hash.name = kAnyHash;
    said->internal_hash = TRY(hash.load("--integrity"));
  }
  said->journal_mac = TRY(options_.journal_integrity.load("--journal-integrity"));
  said->journal_crypt = TRY(options_.journal_crypt.load("--journal-crypt"));
  integrity::Params named;
  if (!said->detects_hash) named.internal_hash = said->internal_hash;
  named.journal_mac = said->journal_mac;
  named.journal_crypt = said->journal_crypt;
  TRY(integrity::check_keys_given(named));
  said->tag_size = options_.tag_size;
  said->block_size = options_.sector_size;
  said->legacy_recalculate = options_.legacy_recalculate;
  said->legacy_hmac = options_.legacy_hmac;
  return std::shared_ptr<const dm::Credentials>(said);
}

}  // namespace

std::unique_ptr<VolumeOptions> make_integrity_volume_options() {
  return std::make_unique<IntegrityVolumeOptions>();
}

}  // namespace intact::cli
