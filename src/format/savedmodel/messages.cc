#include "format/savedmodel/messages.h"

#include <dlfcn.h>

#include <climits>

#include "base/error.h"
#include "base/module_path.h"

namespace assay::savedmodel {
namespace {

constexpr const char* kModule = "assay_protobuf.so";

// The module stays loaded: libprotobuf keeps state of its own.
ParseFn Load() {
  static const ParseFn parse = [] {
    const std::string path = FindModule(kModule, "reading SavedModels and frozen graphs");
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    const char* reason = library == nullptr ? ::dlerror() : nullptr;
    if (library == nullptr) throw InputError("cannot load {}: {}", kModule, reason == nullptr ? "" : reason);
    const auto function = reinterpret_cast<ParseFn>(::dlsym(library, kParseFn));
    if (function == nullptr) throw InputError("{} is of another version than the program", path);
    return function;
  }();
  return parse;
}

template <typename Out>
Out Parse(MessageKind kind, std::span<const uint8_t> bytes, const char* what) {
  Out out;
  if (bytes.size() > INT_MAX) throw InputError("{} bytes are more than a message of TensorFlow may have", bytes.size());
  if (!Load()(kind, bytes.data(), bytes.size(), &out)) throw InputError("it is no {}, or damaged", what);
  return out;
}

}  // namespace

SavedModelFile ParseSavedModel(std::span<const uint8_t> bytes) {
  return Parse<SavedModelFile>(MessageKind::kSavedModel, bytes, "SavedModel message");
}
Graph ParseGraph(std::span<const uint8_t> bytes) {
  return Parse<Graph>(MessageKind::kGraph, bytes, "GraphDef message");
}
BundleHeader ParseBundleHeader(std::span<const uint8_t> bytes) {
  return Parse<BundleHeader>(MessageKind::kBundleHeader, bytes, "checkpoint header");
}
BundleEntry ParseBundleEntry(std::span<const uint8_t> bytes) {
  return Parse<BundleEntry>(MessageKind::kBundleEntry, bytes, "checkpoint entry");
}

}  // namespace assay::savedmodel
