#include <chrono>
#include <future>
#include <memory>
#include <unordered_set>

#include <intact/base/thread.h>
#include <intact/image/pull.h>
#include <intact/store/name.h>
#include <intact/store/transaction.h>

#include "layers.h"
#include "object_sink.h"
#include "progress_meter.h"
#include "pull_memory.h"
#include "source_chain.h"

namespace intact::image {
namespace {

/// Stages a layer blob, hashed by its writer on its way: what is inflated later is read from this
/// copy.
Result<void> stage_layer(const oci::ImageSource& source, const oci::Descriptor& layer,
                         store::Transaction& transaction, ProgressMeter& meter) {
  if (TRY(transaction.reuse_blob(layer.digest, layer.size))) {
    meter.advance(layer.size);
    return {};
  }
  const auto stored = TRY(source.open_blob(layer));
  auto writer = TRY(transaction.new_blob(layer.digest.algorithm()));
  for (std::uint64_t left = layer.size;;) {
    const std::size_t n = TRY(read_fully(*stored, writer->space()));
    if (n == 0 && left == 0) return writer->finish(layer.digest);
    if (n == 0 || n > left)
      return Error(ErrorKind::tampered,
                   "the blob is " + std::string(n == 0 ? "shorter" : "longer") + " than the " +
                       std::to_string(layer.size) + " bytes it should have");
    TRY(writer->take(n));
    left -= n;
    meter.advance(n);
  }
}

Result<void> stage_documents(const SourceChain& source, store::Transaction& transaction) {
  TRY(transaction.add_blob(source.chain.manifest_digest, source.manifest_bytes));
  TRY(transaction.add_blob(source.chain.manifest.config.digest, source.config_bytes));
  const SignatureState& signatures = source.signatures;
  if (!signatures.descriptor) return {};
  TRY(transaction.add_blob(signatures.descriptor->digest, signatures.manifest));
  if (signatures.config_descriptor)
    TRY(transaction.add_blob(signatures.config_descriptor->digest, signatures.config));
  for (std::size_t i = 0; i < signatures.signatures.size(); ++i)
    TRY(transaction.add_blob(signatures.payload_descriptors[i].digest,
                             signatures.signatures[i].payload));
  return {};
}

struct Objects {
  std::vector<Digest> digests;  ///< each once
  std::uint64_t bytes = 0;
};

/// What the image of the tree refers to: the image itself would tell the same, in several times the
/// time.
Objects objects_of(const tree::Tree& tree) {
  Objects objects;
  std::unordered_set<Digest> seen;
  std::vector<const tree::Inode*> directories{&tree.root()};
  while (!directories.empty()) {
    const tree::Inode& directory = *directories.back();
    directories.pop_back();
    for (const auto& [name, entry] : directory.entries) {
      const tree::Inode& inode = *entry.inode;
      if (inode.attributes.is_directory()) directories.push_back(&inode);
      if (!inode.digest || !seen.insert(*inode.digest).second) continue;
      objects.digests.push_back(*inode.digest);
      objects.bytes += inode.attributes.size;
    }
  }
  return objects;
}

}  // namespace

Result<PullReport> pull(const oci::Reference& reference, const std::string& asked_name,
                        store::Store& store, const PullOptions& options) {
  const SourceChain source = TRY(check_source_chain(reference, asked_name, options.platform,
                                                    options.anchors, options.limits.decompress));
  const Chain& chain = source.chain;
  const std::string name = asked_name.empty() ? source.suggested_name : asked_name;
  if (name.empty())
    return Error(ErrorKind::invalid_argument,
                 "the image has neither identity nor tag: give it a NAME, as in `intact pull " +
                     oci::to_string(reference) + " NAME`");
  TRY(store::check_name(name));
  if (auto present = store.find(name);
      present && present->manifest != chain.manifest_digest && !options.replace)
    return Error(ErrorKind::exists, "'" + name + "' is another image (" +
                                        present->manifest.to_string() +
                                        "): pull under another name, or with --replace");

  const std::uint64_t layer_bytes = stored_bytes(chain.manifest.layers);
  ProgressMeter meter(options.progress);

  auto transaction = TRY(store::Transaction::begin(store));
  meter.begin("Reading layers", layer_bytes);
  for (const oci::Descriptor& layer : chain.manifest.layers)
    TRY(stage_layer(*source.source, layer, *transaction, meter)
            .context("layer " + layer.digest.to_string()));

  PullReport report;
  const LayerOpener open_layer =
      [&](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
    return std::make_unique<MeteredStream>(
        std::make_unique<FileStream>(TRY(transaction->open_blob(layer.digest))), meter);
  };
  meter.begin("Unpacking", layer_bytes);
  Objects objects;
  std::future<void> taken_down;
  {
    ObjectSink sink(transaction.get());
    tree::Tree tree = TRY(apply_layers(chain.manifest, chain.config, open_layer, sink,
                                       options.limits, report.warnings));
    ComposefsImage image = TRY(make_composefs(tree));
    if (image.merkle.digest != chain.image_digest)
      return Error(ErrorKind::tampered, oci::to_string(reference) + ": its layers make the image " +
                                            image.merkle.digest.to_string() +
                                            ", but it was sealed as " +
                                            chain.image_digest.to_string());
    objects = objects_of(tree);
    // Of a large image that takes long.
    taken_down = run_beside(
        [tree = std::make_unique<tree::Tree>(std::move(tree))]() mutable { tree.reset(); });
    TRY(transaction->add_image(image.bytes, image.merkle));
  }
  report.objects = objects.digests.size();
  report.object_bytes = objects.bytes;

  TRY(stage_documents(source, *transaction));
  if (options.drop_layers) {
    for (const oci::Descriptor& layer : chain.manifest.layers)
      TRY(transaction->drop_blob(layer.digest));
  }
  report.signer = chain.signer;
  report.image.name = name;
  report.image.manifest = chain.manifest_digest;
  report.image.image = chain.image_digest;
  if (source.signatures.descriptor)
    report.image.signature_manifest = source.signatures.descriptor->digest;
  report.image.source = oci::to_string(reference);
  report.image.created = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  report.image.layers_kept = !options.drop_layers;
  meter.begin("Writing to disk", 0);
  // What is remembered of the name changes together with it, or a pull beside ours could leave the
  // one in the store and the other in the memory.
  Result<void> remembered;
  const auto announce = [&] {
    return announce_pull(options.anchors, store.path(), name, chain.manifest_digest);
  };
  const auto remember = [&] {
    remembered = remember_pull(options.anchors, store.path(), name, chain.manifest_digest);
  };
  TRY(transaction->commit(report.image, options.replace, objects.digests,
                          {.before = announce, .after = remember}));
  if (!remembered)
    report.warnings.push_back(
        "what was pulled cannot be remembered outside the store, so a swapped name there would go "
        "unnoticed: " +
        remembered.error().message());
  return report;
}

}  // namespace intact::image
