#include "data/dataset.h"

#include <array>

#include "base/error.h"

namespace assay::data {
namespace {

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::unique_ptr<Dataset> OpenCsvSpec(const std::string& spec, const std::vector<std::string>& parts) {
  if (parts.size() < 2 || parts.size() > 3) throw UsageError("--data {}: expected csv:FILE,DIR[,dtype=int8]", spec);
  std::optional<DType> dtype;
  if (parts.size() == 3) {
    constexpr std::string_view kKey = "dtype=";
    if (parts[2].rfind(kKey, 0) != 0)
      throw UsageError("--data {}: unknown option '{}', expected dtype=", spec, parts[2]);
    const std::string name = parts[2].substr(kKey.size());
    dtype = DTypeFromName(name);
    if (!dtype.has_value() || DTypeBits(*dtype) % 8 != 0 || DTypeBits(*dtype) == 0 || *dtype == DType::kComplex64 ||
        *dtype == DType::kComplex128) {
      throw UsageError("--data {}: arrays of type '{}' cannot be read", spec, name);
    }
  }
  return OpenCsv(parts[0], parts[1], dtype);
}

}  // namespace

std::unique_ptr<Dataset> OpenDataset(const std::string& spec, const std::string& labels) {
  constexpr std::array<std::string_view, 5> kKinds = {"folder", "imagenet", "mnist", "csv", "npz"};
  const size_t colon = spec.find(':');
  const std::string kind = spec.substr(0, colon);
  if (colon == std::string::npos || colon + 1 == spec.size()) {
    throw UsageError("--data '{}': expected KIND:WHERE, KIND one of folder, imagenet, mnist, csv, npz{}", spec,
                     NearestHint(kind, kKinds.data(), kKinds.size()));
  }
  const std::string where = spec.substr(colon + 1);
  const std::vector<std::string> parts = Split(where, ',');
  if (!labels.empty() && kind != "imagenet")
    throw UsageError("--labels goes with imagenet data only, --data is {}", spec);
  if (kind == "folder") return OpenFolder(where);
  if (kind == "imagenet") {
    if (labels.empty()) throw UsageError("--data {} needs --labels CSV", spec);
    return OpenImageNet(where, labels);
  }
  if (kind == "mnist") {
    if (parts.size() != 2) throw UsageError("--data {}: expected mnist:IMAGES,LABELS", spec);
    return OpenMnist(parts[0], parts[1]);
  }
  if (kind == "csv") return OpenCsvSpec(spec, parts);
  if (kind == "npz") return OpenNpz(where);
  throw UsageError("--data {}: unknown kind '{}'{}", spec, kind, NearestHint(kind, kKinds.data(), kKinds.size()));
}

}  // namespace assay::data
