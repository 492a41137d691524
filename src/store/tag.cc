#include <intact/base/file.h>
#include <intact/store/name.h>
#include <intact/store/resolve.h>

#include "layout.h"
#include "record.h"

namespace intact::store {

Result<void> tag_image(Store& store, const NamedImage& image, bool replace,
                       const NamingHooks& hooks, const std::map<Digest, Bytes>& documents) {
  TRY(check_name(image.name));
  TRY(check_digest_in_name(image.name, image.manifest));
  const FileLock no_gc = TRY(FileLock::shared(store.dir_fd(), kGcLock).context(store.path()));
  const FileLock names = TRY(FileLock::exclusive(store.dir_fd(), kNamesLock).context(store.path()));
  const auto present = store.find(image.name);
  if (present && present->manifest != image.manifest && !replace)
    return Error(ErrorKind::exists, "'" + image.name + "': already another image, " +
                                        present->manifest.to_string() +
                                        "; choose another name, or pass --replace");
  for (const auto& [digest, bytes] : documents)
    TRY(write_file_durably_at(TRY(store.folder(blob_folder(digest))), digest.hex(), bytes,
                              kFileMode)
            .context(store.path() + "/" + kBlobs));
  if (hooks.before) TRY(hooks.before());
  TRY(write_file_durably_at(TRY(store.folder(Folder::names)), encode_name(image.name) + ".json",
                            as_bytes(encode_record(image)), kFileMode));
  if (hooks.after) hooks.after();
  return {};
}

}  // namespace intact::store
