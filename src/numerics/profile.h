// Numerics profiles: which runtime's arithmetic is reproduced. A profile is a value that reaches every kernel through
// its parameters, so two of them live in one process.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace assay::numerics {

// The implementation whose rules one op follows. Under the profile `xnnpack` an op that XNNPACK does not take is
// kBuiltin.
enum class Engine : uint8_t { kReference, kBuiltin, kXnnpack };

std::string_view EngineName(Engine engine);  // "reference", "builtin", "xnnpack"

struct Profile {
  std::string_view alias;         // what is typed: "xnnpack"
  std::string_view id;            // what is recorded: "xnnpack@2.3.0/x86"
  std::string_view summary;       // one line for the help text
  Engine engine;                  // asked first for every op
  bool litert_1_0 = false;        // what changed between LiteRT 1.0.1 and 2.3.0 is as in the former
  bool half_between_ops = false;  // float tensors are rounded to half after every op
  bool verified = true;           // checked against the runtime it names
};

std::span<const Profile> AllProfiles();
const Profile& DefaultProfile();  // xnnpack

// By alias or id. Throws UsageError naming the nearest known one.
const Profile& FindProfile(std::string_view name);

}  // namespace assay::numerics
