#include <type_traits>
#include <utility>
#include <variant>

#include <intact/stack/discover.h>
#include <intact/stack/plan.h>

#include "search.h"
#include "signatures.h"

namespace intact::stack {
namespace {

void add(Json& facts, const std::vector<dm::Fact>& more) {
  for (const dm::Fact& fact : more)
    std::visit([&](const auto& value) { facts[std::string(fact.name)] = value; }, fact.value);
}

/// The file system or archive at the beginning, if there is one and it can be read.
void add_signature(dm::Candidate& candidate, std::vector<Content>& contents) {
  const auto begin = candidate.begin();
  if (!begin) return;
  if (auto found = find_signature(*begin)) contents.push_back(std::move(found->content));
}

}  // namespace

Result<std::vector<Content>> probe(std::shared_ptr<block::Device> device,
                                   const Credentials& credentials) {
  std::vector<Content> contents;
  Said said(credentials);
  while (device) {
    dm::Candidate candidate(std::move(device), file_system_size);
    const auto found = find_volume(candidate, said);
    if (!found && contents.empty()) return Error(found.error());
    if (!found) break;
    if (found->prober == nullptr) {
      add_signature(candidate, contents);
      break;
    }
    const dm::Prober& prober = *found->prober;
    const dm::Header& header = *found->header;
    said.found(prober);
    dm::Sight sight = prober.look_into(header, candidate.device());
    Content content{.format = std::string(prober.name),
                    .title = std::string(prober.title),
                    .offset = header.offset,
                    .facts = Json::object()};
    add(content.facts, header.facts());
    add(content.facts, sight.facts);
    contents.push_back(std::move(content));
    // What begins with something else than its own header may show that.
    if (!sight.content && header.offset != 0) add_signature(candidate, contents);
    if (contents.size() > kMaxTables) break;
    device = std::move(sight.content);
  }
  return contents;
}

}  // namespace intact::stack
