#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <unordered_set>

#include <intact/base/file.h>
#include <intact/base/thread.h>
#include <intact/base/visible.h>
#include <intact/fsverity/tree.h>
#include <intact/image/pull.h>
#include <intact/image/stored_images.h>
#include <intact/oci/media_types.h>
#include <intact/store/lease.h>
#include <intact/store/name.h>
#include <intact/store/resolve.h>
#include <intact/store/transaction.h>

#include "layer_fetch.h"
#include "layers.h"
#include "local_seals.h"
#include "profile.h"
#include "progress_meter.h"
#include "pull_memory.h"
#include "serial_memory.h"
#include "source_chain.h"
#include "stale_seal.h"
#include "stored_image.h"

namespace intact::image {
namespace {

Result<void> stage_documents(const SourceChain& source, store::Transaction& transaction) {
  TRY(transaction.add_blob(source.chain.manifest_digest, source.manifest_bytes));
  TRY(transaction.add_blob(source.chain.manifest.config.digest, source.config_bytes));
  for (const SignatureDocument& document : source.signatures.documents) {
    TRY(transaction.add_blob(document.manifest.descriptor.digest, document.manifest.bytes));
    for (const ReadBlob& blob : document.blobs)
      TRY(transaction.add_blob(blob.descriptor.digest, blob.bytes));
  }
  return {};
}

struct Objects {
  std::vector<Digest> digests;  ///< each once
  std::uint64_t bytes = 0;
  std::future<void> tree_removal = {};  ///< of the tree that lists them, beside the other work
};

/// The objects of the tree's image. The image itself lists the same, but reading it takes several
/// times as long.
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

std::string not_remembered(const Error& error) {
  return "this pull cannot be remembered outside the store, so a swapped name there would go "
         "unnoticed: " +
         error.message();
}

bool has_layers(const store::Store& store, const std::vector<oci::Descriptor>& layers) {
  return std::all_of(layers.begin(), layers.end(), [&](const oci::Descriptor& layer) {
    const auto fd = store.open_blob(layer.digest);
    if (!fd) return false;
    const auto size = file_size(fd->get());
    return size && *size == layer.size;
  });
}

/// Whether the store has all of an image. Documents, metadata and hash trees' table are read; of
/// objects and layers this looks at kind and size.
bool is_complete(store::Store& store, const store::NamedImage& record, const Chain& chain,
                 const SignatureState& signatures, PullReport& report) {
  const auto has_document = [&](const Digest& digest) {
    return store.read_blob(digest, oci::kMaxDocument).has_value();
  };
  if (!has_document(record.manifest) || !has_document(chain.manifest.config.digest)) return false;
  for (const SignatureDocument& document : signatures.documents) {
    if (!has_document(document.manifest.descriptor.digest)) return false;
    for (const ReadBlob& blob : document.blobs)
      if (!has_document(blob.descriptor.digest)) return false;
  }
  if (record.layers_kept && !has_layers(store, chain.manifest.layers)) return false;
  attach_object_dirs(store, record);
  const auto objects = stored_objects(store, chain.image);
  if (!objects) return false;
  bool has_trees = false;
  for (const store::ImageObject& object : *objects) {
    const auto fd = store.open_object(object.payload);
    if (!fd) return false;
    const auto size = file_size(fd->get());
    if (!size || *size != object.size) return false;
    report.object_bytes += object.size;
    if (has_trees || fsverity::tree_size(object.size) == 0) continue;
    const auto tree = store.tree_of(chain.image.digest, object.digest);
    if (!tree || !*tree) return false;
    has_trees = true;
  }
  report.objects = objects->size();
  return true;
}

/// Takes the image that the layers make from the local seal of the last pull, if that is for what a
/// new one would seal. False: the layers have to tell.
bool take_from_local_seal(const store::Store& store, const store::NamedImage& record,
                          const PullOptions& options, bool is_sealed, Chain& chain) {
  if (!needs_local_seal(is_sealed, chain.basis) && !local_seal_of(record)) return true;
  const auto stored = find_local_seal(store, record);
  if (!stored || !*stored) return false;
  const StoredSeal& found = **stored;
  const bool is_stale = is_sealed && found.seal.base == chain.image.digest;
  if (!needs_local_seal(is_sealed && !is_stale, chain.basis)) return false;
  const std::string signer = chain.signer ? chain.signer->key_fingerprint : "";
  if (found.seal.basis != chain.basis || found.seal.signer != signer ||
      (is_sealed && !is_stale && chain.image != found.image()) ||
      !check_pull_memory(options.anchors, store, record.name, {record.manifest, found.document}))
    return false;
  chain.image = found.image();
  chain.local_seal = found.seal;
  return true;
}

/// The report on an image that need not be pulled, for the store has it as it would be pulled.
Result<std::optional<PullReport>> report_unchanged(const SourceChain& source,
                                                   const store::NamedImage& record,
                                                   store::Store& store,
                                                   const PullOptions& options) {
  Chain chain = source.chain;
  const SignatureState& signatures = source.signatures;
  const bool same_signatures = publishers_evidence(record) == signatures.references();
  const bool same_dirs = store.object_dirs().empty() || store.object_dirs() == record.object_dirs;
  if (record.manifest != chain.manifest_digest || record.layers_kept == options.drop_layers ||
      !same_signatures || !same_dirs || record.through != chain.origin.through)
    return std::optional<PullReport>();
  // What is looked at must not be collected meanwhile.
  const auto lease = store::Lease::take(store, record);
  PullReport report;
  if (!lease || !take_from_local_seal(store, record, options, source.is_sealed, chain) ||
      record.image != chain.image || !is_complete(store, record, chain, signatures, report))
    return std::optional<PullReport>();
  report.image = record;
  report.signer = chain.signer;
  report.basis = chain.basis;
  report.seal = chain.seal_kind();
  report.unchanged = true;
  const PulledImage pulled(record.manifest, local_seal_of(record), chain.origin);
  if (is_remembered(options.anchors, store, record.name, pulled))
    return std::optional(std::move(report));
  Result<void> remembered;
  const auto named = TRY(store.while_named(record.name, record.manifest, [&] {
    remembered = remember_pull(options.anchors, store, record.name, pulled);
  }));
  if (!named) return std::optional<PullReport>();
  if (!remembered) report.warnings.push_back(not_remembered(remembered.error()));
  return std::optional(std::move(report));
}

/// Why the image may not get this name: another one has it here, or was pulled under it before and
/// its record was lost. Returns the image that has the name now.
Result<std::optional<store::NamedImage>> check_name(store::Store& store, const std::string& name,
                                                    const Chain& chain,
                                                    const PullOptions& options) {
  TRY(store::check_name(name));
  TRY(store::check_digest_in_name(name, chain.manifest_digest));
  TRY(state_directory());
  // What came first under the name is the only one that counts here, not the store's word.
  if (chain.basis == sign::Basis::first_use && !options.replace)
    TRY(check_replaces_nothing(options.anchors, store, name, chain.manifest_digest));
  auto present = store.find(name);
  if (present && present->manifest != chain.manifest_digest && !options.replace)
    return Error(ErrorKind::exists, name + ": the store has another image of this name (" +
                                        present->manifest.to_string() +
                                        "); choose another name or pass --replace");
  if (!options.replace)
    TRY(check_replaces_nothing(options.anchors, store, name, chain.manifest_digest));
  if (!present) return std::optional<store::NamedImage>();
  return std::optional(std::move(*present));
}

/// Stages the layers, and meanwhile unpacks them from there into objects and the image, which must
/// be the one that was sealed if the publisher has sealed any; otherwise it is entered in the
/// chain. Returns the objects of the image.
Result<Objects> stage_image(const oci::Reference& reference, SourceChain& source,
                            store::Transaction& transaction, const PullOptions& options,
                            PullReport& report) {
  Chain& chain = source.chain;
  const std::vector<oci::Descriptor>& layers = chain.manifest.layers;
  LayerProgress progress(options.progress, stored_bytes(layers));
  LayerFetch fetch(*source.source, layers, transaction, progress);
  const Profile& profile =
      source.is_sealed ? *TRY(find_profile(chain.image.format)) : *profiles().front();
  CanonicalTree canonical;
  Sha512Digests sha512;
  const bool by_annotation = source.merged.any();
  const auto sink = profile.content_sink(&transaction, source.merged.sha512 ? &sha512 : nullptr);
  const LayerOpener open_layer = [&](const oci::Descriptor& layer) { return fetch.open(layer); };
  auto applied = apply_layers(chain.manifest, chain.config, open_layer, *sink, options.limits,
                              report.warnings, by_annotation ? &canonical : nullptr);
  if (!applied) {
    // The layer that failed need not be the one that was waited for.
    if (auto error = fetch.error()) return std::move(*error);
    return std::move(applied).error();
  }
  tree::Tree tree = std::move(*applied);
  if (by_annotation) {
    TRY(check_merged(canonical, &sha512, source.merged).context(oci::to_string(reference)));
    tree = TRY(canonical.tree());
  }
  report.layers = layers.size();
  report.reused_layers = static_cast<std::uint64_t>(std::ranges::count_if(
      layers, [&](const oci::Descriptor& layer) { return fetch.reused().contains(layer.digest); }));
  const MadeImage image = TRY(profile.seal(tree));
  if (source.is_sealed && image.digest() != chain.image.digest) {
    const auto of_base = TRY(layers_of_sealed_base(chain, open_layer, options.limits));
    if (!of_base)
      return Error(ErrorKind::tampered, oci::to_string(reference) + ": its layers make the image " +
                                            image.digest().to_string() + ", but it was sealed as " +
                                            chain.image.digest.to_string());
    report.warnings.push_back(stale_seal_warning(*of_base, layers.size()));
    source.base = chain.image.digest;
    source.is_sealed = false;
  }
  if (!source.is_sealed) chain.image = {std::string(profile.format()), image.digest()};
  Objects objects = objects_of(tree);
  // This takes long for a large image.
  objects.tree_removal = run_beside(
      [tree = std::make_unique<tree::Tree>(std::move(tree))]() mutable { tree.reset(); });
  TRY(transaction.add_image(image.bytes, image.merkle));
  return objects;
}

store::NamedImage make_record(const oci::Reference& reference, const std::string& name,
                              const SourceChain& source, const PullOptions& options) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  store::NamedImage record{
      .name = name, .manifest = source.chain.manifest_digest, .image = source.chain.image};
  record.evidence = source.signatures.references();
  record.source = oci::to_string(reference);
  record.created = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  record.layers_kept = !options.drop_layers;
  record.through = source.chain.origin.through;
  return record;
}

/// Seals the image locally if it needs that, and enters the seal in its record.
Result<void> stage_local_seal(const SourceChain& source, store::NamedImage& record,
                              store::Transaction& transaction) {
  const Chain& chain = source.chain;
  if (!needs_local_seal(source.is_sealed, chain.basis)) return {};
  const NewSeal seal =
      TRY(seal_locally({.name = record.name,
                        .manifest = record.manifest,
                        .image = chain.image.digest,
                        .format = chain.image.format,
                        .created = record.created,
                        .basis = chain.basis,
                        .signer = chain.signer ? chain.signer->key_fingerprint : "",
                        .base = source.base}));
  TRY(transaction.add_blob(seal.digest, seal.document));
  put_local_seal(record, seal.digest);
  return {};
}

/// From now on an older image is refused.
void note_serial(const store::Store& store, PullReport& report) {
  if (!report.signer) return;
  const auto noted = remember_serial(store, report.image.name, *report.signer);
  if (!noted)
    report.warnings.push_back(
        "the serial number cannot be remembered, so an older image would go "
        "unnoticed: " +
        noted.error().message());
}

/// The name that the image gets. What is remembered under it from now on is not for the maker of
/// the source to choose, unless somebody trusted has signed it or it is a local name that claims
/// nothing.
Result<std::string> choose_name(const oci::Reference& reference, const std::string& asked_name,
                                const SourceChain& source) {
  const std::string what = oci::to_string(reference);
  if (!asked_name.empty()) return asked_name;
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::invalid_argument,
                 what + ": " + why + "; give it a NAME, as in `intact pull " + what + " NAME`");
  };
  const sign::Basis basis = source.chain.basis;
  const bool is_remembered_alone = basis == sign::Basis::pin || basis == sign::Basis::first_use;
  if (is_remembered_alone && reference.transport != oci::Reference::Transport::docker)
    return refuse("has no trusted signature, so its maker may not choose its name");
  std::string name = source.suggested_name;
  if (name.empty() && !is_remembered_alone) {
    name = source.unsigned_name;
    if (name.find('/') != std::string::npos)
      return refuse("the name that it has here, '" + visible(name) + "', is not signed");
  }
  if (name.empty()) return refuse("has neither an identity nor a tag");
  // The tag of a layout is unsigned: its maker may have chosen one that means something else.
  if (const auto usable = store::check_name(name); !usable)
    return Error(ErrorKind::invalid_argument,
                 what + ": " + usable.error().message() + "; give the image another NAME");
  return name;
}

}  // namespace

