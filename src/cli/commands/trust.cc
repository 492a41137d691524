#include <cstdint>
#include <memory>

#include <sys/stat.h>

#include <intact/base/error.h>
#include <intact/image/explain.h>
#include <intact/json/json.h>
#include <intact/report/results.h>
#include <intact/sign/identity.h>
#include <intact/sign/policy.h>
#include <intact/sign/signed_time.h>

#include "../commands.h"
#include "anchor_options.h"
#include "command.h"
#include "references.h"
#include "registry_options.h"
#include "store_option.h"

namespace intact::cli {
namespace {

struct Options {
  std::string key;  // a file or, where it fits, a label or the start of a fingerprint
  std::optional<std::string> identity;
  bool any = false;
  bool certificate = false;
  std::optional<std::string> subject;
  std::optional<std::string> label;
  std::vector<std::string> pins;
  std::string digest;
  std::optional<std::string> policy;
  std::size_t signers = 1;
  std::vector<std::string> attestations;
  std::optional<std::string> max_age;
  std::optional<std::uint64_t> min_serial;
  std::optional<std::string> not_before;
  bool undo = false;
  bool json = false;
};

/// A digest of the command line, where a bad one is wrong usage.
Result<Digest> parse_argument(const char* argument, const std::string& text) {
  auto digest = Digest::parse(text);
  if (digest) return digest;
  return Error(ErrorKind::invalid_argument,
               std::string(argument) + ": " + digest.error().message());
}

/// `text` for people unless JSON was asked for.
void print_result(const Options& options, const Json& json, const std::string& text) {
  print("{}", options.json ? to_text(json) + "\n" : text);
}

/// Of the key, or of the first certificate, in a file.
Result<std::string> fingerprint_of(const std::string& file) {
  auto key = sign::PublicKey::load(file);
  if (key) return key->fingerprint();
  if (const auto certificates = sign::load_certificates(file))
    return crypto::fingerprint(certificates->front());
  return std::move(key).error();
}

Result<int> add(const Options& options) {
  if (options.identity && options.identity->empty())
    return Error(ErrorKind::invalid_argument,
                 "--identity: the pattern is empty; pass --any to trust the key for every image");
  sign::Rule rule{.key = {},
                  .identity_pattern = options.identity,
                  .pins = {},
                  .label = options.label.value_or("")};
  if (options.certificate) {
    rule.certificates =
        sign::CertificateTrust{.authorities = TRY(sign::load_certificates(options.key)),
                               .subject = options.subject.value_or("")};
    if (options.subject) TRY(sign::parse_subject(*options.subject).context("--subject"));
  } else {
    if (options.subject)
      return Error(ErrorKind::invalid_argument,
                   "--subject: only for certificates; pass --certificate as well");
    rule.key = TRY(sign::PublicKey::load(options.key));
  }
  if (options.label) TRY(sign::check_label(*options.label).context("--label"));
  for (const std::string& pin : options.pins)
    rule.pins.push_back(TRY(parse_argument("--pin", pin)));
  TRY(sign::check_new_rule(rule));
  const std::string file = TRY(sign::choose_policy_file(options.policy));
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) { return policy.add(rule); }));

  if (options.identity) {
    const std::string suspicion = sign::suspicion_about_pattern(*options.identity);
    if (!suspicion.empty()) warn("--identity: " + suspicion);
  } else if (!options.any) {
    warn("the key is trusted for every image; pass --identity to restrict it, or --any to confirm");
  }
  print_result(options, report::to_json(rule, file), report::to_text(rule, file));
  return 0;
}

Result<int> list(const Options& options) {
  const auto policies = TRY(sign::load_policies(options.policy));
  print_result(options, report::to_json(policies), report::to_text(policies));
  return 0;
}

Result<int> remove(const Options& options) {
  using Which = sign::RuleSelection::Which;
  sign::RuleSelection selection;
  if (options.identity) selection = {Which::pattern, *options.identity};
  if (options.any) selection = {Which::any_identity, ""};
  // Looked for first: where others could make a file, loading a missing one is an error.
  struct stat st;
  const bool is_file =
      options.key == "-" || (::stat(options.key.c_str(), &st) == 0 && !S_ISDIR(st.st_mode));
  std::string key_text = options.key;  // a label or the start of a fingerprint
  if (is_file) key_text = TRY(fingerprint_of(options.key));
  const std::string file = TRY(sign::choose_policy_file(options.policy));
  report::RemovedRule removed{
      .fingerprint = "", .identity_pattern = options.identity, .any = options.any, .file = file};
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) -> Result<void> {
    removed.fingerprint = TRY(policy.remove(key_text, selection).context(file));
    return {};
  }));
  print_result(options, report::to_json(removed), report::to_text(removed));
  return 0;
}

