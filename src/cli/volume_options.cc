#include "volume_options.h"

namespace intact::cli {

/// A new format is one line here.
AllVolumeOptions::AllVolumeOptions() {
  all_.push_back(make_verity_volume_options());
  all_.push_back(make_integrity_volume_options());
}

void AllVolumeOptions::add_to_open(CLI::App* command) {
  for (const auto& options : all_) options->add_to_open(command);
}

void AllVolumeOptions::add_to_look(CLI::App* command) {
  for (const auto& options : all_) options->add_to_look(command);
}

const char* AllVolumeOptions::first_given() const {
  for (const auto& options : all_)
    if (const char* const given = options->first_given()) return given;
  return nullptr;
}

Result<stack::Credentials> AllVolumeOptions::credentials(block::DeviceFiles& files,
                                                         const dm::File& file) const {
  stack::Credentials all;
  for (const auto& options : all_)
    if (auto said = TRY(options->credentials(files, file))) all.push_back(std::move(said));
  return all;
}

}  // namespace intact::cli
