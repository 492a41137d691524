#include <intact/image/names.h>
#include <intact/image/stored_images.h>
#include <intact/image/verify.h>

namespace intact::image {
namespace {

/// Whether the store has lost the name since it was listed.
bool is_removed(const store::Store& store, const std::string& name) {
  const auto present = store.find(name);
  return !present && present.error().kind() == ErrorKind::not_found;
}

}  // namespace

Result<void> verify_all(const store::Store& store,
                        const std::function<Result<VerifyReport>(const std::string&)>& verify,
                        const std::function<void(const NamedVerification&)>& done) {
  const StoredImages stored = TRY(list_images(store, false));
  for (const Error& error : stored.damaged) done({.name = "", .report = Error(error)});
  for (const store::NamedImage& image : stored.images) {
    auto report = verify(image.name);
    if (!report && is_removed(store, image.name)) continue;
    done({.name = image.name, .report = std::move(report)});
  }
  for (const std::string& name : TRY(lost_names(store)))
    done({.name = name, .report = lost_name(name)});
  return {};
}

}  // namespace intact::image