Result<int> require(const Options& options) {
  sign::Requirement requirement{.identity_pattern = options.identity, .signers = options.signers};
  for (const std::string& name : options.attestations)
    requirement.attestations.push_back(sign::attestation_type(name));
  if (options.max_age)
    requirement.max_age = TRY(sign::parse_age(*options.max_age).context("--max-age"));
  requirement.min_serial = options.min_serial;
  if (options.not_before)
    requirement.not_before = TRY(sign::parse_time(*options.not_before).context("--not-before"));
  if (!options.undo && requirement == sign::Requirement{.identity_pattern = options.identity})
    return Error(ErrorKind::invalid_argument,
                 "requires nothing; pass --signers, --attestation, --max-age, --min-serial or "
                 "--not-before");
  const std::string file = TRY(sign::choose_policy_file(options.policy));
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) -> Result<void> {
    if (options.undo) return policy.drop_requirement(options.identity).context(file);
    return policy.require(requirement);
  }));
  const report::ChangedRequirement changed{requirement, options.undo, file};
  print_result(options, report::to_json(changed), report::to_text(changed));
  return 0;
}

Result<int> revoke(const Options& options) {
  const Digest digest = TRY(parse_argument("DIGEST", options.digest));
  const std::string file = TRY(sign::choose_policy_file(options.policy));
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) -> Result<void> {
    if (options.undo) return policy.unrevoke(digest).context(file);
    policy.revoke(digest);
    return {};
  }));
  const report::ChangedRevocation changed{digest, options.undo, file};
  print_result(options, report::to_json(changed), report::to_text(changed));
  return 0;
}

struct TestOptions {
  std::string image;
  std::string name;
  PlatformOption platform;
  bool json = false;
};

Result<int> test(const TestOptions& options, const StoreOption& store_option,
                 const AnchorOptions& anchor_options, const RegistryOptions& registry) {
  const sign::Anchors anchors = anchor_options.anchors();
  const auto platform = TRY(options.platform.platform());
  const auto reference = TRY(oci::parse_reference(options.image));
  if (!reference && !options.name.empty())
    return Error(ErrorKind::invalid_argument,
                 "--name: an image in the store has a name; leave it out");
  const image::TrustReport report =
      reference ? TRY(image::explain_source(*reference, options.name, platform, anchors,
                                            registry.options()))
                : TRY(image::explain_stored(*TRY(store_option.open()), options.image, anchors));
  print("{}", options.json ? to_text(report::to_json(report)) + "\n" : report::to_text(report));
  return report.explanation.verdict ? 0 : exit_status(Error(ErrorKind::untrusted, ""));
}

