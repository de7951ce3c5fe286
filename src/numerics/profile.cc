#include "numerics/profile.h"

#include <array>
#include <vector>

#include "base/error.h"

namespace assay::numerics {
namespace {

constexpr std::array<Profile, 5> kProfiles = {{
    {.alias = "xnnpack",
     .id = "xnnpack@2.3.0/x86",
     .summary = "LiteRT's default on x86: XNNPACK for the ops that it takes, the built-in kernels for the rest",
     .engine = Engine::kXnnpack},
    {.alias = "builtin",
     .id = "builtin@2.3.0/x86",
     .summary = "TFLite's optimised built-in kernels, no delegate",
     .engine = Engine::kBuiltin},
    {.alias = "reference",
     .id = "reference@2.3.0",
     .summary = "TFLite's reference kernels",
     .engine = Engine::kReference},
    {.alias = "reference-2024",
     .id = "reference@1.0.1",
     .summary = "TFLite's reference kernels before April 2025",
     .engine = Engine::kReference,
     .litert_1_0 = true},
    {.alias = "float16",
     .id = "float16@1",
     .summary = "floats stored as half between ops, accumulated in float, as mobile GPUs do",
     .engine = Engine::kXnnpack,
     .half_between_ops = true,
     .verified = false},
}};

}  // namespace

std::string_view EngineName(Engine engine) {
  switch (engine) {
    case Engine::kReference:
      return "reference";
    case Engine::kBuiltin:
      return "builtin";
    case Engine::kXnnpack:
      return "xnnpack";
  }
  return "";
}

std::span<const Profile> AllProfiles() { return kProfiles; }

const Profile& DefaultProfile() { return kProfiles[0]; }

const Profile& FindProfile(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Profile& profile : kProfiles) {
    if (profile.alias == name || profile.id == name) return profile;
    known.push_back(profile.alias);
  }
  throw UsageError("unknown numerics profile '{}'{}", name, NearestHint(name, known.data(), known.size()));
}

}  // namespace assay::numerics
