#include "profile.h"

#include "composefs_profile.h"

namespace intact::image {

const std::vector<const Profile*>& profiles() {
  static const std::vector<const Profile*> all{&composefs_profile()};
  return all;
}

Result<const Profile*> find_profile(std::string_view format) {
  std::string known;
  for (const Profile* profile : profiles()) {
    if (profile->format() == format) return profile;
    known += (known.empty() ? "" : ", ") + std::string(profile->format());
  }
  return Error(ErrorKind::unsupported, "the image is sealed in the format '" +
                                           std::string(format.substr(0, 64)) +
                                           "'; this version knows " + known);
}

}  // namespace intact::image
