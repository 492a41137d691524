#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <sys/stat.h>

#include <intact/base/text.h>
#include <intact/report/view.h>

#include "next_steps.h"
#include "text.h"

namespace intact::report {
namespace {

using Status = Link::Status;
constexpr std::uint64_t kBlock = 4096;

/// The rows of a tree and its contents. Damage is known by object.
class RowMaker {
 public:
  RowMaker(View& view, const std::map<std::string, std::vector<std::uint64_t>>& bad_blocks)
      : view_(view), bad_blocks_(bad_blocks) {}

  void add(const std::string& path, const tree::Entry& entry) {
    const tree::Inode& inode = *entry.inode;
    Row row;
    const std::size_t slash = path.rfind('/');
    row.name = path == "/" ? path : path.substr(slash + 1);
    row.depth =
        path == "/" ? 0 : static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
    row.mode = inode.attributes.mode;
    if (inode.attributes.is_symlink()) row.target = inode.payload;
    if (inode.attributes.is_regular()) {
      row.size = inode.attributes.size;
      if (!inode.payload.empty() && inode.content.empty()) row.content = content_of(path, inode);
    }
    if (row.content != Row::kNone && !view_.contents[row.content].bad_blocks.empty())
      row.damaged = 1;

    // The directories that we are in, the root first.
    parents_.resize(std::min(parents_.size(), row.depth));
    for (const std::size_t parent : parents_) {
      // What has several names takes its space once.
      if (!entry.hard_link) view_.rows[parent].size += row.size;
      view_.rows[parent].files += 1;
      view_.rows[parent].damaged += row.damaged;
    }
    view_.damaged_files += row.damaged;
    if (inode.attributes.is_directory()) parents_.push_back(view_.rows.size());
    view_.rows.push_back(std::move(row));
  }

 private:
  std::size_t content_of(const std::string& path, const tree::Inode& inode) {
    const auto [found, added] = by_payload_.try_emplace(inode.payload, view_.contents.size());
    if (added) {
      Content content{
          .path = path,
          .object = "objects/" + inode.payload,
          .blocks = std::max<std::uint64_t>(1, (inode.attributes.size + kBlock - 1) / kBlock),
          .bad_blocks = {},
          .unknown = false,
          .also_in = {}};
      if (const auto bad = bad_blocks_.find(content.object); bad != bad_blocks_.end())
        content.bad_blocks = bad->second;
      view_.contents.push_back(std::move(content));
    }
    return found->second;
  }