Result<PullReport> pull(const oci::Reference& reference, const std::string& asked_name,
                        store::Store& store, const PullOptions& options) {
  SourceChain source =
      TRY(check_source_chain(reference, asked_name, options.platform, options.anchors,
                             options.limits.decompress, options.registry));
  const Chain& chain = source.chain;
  const std::string name = TRY(choose_name(reference, asked_name, source));
  // All that later commands demand of the image under this name.
  TRY(check_for_name(source, name).context(oci::to_string(reference)));
  const auto present = TRY(check_name(store, name, chain, options));
  // What the store has under the name is its word only, so this is asked of the same image again.
  if (!options.allow_older) TRY(check_serial(store, name, chain.signer.value_or(sign::Verdict())));
  if (present && !options.verify) {
    if (auto unchanged = TRY(report_unchanged(source, *present, store, options))) {
      note_serial(store, *unchanged);
      return std::move(*unchanged);
    }
  }

  PullReport report;
  report.signer = chain.signer;
  report.basis = chain.basis;
  auto transaction = TRY(store::Transaction::begin(store));
  const Objects objects = TRY(stage_image(reference, source, *transaction, options, report));
  report.seal =
      needs_local_seal(source.is_sealed, chain.basis) ? SealKind::local : SealKind::publisher;
  report.objects = objects.digests.size();
  report.object_bytes = objects.bytes;
  TRY(sign::check_not_revoked({chain.image.digest}, chain.manifest_digest, options.anchors));
  report.image = make_record(reference, name, source, options);
  TRY(stage_documents(source, *transaction));
  TRY(stage_local_seal(source, report.image, *transaction));
  if (options.drop_layers) {
    for (const oci::Descriptor& layer : chain.manifest.layers)
      TRY(transaction->drop_blob(layer.digest));
  }

  ProgressMeter(options.progress).begin("Writing to disk", 0);
  // The memory of the name changes together with it: otherwise a concurrent pull could leave one
  // image in the store and another in the memory.
  Result<void> remembered;
  const PulledImage pulled(chain.manifest_digest, local_seal_of(report.image), chain.origin);
  const auto announce = [&] {
    return announce_pull(options.anchors, store, name, pulled, options.replace);
  };
  const auto remember = [&] { remembered = remember_pull(options.anchors, store, name, pulled); };
  TRY(transaction->commit(report.image, options.replace, objects.digests,
                          {.before = announce, .after = remember}));
  if (!remembered) report.warnings.push_back(not_remembered(remembered.error()));
  note_serial(store, report);
  return report;
}

}  // namespace intact::image