void add_trust_test_command(Program& program, CLI::App& group) {
  auto options = std::make_shared<TestOptions>();
  CLI::App* const command =
      program.add(group, "test", "Show which rule decides about an image, and why");
  command
      ->add_option("IMAGE", options->image,
                   "Image in the store, or in a registry, layout or archive")
      ->required()
      ->type_name("NAME|docker://HOST/REPO[:TAG]|oci:DIR[:TAG]|oci-archive:FILE[:TAG]");
  command->add_option("--name", options->name, "Name that the image would be used under")
      ->type_name("HOST/REPO[:TAG]");
  options->platform.add_to(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const RegistryOptions registry(command);
  program.on_chosen(command, [options, store, anchors, registry] {
    return test(*options, store, anchors, registry);
  });
}

/// The commands that show or change a policy file, with the options that all of them have.
struct PolicyCommands {
  Program& program;
  CLI::App* group;
  std::shared_ptr<Options> options = std::make_shared<Options>();

  CLI::App* add(const char* name, const char* description,
                Result<int> (*action)(const Options&)) const {
    CLI::App* const made = program.add(*group, name, description);
    allow_empty(made->add_option("--policy", options->policy,
                                 "Policy file to use instead of /etc/intact/policy.json (which "
                                 "root changes) and the user's own")
                    ->type_name("FILE"));
    made->add_flag("--json", options->json, "Print the result as JSON");
    program.on_chosen(made, [options = options, action] { return action(*options); });
    return made;
  }
};

void add_add_command(const PolicyCommands& commands) {
  const auto options = commands.options;
  CLI::App* const adding = commands.add("add", "Trust the images that a key has signed", add);
  adding
      ->add_option("FILE", options->key,
                   "Public key or certificates (PEM), or - for standard input")
      ->required()
      ->type_name("");
  // An empty one gets a message of its own.
  CLI::Option* const identity = allow_empty(
      adding
          ->add_option("--identity", options->identity,
                       "Trust the key only for images signed under a name that matches this "
                       "pattern: * matches any characters except / and :, ** matches whole "
                       "components, e.g. registry.example/team/*")
          ->type_name("PATTERN"));
  adding->add_flag("--any", options->any, "Trust the key for every image, whatever its name")
      ->excludes(identity);
  adding->add_flag("--certificate", options->certificate,
                   "FILE has certificates of authorities (PEM): trust whom they have certified");
  adding
      ->add_option("--subject", options->subject,
                   "Trust only certificates whose subject has these attributes, "
                   "e.g. C=US, O=Example")
      ->type_name("ATTRIBUTES");
  adding->add_option("--label", options->label, "Name of the key, shown by `list` and `verify`")
      ->type_name("TEXT");
  adding
      ->add_option("--pin", options->pins,
                   "Trust the key only for the manifest with this digest (may be repeated)")
      ->type_name("DIGEST")
      ->always_capture_default(false)
      ->allow_extra_args(false)
      ->default_str("");
}

void add_rm_command(const PolicyCommands& commands) {
  const auto options = commands.options;
  CLI::App* const removing = commands.add("rm", "Remove trust rules of a key", remove);
  removing->add_option("KEY", options->key, "Its label, its file, or the start of its fingerprint")
      ->required()
      ->type_name("FINGERPRINT|FILE");
  CLI::Option* const which =
      removing
          ->add_option("--identity", options->identity, "Remove only the rule with this pattern")
          ->type_name("PATTERN");
  removing->add_flag("--any", options->any, "Remove only the rule for every image")
      ->excludes(which);
}

void add_require_command(const PolicyCommands& commands) {
  const auto options = commands.options;
  CLI::App* const requiring =
      commands.add("require", "Require more of images than one trusted signature", require);
  requiring
      ->add_option("--identity", options->identity,
                   "Only of images that are signed or used under a name that matches this pattern")
      ->type_name("PATTERN");
  requiring->add_option("--signers", options->signers, "Number of different trusted signers")
      ->type_name("N");
  requiring
      ->add_option("--attestation", options->attestations,
                   "Type of an attestation by a trusted signer; may be repeated")
      ->type_name("TYPE")
      ->allow_extra_args(false);
  requiring->add_option("--max-age", options->max_age, "Age of a signature at most, e.g. 90d")
      ->type_name("AGE");
  requiring
      ->add_option("--min-serial", options->min_serial, "Lowest serial number (`seal --serial`)")
      ->type_name("N");
  requiring
      ->add_option("--not-before", options->not_before,
                   "Earliest time of signing, e.g. 2026-01-31T00:00:00Z")
      ->type_name("TIME");
  requiring->add_flag("--remove", options->undo, "Remove the requirement for these images");
}

void add_revoke_command(const PolicyCommands& commands) {
  const auto options = commands.options;
  CLI::App* const revoking =
      commands.add("revoke", "Refuse an image, even if it is signed", revoke);
  revoking
      ->add_option("DIGEST", options->digest,
                   "Digest of a manifest, an index, a config, a layer or an image, sha256:HEX")
      ->required()
      ->type_name("");
  revoking->add_flag("--undo", options->undo, "Undo the revocation");
}

}  // namespace

void add_trust_commands(Program& program) {
  CLI::App* const group =
      program.add(program.app(), "trust", "Manage trusted keys and the images they may sign");
  group->require_subcommand(1);
  const PolicyCommands commands{.program = program, .group = group};
  add_add_command(commands);
  commands.add("list", "Show the trusted keys and the revoked manifests", list)->alias("ls");
  add_rm_command(commands);
  add_require_command(commands);
  add_trust_test_command(program, *group);
  add_revoke_command(commands);
}

}  // namespace intact::cli