  View& view_;
  const std::map<std::string, std::vector<std::uint64_t>>& bad_blocks_;
  std::map<std::string, std::size_t> by_payload_;
  std::vector<std::size_t> parents_;
};

Link signature_link(const image::VerifyReport& report) {
  if (report.basis == sign::Basis::pin)
    return {"Digest", "", "Pinned when the image was pulled.", Status::good};
  if (report.basis == sign::Basis::first_use)
    return {"First use", "", "The first image that was pulled under this name.", Status::good};
  if (!report.signer || !report.signer->is_signed())
    return {"Signature", "", "Not trusted: --insecure-unsigned was passed.", Status::bad};
  return {"Signature", report.signer->identity,
          report.signer->identity.empty() ? "Made for any name." : "Made for this name.",
          Status::good};
}

/// From the key to the config, which lead to an image wherever it is.
std::vector<Link> document_links(const image::VerifyReport& report) {
  std::vector<Link> chain;
  if (report.signer && report.signer->is_signed())
    chain.push_back(
        {"Trusted key", report.signer->key_fingerprint, "Kept outside the store.", Status::good});
  chain.push_back(signature_link(report));
  chain.push_back({"Manifest", report.manifest.to_string(),
                   report.signer ? "The signed document." : "The document with that digest.",
                   Status::good});
  const bool names_image = report.seal == image::SealKind::publisher;
  chain.push_back({"Config", "",
                   names_image ? "Has the digest that the manifest names, and names the image."
                               : "Has the digest that the manifest names.",
                   Status::good});
  if (report.seal == image::SealKind::local)
    chain.push_back({"Local seal", "",
                     "Made by this machine when it unpacked the image, and names what came out.",
                     Status::good});
  return chain;
}

Link unreached(std::string title) {
  return {std::move(title), "", "Not reached.", Status::unreached};
}

/// The rest of the chain of an image in the store.
void add_stored_links(const image::VerifyReport& report, const View& view, bool metadata_good,
                      std::vector<Link>& chain) {
  chain.push_back({"Image digest", report.image.digest.to_string(),
                   "Covers every name, attribute and byte of the tree.", Status::good});
  if (!metadata_good) {
    chain.push_back(
        {"Metadata", "",
         counted(view.damage.size(), "block") + " damaged: the list of files cannot be trusted.",
         Status::bad});
    chain.push_back(unreached("Files"));
    return;
  }
  chain.push_back(
      {"Metadata", "", counted(report.files, "name") + ", each block as signed.", Status::good});
  const auto bad = static_cast<std::uint64_t>(
      std::count_if(view.contents.begin(), view.contents.end(),
                    [](const Content& content) { return !content.bad_blocks.empty(); }));
  chain.push_back({"Files", "",
                   bad == 0
                       ? counted(report.objects, "object") + ", each block as signed."
                       : fmt::format("{} of {} damaged.", bad, counted(report.objects, "object")),
                   bad == 0 ? Status::good : Status::bad});
}

/// The same for one in a layout or archive: its layers make the tree, and the tree has the digest.
void add_source_links(const image::VerifyReport& report, bool tree_good, std::vector<Link>& chain) {
  const auto bad = static_cast<std::uint64_t>(
      std::count_if(report.layer_checks.begin(), report.layer_checks.end(),
                    [](const image::LayerCheck& layer) { return !layer.good; }));
  const std::string layers = counted(report.layer_checks.size(), "layer");
  chain.push_back({"Layers", "",
                   bad == 0 ? layers + ", each with the digest that the manifest names."
                            : fmt::format("{} of {} damaged.", bad, layers),
                   bad == 0 ? Status::good : Status::bad});
  if (bad > 0) {
    for (const char* title : {"Image digest", "Files"}) chain.push_back(unreached(title));
    return;
  }
  chain.push_back({"Image digest", report.image.digest.to_string(),
                   tree_good ? "The layers make this tree."
                             : "The layers make another tree than the one that was signed.",
                   tree_good ? Status::good : Status::bad});
  chain.push_back(tree_good ? Link{"Files", "", counted(report.files, "name") + ", all as signed.",
                                   Status::good}
                            : unreached("Files"));
}

/// Layers in place of files, where the tree cannot be trusted. Where in a layer the
/// damage is, its digest does not tell: all of it is unknown.
std::vector<Content> layer_contents(const std::vector<image::LayerCheck>& layers) {
  std::vector<Content> contents;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const image::LayerCheck& layer = layers[i];
    Content content{.path = fmt::format("/layer {}/", i + 1),
                    .object = image::object_of_blob(layer.digest),
                    .blocks = std::max<std::uint64_t>(1, (layer.size + kBlock - 1) / kBlock),
                    .bad_blocks = {},
                    .unknown = !layer.good,
                    .also_in = {}};
    if (!layer.good) content.bad_blocks.push_back(0);
    contents.push_back(std::move(content));
  }
  return contents;
}

}  // namespace

View make_view(const std::string& name, std::int64_t time, const image::VerifyReport& report,
               const tree::Tree* tree, const Circumstances& circumstances) {
  View view;
  view.name = name;
  view.time = time;
  view.ok = report.ok();
  view.damage = report.damaged;
  view.bytes = report.bytes;
  std::map<std::string, std::vector<std::uint64_t>> bad_blocks;
  for (const Damage& damage : report.damaged)
    bad_blocks[damage.object].push_back(damage.range.value_or(DamagedRange()).first);
  // Several files may show one object; each of them is listed.
  for (auto& [object, blocks] : bad_blocks) {
    std::sort(blocks.begin(), blocks.end());
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  }
  if (tree != nullptr) {
    RowMaker rows(view, bad_blocks);
    // Nothing in the visitor fails.
    (void)tree
        ->walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
          rows.add(path, entry);
          return {};
        })
        .has_value();
  }
  view.chain = document_links(report);
  if (report.layer_checks.empty()) {
    add_stored_links(report, view, tree != nullptr, view.chain);
  } else {
    add_source_links(report, tree != nullptr, view.chain);
    view.from_layers = true;
    if (tree == nullptr) view.contents = layer_contents(report.layer_checks);
  }
  for (Content& content : view.contents)
    if (const auto found = circumstances.also_in.find(content.object);
        found != circumstances.also_in.end())
      content.also_in = found->second;
  view.facts = make_facts(report, circumstances);
  view.next = steps_after(view, report, circumstances);
  return view;
}

View make_failed_view(const std::string& name, std::int64_t time, const Error& error,
                      const Circumstances& circumstances) {
  View view;
  view.name = name;
  view.time = time;
  view.failure = error.message();
  const bool untrusted = error.kind() == ErrorKind::untrusted;
  view.chain.push_back({"Trusted key and signature", "",
                        untrusted ? "No trusted key has signed this image under this name."
                                  : "Could not be established.",
                        Status::bad});
  for (const char* title : {"Manifest", "Config", "Image digest", "Metadata", "Files"})
    view.chain.push_back({title, "", "Not reached.", Status::unreached});
  if (!untrusted) view.chain[0].title = "Signature and documents";
  view.facts = make_facts({}, circumstances);
  view.next = steps_after_failure(view, error, circumstances);
  return view;
}

}  // namespace intact::report
