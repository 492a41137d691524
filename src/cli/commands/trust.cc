#include <memory>

#include <intact/json/json.h>
#include <intact/sign/policy.h>

#include "../command.h"
#include "../commands.h"

namespace intact::cli {
namespace {

struct Options {
  std::string key;  // a file or, where it fits, the start of a fingerprint
  std::string identity;
  std::vector<std::string> pins;
  std::string digest;
  std::string policy;
  bool undo = false;
  bool json = false;
};

Result<std::string> file_to_edit(const Options& options) {
  if (!options.policy.empty()) return options.policy;
  return sign::default_policy_file_to_edit();
}

Result<int> add(const Options& options) {
  sign::Rule rule{.key = TRY(sign::PublicKey::load(options.key)),
                  .identity_pattern = options.identity,
                  .pins = {}};
  for (const std::string& pin : options.pins)
    rule.pins.push_back(TRY(Digest::parse(pin).context("--pin")));
  const std::string fingerprint = rule.key.fingerprint();
  const std::string file = TRY(file_to_edit(options));
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) { return policy.add(std::move(rule)); }));
  print("Trusted {} for {}{} in {}\n", fingerprint,
        options.identity.empty() ? "any image" : "'" + options.identity + "'",
        options.pins.empty() ? "" : " (pinned manifests only)", file);
  return 0;
}

/// The files that exist, each with its own policy: a rule is removed where it stands.
Result<std::vector<std::pair<std::string, sign::Policy>>> load_all(const Options& options) {
  std::vector<std::pair<std::string, sign::Policy>> all;
  if (!options.policy.empty()) {
    all.emplace_back(options.policy, TRY(sign::Policy::load(options.policy)));
    return all;
  }
  for (const std::string& file : sign::default_policy_files()) {
    auto policy = sign::Policy::load(file);
    if (policy) {
      all.emplace_back(file, *std::move(policy));
    } else if (policy.error().kind() != ErrorKind::not_found) {
      return std::move(policy).error();
    }
  }
  return all;
}

Json to_json(const std::vector<Digest>& digests) {
  Json list = Json::array();
  for (const Digest& digest : digests) list.push_back(digest.to_string());
  return list;
}

Result<int> list(const Options& options) {
  const auto policies = TRY(load_all(options));
  if (options.json) {
    Json rules = Json::array();
    Json revoked = Json::array();
    for (const auto& [file, policy] : policies) {
      for (const sign::Rule& rule : policy.rules())
        rules.push_back({{"fingerprint", rule.key.fingerprint()},
                         {"type", to_string(rule.key.type())},
                         {"identity", rule.identity_pattern},
                         {"pins", to_json(rule.pins)},
                         {"policy", file},
                         {"key", rule.key.to_pem()}});
      for (const Digest& digest : policy.revoked())
        revoked.push_back({{"digest", digest.to_string()}, {"policy", file}});
    }
    print("{}\n", to_text(Json{{"rules", std::move(rules)}, {"revoked", std::move(revoked)}}));
    return 0;
  }
  bool is_empty = true;
  for (const auto& [file, policy] : policies) {
    if (policy.rules().empty() && policy.revoked().empty()) continue;
    is_empty = false;
    print("{}\n", file);
    for (const sign::Rule& rule : policy.rules()) {
      print("  {}  {}  {}\n", rule.key.fingerprint(), to_string(rule.key.type()),
            rule.identity_pattern.empty() ? "any image" : rule.identity_pattern);
      for (const Digest& pin : rule.pins) print("    only {}\n", pin.to_string());
    }
    for (const Digest& digest : policy.revoked()) print("  revoked {}\n", digest.to_string());
  }
  if (is_empty) print("No key is trusted yet: `intact trust add KEY.pub`\n");
  return 0;
}

Result<int> remove(const Options& options) {
  // A key file, if there is one of that name, else what a fingerprint starts with.
  std::string prefix = options.key;
  auto key = sign::PublicKey::load(options.key);
  if (key) {
    prefix = key->fingerprint();
  } else if (key.error().kind() != ErrorKind::not_found) {
    return std::move(key).error();
  }
  const std::string file = TRY(file_to_edit(options));
  std::string removed;
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) -> Result<void> {
    removed = TRY(policy.remove(prefix).context(file));
    return {};
  }));
  print("No longer trusted: {} (in {})\n", removed, file);
  return 0;
}

Result<int> revoke(const Options& options) {
  const Digest digest = TRY(Digest::parse(options.digest));
  const std::string file = TRY(file_to_edit(options));
  TRY(sign::edit_policy(file, [&](sign::Policy& policy) -> Result<void> {
    if (options.undo) return policy.unrevoke(digest).context(file);
    policy.revoke(digest);
    return {};
  }));
  print("{} {} in {}\n", options.undo ? "No longer revoked:" : "Revoked", digest.to_string(), file);
  return 0;
}

}  // namespace

void add_trust_commands(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* const group =
      program.add(program.app(), "trust", "Say whose signatures count, and for which images");
  group->require_subcommand(1);
  const auto command = [&](const char* name, const char* description,
                           Result<int> (*action)(const Options&)) {
    CLI::App* const made = program.add(*group, name, description);
    made->add_option("--policy", options->policy,
                     "Policy file instead of /etc/intact/policy.json (changed by root) and the "
                     "user's own")
        ->type_name("FILE");
    program.on_chosen(made, [options, action] { return action(*options); });
    return made;
  };

  CLI::App* const adding = command("add", "Trust the images that a key has signed", add);
  adding->add_option("FILE", options->key, "Public key (PEM)")->required()->type_name("");
  adding
      ->add_option("--identity", options->identity,
                   "Only images signed under such a name; * stands for a part without / and :, ** "
                   "for whole parts, e.g. registry.example/team/*")
      ->type_name("PATTERN");
  adding->add_option("--pin", options->pins, "Only this manifest (may be given several times)")
      ->type_name("DIGEST")
      ->always_capture_default(false)
      ->default_str("");

  command("list", "Show the trusted keys and the revoked manifests", list)
      ->add_flag("--json", options->json, "For machines");

  command("rm", "Trust a key no longer, under no name", remove)
      ->add_option("KEY", options->key, "Start of its fingerprint, or its file")
      ->required()
      ->type_name("FINGERPRINT|FILE");

  CLI::App* const revoking =
      command("revoke", "Refuse one manifest for ever, whoever has signed it", revoke);
  revoking->add_option("DIGEST", options->digest, "Digest of the manifest, sha256:HEX")
      ->required()
      ->type_name("");
  revoking->add_flag("--undo", options->undo, "Take the revocation back");
}

}  // namespace intact::cli
