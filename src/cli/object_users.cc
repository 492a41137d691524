#include "object_users.h"

#include <algorithm>

#include "stored_objects.h"

namespace intact::cli {

Result<std::map<std::string, std::vector<std::string>>> other_users_of(
    const store::Store& store, const std::set<std::string>& objects, const Digest& except) {
  std::map<std::string, std::vector<std::string>> users;
  if (objects.empty()) return users;
  std::map<Digest, std::vector<std::string>> images;
  std::vector<Error> damaged;  // records, which fsck reports
  for (const store::NamedImage& image : TRY(store.list(&damaged)))
    if (image.image != except) images[image.image].push_back(image.name);
  for (const auto& [image, names] : images) {
    const auto listed = list_stored_objects(store, image);
    if (!listed) continue;
    for (const composefs::ObjectReference& object : *listed) {
      const std::string path = "objects/" + object.payload;
      if (!objects.contains(path)) continue;
      std::vector<std::string>& found = users[path];
      found.insert(found.end(), names.begin(), names.end());
    }
  }
  for (auto& [path, names] : users) std::ranges::sort(names);
  return users;
}

}  // namespace intact::cli
