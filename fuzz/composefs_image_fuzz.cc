// Any image is refused or read to its end: as a tree, and as a mount reads it.
#include <memory>
#include <string>
#include <vector>

#include <intact/composefs/image_tree.h>
#include <intact/composefs/read.h>

#include "fuzz.h"

namespace {

using namespace intact;

class NoObjects final : public composefs::ObjectOpener {
 public:
  Result<std::shared_ptr<tree::OpenFile>> open(const std::string&, const std::optional<Digest>&,
                                               std::uint64_t, tree::NodeId) const override {
    return Error(ErrorKind::not_found, "no objects here");
  }
};

/// Asks everything of the nodes below `root` that a kernel would; at most `most` of them.
void walk(const tree::FileTree& tree, tree::NodeId root, std::size_t most) {
  std::vector<tree::NodeId> todo{root};
  for (std::size_t i = 0; i < todo.size() && i < most; ++i) {
    const auto attributes = tree.attributes(todo[i]);
    if (!attributes) continue;
    if (const auto names = tree.list_xattrs(todo[i]))
      for (const auto& name : *names) (void)tree.get_xattr(todo[i], name);
    (void)tree.read_link(todo[i]);
    if (const auto file = tree.open(todo[i])) {
      Bytes buffer(4096);
      (void)(*file)->read(0, buffer);
    }
    (void)tree.list(todo[i], 0, [&](const tree::DirectoryEntry& entry, std::uint64_t) {
      if (todo.size() < most) todo.push_back(entry.node);
      (void)tree.lookup(todo[i], entry.name);
      return true;
    });
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = fuzz::input(data, size);
  const auto source = std::make_shared<MemorySource>(Bytes(bytes.begin(), bytes.end()));
  (void)composefs::read_tree(source, {.metadata_bytes = 64 << 20});
  (void)composefs::list_objects(source);
  const auto image = composefs::ImageTree::open(source, std::make_shared<NoObjects>());
  if (image) walk(**image, (*image)->root(), 1000);
  return 0;
}
