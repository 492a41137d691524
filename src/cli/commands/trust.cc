#include <memory>

#include <sys/stat.h>

#include <intact/json/json.h>
#include <intact/report/results.h>
#include <intact/sign/identity.h>
#include <intact/sign/policy.h>

#include "../commands.h"
#include "command.h"

namespace intact::cli {
namespace {

struct Options {
  std::string key;  // a file or, where it fits, a label or the start of a fingerprint
  std::optional<std::string> identity;
  bool any = false;
  std::optional<std::string> label;
  std::vector<std::string> pins;
  std::string digest;
  std::optional<std::string> policy;
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

Result<int> add(const Options& options) {
  if (options.identity && options.identity->empty())
    return Error(ErrorKind::invalid_argument,
                 "--identity: the pattern is empty; pass --any to trust the key for every image");
  sign::Rule rule{.key = TRY(sign::PublicKey::load(options.key)),
                  .identity_pattern = options.identity,
                  .pins = {},
                  .label = options.label.value_or("")};
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
  if (is_file) key_text = TRY(sign::PublicKey::load(options.key)).fingerprint();
  const std::string file = TRY(sign::choose_policy_file(options.policy));
  std::string removed;
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) -> Result<void> {
    removed = TRY(policy.remove(key_text, selection).context(file));
    return {};
  }));
  const std::string scope = options.identity ? " for '" + *options.identity + "'"
                            : options.any    ? " for every image"
                                             : "";
  print_result(options, Json{{"fingerprint", removed}, {"policy", file}},
               fmt::format("No longer trusted{}: {} (in {})\n", scope, removed, file));
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
  print_result(
      options, Json{{"digest", digest.to_string()}, {"revoked", !options.undo}, {"policy", file}},
      fmt::format("{} {} (in {})\n",
                  options.undo ? "No longer revoked:" : "Revoked:", digest.to_string(), file));
  return 0;
}

}  // namespace

void add_trust_commands(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* const group =
      program.add(program.app(), "trust", "Manage trusted keys and the images they may sign");
  group->require_subcommand(1);
  const auto command = [&](const char* name, const char* description,
                           Result<int> (*action)(const Options&)) {
    CLI::App* const made = program.add(*group, name, description);
    allow_empty(made->add_option("--policy", options->policy,
                                 "Policy file to use instead of /etc/intact/policy.json (which "
                                 "root changes) and the user's own")
                    ->type_name("FILE"));
    made->add_flag("--json", options->json, "Print the result as JSON");
    program.on_chosen(made, [options, action] { return action(*options); });
    return made;
  };

  CLI::App* const adding = command("add", "Trust the images that a key has signed", add);
  adding->add_option("FILE", options->key, "Public key (PEM), or - for standard input")
      ->required()
      ->type_name("");
  CLI::Option* const identity =
      adding
          ->add_option("--identity", options->identity,
                       "Trust the key only for images signed under a name that matches this "
                       "pattern: * matches any characters except / and :, ** matches whole "
                       "components, e.g. registry.example/team/*")
          ->type_name("PATTERN");
  adding->add_flag("--any", options->any, "Trust the key for every image, whatever its name")
      ->excludes(identity);
  adding->add_option("--label", options->label, "Name of the key, shown by `list` and `verify`")
      ->type_name("TEXT");
  adding
      ->add_option("--pin", options->pins,
                   "Trust the key only for the manifest with this digest (may be repeated)")
      ->type_name("DIGEST")
      ->always_capture_default(false)
      ->allow_extra_args(false)
      ->default_str("");

  command("list", "Show the trusted keys and the revoked manifests", list)->alias("ls");

  CLI::App* const removing = command("rm", "Remove trust rules of a key", remove);
  removing->add_option("KEY", options->key, "Its label, its file, or the start of its fingerprint")
      ->required()
      ->type_name("FINGERPRINT|FILE");
  CLI::Option* const which =
      removing
          ->add_option("--identity", options->identity, "Remove only the rule with this pattern")
          ->type_name("PATTERN");
  removing->add_flag("--any", options->any, "Remove only the rule for every image")
      ->excludes(which);

  CLI::App* const revoking = command("revoke", "Refuse a manifest, even if it is signed", revoke);
  revoking->add_option("DIGEST", options->digest, "Digest of the manifest, sha256:HEX")
      ->required()
      ->type_name("");
  revoking->add_flag("--undo", options->undo, "Undo the revocation");
}

}  // namespace intact::cli
