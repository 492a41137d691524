#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/image/copy.h>
#include <intact/image/explain.h>
#include <intact/image/export.h>
#include <intact/image/pull.h>
#include <intact/image/seal.h>
#include <intact/image/source_summary.h>
#include <intact/image/stored_images.h>
#include <intact/image/verify.h>
#include <intact/json/json.h>
#include <intact/registry/login.h>
#include <intact/rootfs/mounts.h>
#include <intact/sign/policy.h>
#include <intact/store/maintenance.h>

namespace intact::report {

// What is said of the results of work on images and stores: to_json() for programs, to_text() for
// people, in lines with their ends. Names and messages in a text are visible(): none of them can
// begin a line or steer a terminal.

/// All images of a store, an object each.
Json to_json(const image::StoredImages& images);
/// The rows for --format, with the fields that users of podman expect.
std::vector<Json> to_fields(const image::StoredImages& images);
/// A row without values, which has all of these fields.
Json empty_fields();
/// A table whose cells are parted by tabs, under a heading.
std::string to_table(const image::StoredImages& images, bool whole_digests);
/// The digest of each manifest once, a line each.
std::string to_digests(const image::StoredImages& images, bool whole);

Json to_json(const image::ImageSummary& summary);
/// The same under the names that users of podman's `--format` expect.
Json to_fields(const image::ImageSummary& summary);
std::string to_text(const image::ImageSummary& summary);

/// Of an image that is not in the store.
Json to_json(const image::SourceSummary& summary);
std::string to_text(const image::SourceSummary& summary);

Json to_json(const image::SealReport& report, const std::string& identity);
std::string to_text(const image::SealReport& report, const std::string& identity);

Json to_json(const image::PullReport& report);
/// `source`: what was pulled, as the user wrote it.
std::string to_text(const image::PullReport& report, const std::string& source);

Json to_json(const image::ExportReport& report, const std::string& destination);
std::string to_text(const image::ExportReport& report, const std::string& name,
                    const std::string& destination);

Json to_json(const image::CopyReport& report);
std::string to_text(const image::CopyReport& report);

Json to_json(const registry::Login& login);
std::string to_text(const registry::Login& login);

Json to_json(const registry::Logout& logout);
std::string to_text(const registry::Logout& logout);

Json to_json(const image::VerifyReport& report);
/// The first places of every damaged file, and how many there are: to_json() lists more of them.
/// Empty for an intact image.
std::string damage_text(const image::VerifyReport& report);
/// The verdict on the image `what`, in one line.
std::string verdict_text(const std::string& what, const image::VerifyReport& report);
/// The same for the image `name` whose verification failed with `error`. An error that names the
/// image itself does not do so twice.
std::string failure_text(const std::string& name, const Error& error);

/// Why an image could not be verified, in the form of its verification.
Json failure_json(const Error& error);
/// How one image of a whole store was verified: damage_text() and verdict_text(), or why it could
/// not be verified.
Json to_json(const image::NamedVerification& verification);
std::string to_text(const image::NamedVerification& verification);

/// Mounts, an object each.
Json to_json(const std::vector<rootfs::Mount>& mounts);
/// A table whose cells are parted by tabs, under a heading.
std::string to_table(const std::vector<rootfs::Mount>& mounts);

/// An image that has been mounted.
struct NewMount {
  std::string name;
  std::string directory;
  std::string log;  ///< of its server; empty for a mount by the kernel
};
Json to_json(const NewMount& mount);
std::string to_text(const NewMount& mount);

Json to_json(const store::GcReport& report, bool dry_run);
std::string to_text(const store::GcReport& report, bool dry_run);

Json to_json(const store::FsckReport& report);
std::string to_text(const store::FsckReport& report);

/// A rule that has been added to a policy file.
Json to_json(const sign::Rule& rule, const std::string& file);
std::string to_text(const sign::Rule& rule, const std::string& file);

/// What else has been done to a policy file.
struct RemovedRule {
  std::string fingerprint;
  std::optional<std::string> identity_pattern;  ///< only the rule with this pattern
  bool any = false;                             ///< only the rule for every image
  std::string file;
};
Json to_json(const RemovedRule& removed);
std::string to_text(const RemovedRule& removed);

struct ChangedRequirement {
  sign::Requirement requirement;
  bool dropped = false;
  std::string file;
};
Json to_json(const ChangedRequirement& changed);
std::string to_text(const ChangedRequirement& changed);

struct ChangedRevocation {
  Digest manifest;
  bool undone = false;
  std::string file;
};
Json to_json(const ChangedRevocation& changed);
std::string to_text(const ChangedRevocation& changed);

/// All rules and revocations.
Json to_json(const std::vector<sign::PolicyFile>& policies);
std::string to_text(const std::vector<sign::PolicyFile>& policies);

/// Why an image is trusted, or not (`trust test`).
Json to_json(const image::TrustReport& report);
std::string to_text(const image::TrustReport& report);

}  // namespace intact::report
