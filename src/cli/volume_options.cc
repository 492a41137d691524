#include "volume_options.h"

#include <algorithm>
#include <utility>

namespace intact::cli {

void VolumeOptions::add_open_options(CLI::App* command) {
  const std::vector<const CLI::Option*> before = std::as_const(*command).get_options();
  add_to_open(command);
  for (const CLI::Option* option : std::as_const(*command).get_options())
    if (std::ranges::find(before, option) == before.end()) options_.push_back(option);
}

std::string VolumeOptions::first_given() const {
  const auto given = std::ranges::find_if(options_, [](const auto* o) { return o->count() > 0; });
  return given == options_.end() ? std::string() : (*given)->get_name();
}

/// A new format is one line here.
AllVolumeOptions::AllVolumeOptions() {
  all_.push_back(make_verity_volume_options());
  all_.push_back(make_integrity_volume_options());
}

void AllVolumeOptions::add_to_open(CLI::App* command) {
  for (const auto& options : all_) options->add_open_options(command);
}

void AllVolumeOptions::add_to_look(CLI::App* command) {
  for (const auto& options : all_) options->add_to_look(command);
}

std::string AllVolumeOptions::first_given() const {
  for (const auto& options : all_)
    if (std::string given = options->first_given(); !given.empty()) return given;
  return {};
}

Result<stack::Credentials> AllVolumeOptions::credentials(block::DeviceFiles& files,
                                                         const dm::File& file) const {
  stack::Credentials all;
  for (const auto& options : all_)
    if (auto said = TRY(options->credentials(files, file))) all.push_back(std::move(said));
  return all;
}

}  // namespace intact::cli
